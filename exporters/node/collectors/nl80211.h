#pragma once
// Wireless interfaces, their access point and their stations, over nl80211.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "exporters/node/netlink_socket.h"

namespace millrace::node {

struct WifiInterface {
  std::string name;
  std::uint32_t index = 0;
  double frequency_mhz = 0;
};
struct WifiBss {
  std::string ssid, bssid;
  int status = 0;  ///< enum nl80211_bss_status: 0 authenticated, 1 associated, 2 ad hoc.
};
struct WifiStation {
  std::string mac;
  double connected_seconds = 0, inactive_seconds = 0;
  double receive_bits = 0, transmit_bits = 0, receive_bytes = 0, transmit_bytes = 0;
  double receive_packets = 0, transmit_packets = 0;
  double signal_dbm = 0, retries = 0, failed = 0, beacon_loss = 0;
};

/// Not thread safe. kNotFound when the kernel has no wireless subsystem.
class Nl80211 {
 public:
  [[nodiscard]] Result<std::vector<WifiInterface>> Interfaces();
  /// The one the interface is connected to; none: empty.
  [[nodiscard]] Result<std::vector<WifiBss>> Bss(const WifiInterface& interface);
  [[nodiscard]] Result<std::vector<WifiStation>> Stations(const WifiInterface& interface);

 private:
  [[nodiscard]] Status Resolve();
  [[nodiscard]] Status Dump(std::uint8_t command, const WifiInterface* interface,
                            const std::function<void(std::string_view attributes)>& visit);
  NetlinkSocket socket_{NETLINK_GENERIC};
  std::uint16_t family_ = 0;
};

/// One answer of NL80211_CMD_GET_STATION.
[[nodiscard]] WifiStation ParseWifiStation(std::string_view attributes);
/// "aa:bb:cc:dd:ee:ff"
[[nodiscard]] std::string MacText(std::string_view bytes);

}  // namespace millrace::node
