#include "tests/unit/agent_kafka_client/mock_cluster.h"

#include <memory>

namespace millrace::agent::kafka {

rd_kafka_t* MockCluster::MakeClient(rd_kafka_type_t type, const char* group) {
  char text[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap().c_str(), text, sizeof text);
  if (type == RD_KAFKA_CONSUMER) rd_kafka_conf_set(conf, "group.id", group, text, sizeof text);
  if (type == RD_KAFKA_PRODUCER) rd_kafka_conf_set(conf, "linger.ms", "0", text, sizeof text);
  rd_kafka_t* client = rd_kafka_new(type, conf, text, sizeof text);
  REQUIRE(client != nullptr);
  return client;
}

void MockCluster::Produce(const char* topic, const Message& m) {
  rd_kafka_t* client = MakeClient(RD_KAFKA_PRODUCER, nullptr);
  std::vector<rd_kafka_vu_t> v;
  const auto add = [&v](rd_kafka_vtype_t type) -> decltype(rd_kafka_vu_t::u)& {
    v.emplace_back().vtype = type;
    return v.back().u;
  };
  add(RD_KAFKA_VTYPE_TOPIC).cstr = topic;
  add(RD_KAFKA_VTYPE_PARTITION).i32 = m.partition;
  add(RD_KAFKA_VTYPE_VALUE).mem = {const_cast<char*>(m.value.data()), m.value.size()};
  add(RD_KAFKA_VTYPE_MSGFLAGS).i = RD_KAFKA_MSG_F_COPY;
  if (!m.key.empty()) add(RD_KAFKA_VTYPE_KEY).mem = {const_cast<char*>(m.key.data()), m.key.size()};
  for (const auto& [name, value] : m.headers)
    add(RD_KAFKA_VTYPE_HEADER).header = {name.c_str(), value.data(),
                                         static_cast<ssize_t>(value.size())};
  REQUIRE(rd_kafka_produceva(client, v.data(), v.size()) == nullptr);
  REQUIRE(rd_kafka_flush(client, 60000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  rd_kafka_destroy(client);
}

std::vector<MockCluster::Message> MockCluster::Consume(const char* topic, std::size_t count) {
  rd_kafka_t* client = MakeClient(RD_KAFKA_CONSUMER, "reader-of-the-test");
  const struct rd_kafka_metadata* metadata = nullptr;
  std::vector<Message> out;
  rd_kafka_topic_t* handle = rd_kafka_topic_new(client, topic, nullptr);
  REQUIRE(rd_kafka_metadata(client, 0, handle, &metadata, 60000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(4);
  for (int i = 0; i < metadata->topics[0].partition_cnt; ++i)
    rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_metadata_destroy(metadata);
  rd_kafka_topic_destroy(handle);
  rd_kafka_assign(client, list);
  rd_kafka_topic_partition_list_destroy(list);
  Eventually([&] {
    rd_kafka_message_t* m = rd_kafka_consumer_poll(client, 100);
    if (m == nullptr) return out.size() >= count;
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      Message copy;
      copy.value.assign(static_cast<const char*>(m->payload), m->len);
      if (m->key != nullptr) copy.key.assign(static_cast<const char*>(m->key), m->key_len);
      copy.partition = m->partition;
      copy.offset = m->offset;
      rd_kafka_headers_t* headers = nullptr;
      if (rd_kafka_message_headers(m, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char* name = nullptr;
        const void* value = nullptr;
        std::size_t size = 0;
        for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) ==
                                RD_KAFKA_RESP_ERR_NO_ERROR;
             ++i)
          copy.headers.emplace_back(name, std::string(static_cast<const char*>(value), size));
      }
      out.push_back(std::move(copy));
    }
    rd_kafka_message_destroy(m);
    return out.size() >= count;
  });
  rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
  return out;
}

std::int64_t MockCluster::Committed(const char* group, const char* topic, std::int32_t partition) {
  rd_kafka_t* client = MakeClient(RD_KAFKA_CONSUMER, group);
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic, partition);
  const auto error = rd_kafka_committed(client, list, 60000);
  const std::int64_t offset = error != 0 ? -1 : list->elems[0].offset;
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_destroy(client);
  return offset;
}

}  // namespace millrace::agent::kafka
