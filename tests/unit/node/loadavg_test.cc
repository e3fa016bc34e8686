#include "tests/support/catch.h"
#include "tests/unit/node/tree.h"

using millrace::node::test::Collected;

TEST_CASE("loadavg: three averages") {
  CHECK(Collected("loadavg", {{"proc/loadavg", "0.21 1 15.5 1/231 4242\n"}}) ==
        "# TYPE node_load1 gauge\nnode_load1 0.21\n"
        "# TYPE node_load15 gauge\nnode_load15 15.5\n"
        "# TYPE node_load5 gauge\nnode_load5 1\n");
}

TEST_CASE("loadavg: bad input is an error, what was read before stays") {
  CHECK(Collected("loadavg", {{"proc/loadavg", "0.21 x"}}) ==
        "# TYPE node_load1 gauge\nnode_load1 0.21\nerror: proc/loadavg: bad load average x");
  CHECK(Collected("loadavg", {{"proc/loadavg", ""}}) == "error: proc/loadavg: bad load average ");
  CHECK(Collected("loadavg", {}) == "error: open proc/loadavg: No such file or directory");
}
