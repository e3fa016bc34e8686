#include "exporters/node/collectors/nl80211.h"

#include <linux/genetlink.h>
#include <linux/nl80211.h>

namespace millrace::node {
namespace {

/// The SSID is the information element 0 of a beacon (IEEE 802.11, 9.4.2.2).
std::string SsidOf(std::string_view elements) {
  while (elements.size() >= 2) {
    const auto id = static_cast<unsigned char>(elements[0]);
    const auto size = static_cast<unsigned char>(elements[1]);
    if (std::size_t{size} + 2 > elements.size()) break;
    if (id == 0) return std::string(elements.substr(2, size));
    elements.remove_prefix(std::size_t{size} + 2);
  }
  return {};
}

double Bitrate(std::string_view attributes) {
  double value = 0;
  bool wide = false;
  EachAttribute(attributes, [&](unsigned type, std::string_view v) {
    if (type == NL80211_RATE_INFO_BITRATE32) {
      value = StructAt<std::uint32_t>(v);
      wide = true;
    }
    if (type == NL80211_RATE_INFO_BITRATE && !wide) value = StructAt<std::uint16_t>(v);
  });
  return value * 100'000;  // it counts 100 kbit/s
}

}  // namespace

std::string MacText(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    if (!out.empty()) out += ':';
    out += kHex[static_cast<unsigned char>(c) >> 4];
    out += kHex[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

WifiStation ParseWifiStation(std::string_view attributes) {
  WifiStation s;
  double rx64 = -1, tx64 = -1;
  EachAttribute(attributes, [&](unsigned type, std::string_view value) {
    if (type == NL80211_ATTR_MAC) s.mac = MacText(value);
    if (type != NL80211_ATTR_STA_INFO) return;
    EachAttribute(value, [&](unsigned info, std::string_view v) {
      const auto u32 = [&] { return static_cast<double>(StructAt<std::uint32_t>(v)); };
      switch (info) {
        case NL80211_STA_INFO_CONNECTED_TIME:
          s.connected_seconds = u32();
          break;
        case NL80211_STA_INFO_INACTIVE_TIME:
          s.inactive_seconds = u32() / 1000;
          break;
        case NL80211_STA_INFO_RX_BITRATE:
          s.receive_bits = Bitrate(v);
          break;
        case NL80211_STA_INFO_TX_BITRATE:
          s.transmit_bits = Bitrate(v);
          break;
        case NL80211_STA_INFO_RX_BYTES:
          s.receive_bytes = u32();
          break;
        case NL80211_STA_INFO_TX_BYTES:
          s.transmit_bytes = u32();
          break;
        case NL80211_STA_INFO_RX_BYTES64:
          rx64 = static_cast<double>(StructAt<std::uint64_t>(v));
          break;
        case NL80211_STA_INFO_TX_BYTES64:
          tx64 = static_cast<double>(StructAt<std::uint64_t>(v));
          break;
        case NL80211_STA_INFO_RX_PACKETS:
          s.receive_packets = u32();
          break;
        case NL80211_STA_INFO_TX_PACKETS:
          s.transmit_packets = u32();
          break;
        case NL80211_STA_INFO_SIGNAL:
          s.signal_dbm = StructAt<std::int8_t>(v);
          break;
        case NL80211_STA_INFO_TX_RETRIES:
          s.retries = u32();
          break;
        case NL80211_STA_INFO_TX_FAILED:
          s.failed = u32();
          break;
        case NL80211_STA_INFO_BEACON_LOSS:
          s.beacon_loss = u32();
          break;
        default:
          break;
      }
    });
  });
  if (rx64 >= 0) s.receive_bytes = rx64;
  if (tx64 >= 0) s.transmit_bytes = tx64;
  return s;
}

Status Nl80211::Resolve() {
  if (family_ != 0) return {};
  genlmsghdr header{};
  header.cmd = CTRL_CMD_GETFAMILY;
  header.version = 1;
  std::string payload(BytesOf(header));
  AppendAttribute(payload, CTRL_ATTR_FAMILY_NAME, std::string_view("nl80211", 8));
  // Without the module the kernel answers ENOENT: kNotFound.
  return socket_.Request(GENL_ID_CTRL, 0, payload, [this](std::uint16_t, std::string_view answer) {
    EachAttribute(answer.substr(std::min<std::size_t>(GENL_HDRLEN, answer.size())),
                  [this](unsigned type, std::string_view value) {
                    if (type == CTRL_ATTR_FAMILY_ID) family_ = StructAt<std::uint16_t>(value);
                  });
  });
}

Status Nl80211::Dump(std::uint8_t command, const WifiInterface* interface,
                     const std::function<void(std::string_view)>& visit) {
  MILLRACE_TRY(Resolve());
  genlmsghdr header{};
  header.cmd = command;
  std::string payload(BytesOf(header));
  if (interface != nullptr)
    AppendAttribute(payload, NL80211_ATTR_IFINDEX, BytesOf(interface->index));
  return socket_.Request(family_, NLM_F_DUMP, payload,
                         [&](std::uint16_t type, std::string_view answer) {
                           if (type == family_ && answer.size() >= GENL_HDRLEN)
                             visit(answer.substr(GENL_HDRLEN));
                         });
}

Result<std::vector<WifiInterface>> Nl80211::Interfaces() {
  std::vector<WifiInterface> found;
  MILLRACE_TRY(Dump(NL80211_CMD_GET_INTERFACE, nullptr, [&](std::string_view attributes) {
    WifiInterface i;
    EachAttribute(attributes, [&](unsigned type, std::string_view value) {
      if (type == NL80211_ATTR_IFNAME) i.name = value.substr(0, value.find('\0'));
      if (type == NL80211_ATTR_IFINDEX) i.index = StructAt<std::uint32_t>(value);
      if (type == NL80211_ATTR_WIPHY_FREQ) i.frequency_mhz = StructAt<std::uint32_t>(value);
    });
    found.push_back(std::move(i));
  }));
  return found;
}

Result<std::vector<WifiBss>> Nl80211::Bss(const WifiInterface& interface) {
  std::vector<WifiBss> found;
  MILLRACE_TRY(Dump(NL80211_CMD_GET_SCAN, &interface, [&](std::string_view attributes) {
    EachAttribute(attributes, [&](unsigned type, std::string_view value) {
      if (type != NL80211_ATTR_BSS) return;
      WifiBss bss;
      bool connected = false;
      EachAttribute(value, [&](unsigned inner, std::string_view v) {
        if (inner == NL80211_BSS_BSSID) bss.bssid = MacText(v);
        if (inner == NL80211_BSS_INFORMATION_ELEMENTS) bss.ssid = SsidOf(v);
        if (inner == NL80211_BSS_STATUS) {
          connected = true;
          bss.status = static_cast<int>(StructAt<std::uint32_t>(v));
        }
      });
      if (connected) found.push_back(std::move(bss));
    });
  }));
  return found;
}

Result<std::vector<WifiStation>> Nl80211::Stations(const WifiInterface& interface) {
  std::vector<WifiStation> found;
  MILLRACE_TRY(Dump(NL80211_CMD_GET_STATION, &interface, [&](std::string_view attributes) {
    found.push_back(ParseWifiStation(attributes));
  }));
  return found;
}

}  // namespace millrace::node
