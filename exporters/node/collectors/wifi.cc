#include "common/base/strings.h"
#include "exporters/node/attributes.h"
#include "exporters/node/collectors/nl80211.h"
#include "exporters/node/json_fixture.h"

namespace millrace::node {
namespace {

struct Column {
  Metric metric;
  double WifiStation::* value;
};
constexpr Column kColumns[] = {
    {{"node_wifi_station_connected_seconds_total", kCounter, "Time a station has been connected."},
     &WifiStation::connected_seconds},
    {{"node_wifi_station_inactive_seconds", kGauge, "Time since a station was last active."},
     &WifiStation::inactive_seconds},
    {{"node_wifi_station_receive_bits_per_second", kGauge, "Bit rate of receiving."},
     &WifiStation::receive_bits},
    {{"node_wifi_station_transmit_bits_per_second", kGauge, "Bit rate of sending."},
     &WifiStation::transmit_bits},
    {{"node_wifi_station_receive_bytes_total", kCounter, "Bytes received."},
     &WifiStation::receive_bytes},
    {{"node_wifi_station_transmit_bytes_total", kCounter, "Bytes sent."},
     &WifiStation::transmit_bytes},
    {{"node_wifi_station_signal_dbm", kGauge, "Strength of the signal."}, &WifiStation::signal_dbm},
    {{"node_wifi_station_transmit_retries_total", kCounter, "Packets sent again."},
     &WifiStation::retries},
    {{"node_wifi_station_transmit_failed_total", kCounter, "Packets that could not be sent."},
     &WifiStation::failed},
    {{"node_wifi_station_beacon_loss_total", kCounter, "Beacons lost."}, &WifiStation::beacon_loss},
    {{"node_wifi_station_transmitted_packets_total", kCounter, "Packets sent."},
     &WifiStation::transmit_packets},
    {{"node_wifi_station_received_packets_total", kCounter, "Packets received."},
     &WifiStation::receive_packets},
};

std::string_view Mode(int status) {
  return status == 0 || status == 1 ? "client" : status == 2 ? "ad-hoc" : "unknown";
}

void EmitBss(std::string_view device, const WifiBss& bss, MetricWriter& out) {
  Emit(out, {"node_wifi_station_info", kGauge, "Always 1; the network an interface is in."},
       {{"bssid", bss.bssid}, {"device", device}, {"mode", Mode(bss.status)}, {"ssid", bss.ssid}},
       1);
}

void EmitStation(std::string_view device, const WifiStation& station, MetricWriter& out) {
  for (const Column& c : kColumns)
    Emit(out, c.metric, {{"device", device}, {"mac_address", station.mac}}, station.*c.value);
}

void EmitFrequency(std::string_view device, double mhz, MetricWriter& out) {
  Emit(out, {"node_wifi_interface_frequency_hertz", kGauge, "Frequency of an interface."},
       {{"device", device}}, mhz * 1000 * 1000);
}

std::string MacOf(const JsonObject& o, std::string_view key) {
  return MacText(Base64Decode(TextOf(o, key)).value_or(""));
}

class Wifi : public Collector {
 public:
  explicit Wifi(const Context& context)
      : fixtures_(context.flags.GetText("collector.wifi.fixtures")) {}

  Status Collect(MetricWriter& out) override {
    if (!fixtures_.empty()) return CollectFixtures(out);
    auto interfaces = client_.Interfaces();
    if (!interfaces) {
      if (interfaces.error().code == ErrorCode::kPermission)
        return NoData(interfaces.error().message);
      return tl::unexpected(interfaces.error());
    }
    for (const WifiInterface& i : *interfaces) {
      if (i.name.empty()) continue;  // virtual devices such as P2P
      EmitFrequency(i.name, i.frequency_mhz, out);
      MILLRACE_ASSIGN(const auto networks, client_.Bss(i));
      if (!networks.empty()) EmitBss(i.name, networks.front(), out);
      MILLRACE_ASSIGN(const auto stations, client_.Stations(i));
      for (const WifiStation& s : stations) EmitStation(i.name, s, out);
    }
    return {};
  }

 private:
  Status CollectFixtures(MetricWriter& out) {
    MILLRACE_ASSIGN(const auto interfaces, ReadJsonObjects(fixtures_ + "/interfaces.json"));
    for (const JsonObject& i : interfaces) {
      const std::string device(TextOf(i, "name"));
      if (device.empty()) continue;
      EmitFrequency(device, NumberOf(i, "frequency"), out);
      const std::string directory = fixtures_ + "/" + device;
      if (const auto bss = ReadJsonObjects(directory + "/bss.json"); bss && !bss->empty())
        EmitBss(device,
                {std::string(TextOf(bss->front(), "ssid")), MacOf(bss->front(), "bssid"),
                 static_cast<int>(NumberOf(bss->front(), "status"))},
                out);
      const auto stations = ReadJsonObjects(directory + "/stationinfo.json");
      if (!stations) continue;
      for (const JsonObject& o : *stations) {
        WifiStation s;
        s.mac = MacOf(o, "hardwareaddr");
        s.connected_seconds = NumberOf(o, "connected") / 1e9;
        s.inactive_seconds = NumberOf(o, "inactive") / 1e9;
        s.receive_bits = NumberOf(o, "receivebitrate");
        s.transmit_bits = NumberOf(o, "transmitbitrate");
        s.receive_bytes = NumberOf(o, "receivedbytes");
        s.transmit_bytes = NumberOf(o, "transmittedbytes");
        s.receive_packets = NumberOf(o, "receivedpackets");
        s.transmit_packets = NumberOf(o, "transmittedpackets");
        s.signal_dbm = NumberOf(o, "signal");
        s.retries = NumberOf(o, "transmitretries");
        s.failed = NumberOf(o, "transmitfailed");
        s.beacon_loss = NumberOf(o, "beaconloss");
        EmitStation(device, s, out);
      }
    }
    return {};
  }

  const std::string fixtures_;
  Nl80211 client_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.wifi.fixtures", "", "Directory with interfaces.json, for tests.");
}

}  // namespace

MILLRACE_COLLECTOR(Wifi) = {"wifi", false, "Wireless interfaces and stations", &Declare,
                            &MakeCollector<Wifi>};

}  // namespace millrace::node
