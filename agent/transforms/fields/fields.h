#pragma once
// Transforms that add, remove, rename, copy and keep fields.
#include <map>
#include <string>
#include <vector>

#include "agent/core/component.h"
#include "common/config/visitor.h"

namespace millrace::agent {

struct AddFieldsConfig {
  std::map<std::string, YAML::Node> fields;
  bool overwrite = true;
};
void Visit(config::Visitor& v, AddFieldsConfig& c);
Result<std::unique_ptr<Transform>> MakeAddFields(const AddFieldsConfig& c, const Context& context);

struct RemoveFieldsConfig {
  std::vector<std::string> fields;
};
void Visit(config::Visitor& v, RemoveFieldsConfig& c);
Result<std::unique_ptr<Transform>> MakeRemoveFields(const RemoveFieldsConfig& c,
                                                    const Context& context);

struct KeepFieldsConfig {
  std::vector<std::string> fields;
};
void Visit(config::Visitor& v, KeepFieldsConfig& c);
Result<std::unique_ptr<Transform>> MakeKeepFields(const KeepFieldsConfig& c,
                                                  const Context& context);

struct RenameFieldsConfig {
  std::map<std::string, std::string> fields;
};
void Visit(config::Visitor& v, RenameFieldsConfig& c);
Result<std::unique_ptr<Transform>> MakeRenameFields(const RenameFieldsConfig& c,
                                                    const Context& context);

struct CopyFieldsConfig {
  std::map<std::string, std::string> fields;
};
void Visit(config::Visitor& v, CopyFieldsConfig& c);
Result<std::unique_ptr<Transform>> MakeCopyFields(const CopyFieldsConfig& c,
                                                  const Context& context);

}  // namespace millrace::agent
