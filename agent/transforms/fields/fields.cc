#include "agent/transforms/fields/fields.h"

#include <algorithm>

#include "agent/core/name.h"
#include "agent/core/path.h"
#include "agent/core/template.h"
#include "agent/transforms/fields/constant.h"

namespace millrace::agent {
namespace {

bool IsTemplate(const YAML::Node& node) {
  return node.IsScalar() && node.Scalar().find("{{") != std::string::npos;
}

class AddFields final : public Transform {
 public:
  struct Item {
    Path path;
    Value constant;
    std::optional<Template> text;  ///< Instead of the constant.
  };
  AddFields(std::vector<Item> items, bool overwrite)
      : items_(std::move(items)), overwrite_(overwrite) {
    simple_ = std::all_of(items_.begin(), items_.end(),
                          [](const Item& item) { return item.path.top_level() && !item.text; });
    for (const Item& item : items_)
      if (simple_) fields_.push_back(item.constant.Named(item.path.field()));
  }

  void Apply(EventBatch& batch) override {
    if (simple_ && Unshared(batch)) return;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      for (Item& item : items_) {
        if (!overwrite_ && item.path.Get(batch, batch.event(i)).present) continue;
        Value value = item.constant;
        if (item.text) {
          text_.clear();
          item.text->Render(batch, batch.event(i), "", text_);
          value = Value::Text(batch.arena.Copy(text_));
        }
        item.path.Set(batch, i, value);
      }
    }
  }
  std::unique_ptr<Transform> Clone() const override { return std::make_unique<AddFields>(*this); }

 private:
  /// Constants that no event has yet are stored once for the batch. False = some event has one.
  bool Unshared(EventBatch& batch) {
    for (const Field& f : fields_) {
      for (const Field& c : batch.common())
        if (c.name() == f.name()) return false;
      for (const Event& e : batch.events())
        for (const Field& own : batch.fields(e))
          if (own.name_len == f.name_len && own.name() == f.name()) return false;
    }
    for (const Field& f : fields_) batch.AddCommon(f);
    return true;
  }

  std::vector<Item> items_;
  std::vector<Field> fields_;
  bool overwrite_, simple_;
  std::string text_;
};

class RemoveFields final : public Transform {
 public:
  explicit RemoveFields(std::vector<Path> paths) : paths_(std::move(paths)) {}
  void Apply(EventBatch& batch) override {
    for (std::size_t i = 0; i < batch.size(); ++i)
      for (const Path& path : paths_) path.Remove(batch, i);
  }
  std::unique_ptr<Transform> Clone() const override {
    return std::make_unique<RemoveFields>(*this);
  }

 private:
  std::vector<Path> paths_;
};

class KeepFields final : public Transform {
 public:
  explicit KeepFields(std::vector<Path> paths) : paths_(std::move(paths)) {}
  void Apply(EventBatch& batch) override {
    batch.FlattenCommon();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      kept_.clear();
      for (const Field& f : batch.fields(i))
        for (const Path& path : paths_)
          if (path.top_level() && path.field() == f.name()) kept_.push_back(f);
      values_.clear();
      for (const Path& path : paths_)
        values_.push_back(path.top_level() ? Value() : path.Get(batch, batch.event(i)));
      batch.Replace(i, kept_);
      for (std::size_t k = 0; k < paths_.size(); ++k)
        if (values_[k].present) paths_[k].Set(batch, i, values_[k]);
    }
  }
  std::unique_ptr<Transform> Clone() const override { return std::make_unique<KeepFields>(*this); }

 private:
  std::vector<Path> paths_;
  std::vector<Field> kept_;
  std::vector<Value> values_;
};

class MoveFields final : public Transform {
 public:
  struct Item {
    Path from, to;
  };
  MoveFields(std::vector<Item> items, bool copy) : items_(std::move(items)), copy_(copy) {}
  void Apply(EventBatch& batch) override {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      for (const Item& item : items_) {
        if (!copy_ && item.from.top_level() && item.to.top_level()) {
          batch.Rename(i, item.from.field(), item.to.field());
          continue;
        }
        const Value value = item.from.Get(batch, batch.event(i));
        if (!value.present) continue;
        if (!copy_) item.from.Remove(batch, i);
        item.to.Set(batch, i, value);
      }
    }
  }
  std::unique_ptr<Transform> Clone() const override { return std::make_unique<MoveFields>(*this); }

 private:
  std::vector<Item> items_;
  bool copy_;
};

std::string PathListFault(const std::vector<std::string>& list) {
  for (const std::string& text : list)
    if (std::string why = FieldPathFault(text); !why.empty()) return why;
  return {};
}

std::string PathMapFault(const std::map<std::string, std::string>& map) {
  for (const auto& [from, to] : map)
    if (std::string why = FieldPathFault(to); !why.empty()) return why;
  return {};
}

Result<std::vector<Path>> ParsePaths(const std::vector<std::string>& list) {
  std::vector<Path> paths;
  for (const std::string& text : list) {
    MILLRACE_ASSIGN(Path path, Path::Parse(text));
    paths.push_back(std::move(path));
  }
  return paths;
}

Result<std::unique_ptr<Transform>> MakeMove(const std::map<std::string, std::string>& fields,
                                            bool copy) {
  std::vector<MoveFields::Item> items;
  for (const auto& [from, to] : fields) {
    MILLRACE_ASSIGN(Path source, Path::Parse(from));
    MILLRACE_ASSIGN(Path target, Path::Parse(to));
    items.push_back({std::move(source), std::move(target)});
  }
  return std::make_unique<MoveFields>(std::move(items), copy);
}

}  // namespace

void Visit(config::Visitor& v, AddFieldsConfig& c) {
  v.Field("fields", c.fields,
          "Path and value of each field. A string may hold `{{ other.field }}`; lists and maps "
          "become arrays and objects.")
      .Required()
      .NotEmpty();
  v.Field("overwrite", c.overwrite, "Replace a value that is there already.");
  CheckPathKeys(v, "fields");
  for (const auto& [name, node] : c.fields) {
    if (!IsTemplate(node)) continue;
    if (const auto text = Template::Parse(node.Scalar(), TemplateUse::kText); !text)
      v.ComplainAt(node, "fields." + name, text.error().message);
  }
}

Result<std::unique_ptr<Transform>> MakeAddFields(const AddFieldsConfig& c, const Context&) {
  std::vector<AddFields::Item> items;
  for (const auto& [name, node] : c.fields) {
    AddFields::Item item;
    MILLRACE_ASSIGN(item.path, Path::Parse(name));
    if (IsTemplate(node)) {
      MILLRACE_ASSIGN(item.text, Template::Parse(node.Scalar(), TemplateUse::kText));
    } else {
      item.constant = ConstantOf(node);
    }
    items.push_back(std::move(item));
  }
  return std::make_unique<AddFields>(std::move(items), c.overwrite);
}

void Visit(config::Visitor& v, RemoveFieldsConfig& c) {
  v.Field("fields", c.fields, "Paths of what is removed.")
      .Required()
      .NotEmpty()
      .Check(PathListFault);
}

Result<std::unique_ptr<Transform>> MakeRemoveFields(const RemoveFieldsConfig& c, const Context&) {
  MILLRACE_ASSIGN(auto paths, ParsePaths(c.fields));
  return std::make_unique<RemoveFields>(std::move(paths));
}

void Visit(config::Visitor& v, KeepFieldsConfig& c) {
  v.Field("fields", c.fields, "Paths of what stays; everything else is removed.")
      .Required()
      .NotEmpty()
      .Check(PathListFault);
}

Result<std::unique_ptr<Transform>> MakeKeepFields(const KeepFieldsConfig& c, const Context&) {
  MILLRACE_ASSIGN(auto paths, ParsePaths(c.fields));
  return std::make_unique<KeepFields>(std::move(paths));
}

void Visit(config::Visitor& v, RenameFieldsConfig& c) {
  v.Field("fields", c.fields, "Old path and new path of each field, in alphabetic order.")
      .Required()
      .NotEmpty()
      .Check(PathMapFault);
  CheckPathKeys(v, "fields");
}

Result<std::unique_ptr<Transform>> MakeRenameFields(const RenameFieldsConfig& c, const Context&) {
  return MakeMove(c.fields, false);
}

void Visit(config::Visitor& v, CopyFieldsConfig& c) {
  v.Field("fields", c.fields, "Path to copy from and path to copy to.")
      .Required()
      .NotEmpty()
      .Check(PathMapFault);
  CheckPathKeys(v, "fields");
}

Result<std::unique_ptr<Transform>> MakeCopyFields(const CopyFieldsConfig& c, const Context&) {
  return MakeMove(c.fields, true);
}

}  // namespace millrace::agent
