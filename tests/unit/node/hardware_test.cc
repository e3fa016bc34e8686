#include "tests/support/catch.h"
#include "tests/unit/node/tree.h"

using millrace::node::test::Collected;
using millrace::node::test::Files;
using millrace::node::test::HasLine;

TEST_CASE("dmi: labels of readable files") {
  CHECK(Collected("dmi", {{"sys/class/dmi/id/bios_date", "04/12/2021\n"},
                          {"sys/class/dmi/id/sys_vendor", "Maker \xff\n"}}) ==
        "# TYPE node_dmi_info gauge\nnode_dmi_info{bios_date=\"04/12/2021\",system_vendor=\"Maker "
        "\xEF\xBF\xBD\"} 1\n");
  CHECK(Collected("dmi", {}) == "error: no DMI tables");
}

TEST_CASE("edac: controllers, rows, channels") {
  const std::string dir = "sys/devices/system/edac/mc/mc0/";
  const std::string text =
      Collected("edac", {{dir + "ce_count", "1\n"},
                         {dir + "ce_noinfo_count", "2\n"},
                         {dir + "ue_count", "5\n"},
                         {dir + "ue_noinfo_count", "6\n"},
                         {dir + "csrow0/ce_count", "3\n"},
                         {dir + "csrow0/ue_count", "4\n"},
                         {dir + "csrow0/ch1_ce_count", "7\n"},
                         {dir + "csrow0/ch1_dimm_label", "CPU_SrcID#0_csrow0\n"}});
  CHECK(HasLine(text, R"(node_edac_correctable_errors_total{controller="0"} 1)"));
  CHECK(HasLine(text,
                R"(node_edac_csrow_uncorrectable_errors_total{controller="0",csrow="unknown"} 6)"));
  CHECK(HasLine(
      text,
      R"(node_edac_channel_correctable_errors_total{channel="1",controller="0",csrow="0",dimm_label="CPU_SrcID0__csrow0"} 7)"));
}

TEST_CASE("hwmon: units, labels, names of chips") {
  const std::string dir = "sys/class/hwmon/hwmon0/";
  const Files files = {{dir + "name", "coretemp\n"},          {dir + "temp1_input", "55000\n"},
                       {dir + "temp1_label", "Core 0\n"},     {dir + "temp1_crit_alarm", "0\n"},
                       {dir + "in0_input", "1200\n"},         {dir + "fan1_input", "1098\n"},
                       {dir + "power1_average", "5000000\n"}, {dir + "pwm1", "128\n"}};
  const std::string text = Collected("hwmon", files);
  CHECK(HasLine(text, R"(node_hwmon_chip_names{chip="coretemp",chip_name="coretemp"} 1)"));
  CHECK(HasLine(text, R"(node_hwmon_temp_celsius{chip="coretemp",sensor="temp1"} 55)"));
  CHECK(HasLine(text, R"(node_hwmon_temp_crit_alarm_celsius{chip="coretemp",sensor="temp1"} 0)"));
  CHECK(
      HasLine(text, R"(node_hwmon_sensor_label{chip="coretemp",label="Core 0",sensor="temp1"} 1)"));
  CHECK(HasLine(text, R"(node_hwmon_in_volts{chip="coretemp",sensor="in0"} 1.2)"));
  CHECK(HasLine(text, R"(node_hwmon_fan_rpm{chip="coretemp",sensor="fan1"} 1098)"));
  CHECK(HasLine(text, R"(node_hwmon_power_average_watt{chip="coretemp",sensor="power1"} 5)"));
  CHECK(HasLine(text, R"(node_hwmon_pwm{chip="coretemp",sensor="pwm1"} 128)"));
  CHECK(Collected("hwmon", files, {"--collector.hwmon.sensor-exclude=^coretemp;temp1$"})
            .find("temp1") == std::string::npos);
  CHECK(Collected("hwmon", files, {"--collector.hwmon.chip-include=other"}).empty());
}

TEST_CASE("hwmon: two chips of one device have names of their own") {
  const std::string text =
      Collected("hwmon", {{"sys/class/hwmon/hwmon0/name", "asus\n"},
                          {"sys/class/hwmon/hwmon0/device", "-> ../../../devices/platform/dev"},
                          {"sys/class/hwmon/hwmon1/name", "wmi\n"},
                          {"sys/class/hwmon/hwmon1/device", "-> ../../../devices/platform/dev"},
                          {"sys/devices/platform/dev/", ""}});
  CHECK(HasLine(text, R"(node_hwmon_chip_names{chip="platform_dev_asus",chip_name="asus"} 1)"));
  CHECK(HasLine(text, R"(node_hwmon_chip_names{chip="platform_dev_wmi",chip_name="wmi"} 1)"));
}

TEST_CASE("powersupplyclass: units and labels") {
  const std::string dir = "sys/class/power_supply/BAT0/";
  const std::string text = Collected("powersupplyclass", {{dir + "capacity", "81\n"},
                                                          {dir + "voltage_now", "12229000\n"},
                                                          {dir + "temp", "305\n"},
                                                          {dir + "status", "Discharging\n"},
                                                          {dir + "type", "Battery\n"}});
  CHECK(HasLine(text, R"(node_power_supply_capacity{power_supply="BAT0"} 81)"));
  CHECK(HasLine(text, R"(node_power_supply_voltage_volt{power_supply="BAT0"} 12.229)"));
  CHECK(HasLine(text, R"(node_power_supply_temp_celsius{power_supply="BAT0"} 30.5)"));
  CHECK(HasLine(
      text,
      R"(node_power_supply_info{power_supply="BAT0",status="Discharging",type="Battery"} 1)"));
}

TEST_CASE("rapl: number in the name, or by order") {
  const std::string dir = "sys/class/powercap/";
  const Files files = {{dir + "intel-rapl:0/name", "package-7\n"},
                       {dir + "intel-rapl:0/energy_uj", "240422366267\n"},
                       {dir + "intel-rapl:0:1/name", "dram\n"},
                       {dir + "intel-rapl:0:1/energy_uj", "1000000\n"},
                       {dir + "intel-rapl/enabled", "1\n"}};
  const std::string text = Collected("rapl", files);
  CHECK(text.find("node_rapl_package_joules_total{index=\"7\",path=\"") != std::string::npos);
  CHECK(text.find("node_rapl_dram_joules_total{index=\"0\"") != std::string::npos);
  CHECK(Collected("rapl", files, {"--collector.rapl.enable-zone-label"})
            .find("rapl_zone=\"dram\"} 1\n") != std::string::npos);
}

TEST_CASE("thermal_zone: millidegrees, cooling devices") {
  const std::string dir = "sys/class/thermal/";
  const std::string text = Collected("thermal_zone", {{dir + "thermal_zone0/type", "cpu-thermal\n"},
                                                      {dir + "thermal_zone0/temp", "12376\n"},
                                                      {dir + "cooling_device0/type", "Processor\n"},
                                                      {dir + "cooling_device0/max_state", "50\n"},
                                                      {dir + "cooling_device0/cur_state", "0\n"}});
  CHECK(HasLine(text, R"(node_thermal_zone_temp{type="cpu-thermal",zone="0"} 12.376)"));
  CHECK(HasLine(text, R"(node_cooling_device_max_state{name="0",type="Processor"} 50)"));
}
