#include "exporters/uptime_probe/io/certificate.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>

#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/x509v3.h>

namespace millrace::uptime_probe {
namespace {

std::string Hex(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::int64_t Seconds(const ASN1_TIME* time) {
  std::tm tm{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &tm) != 1) return kGoZeroTime;
  return ::timegm(&tm);
}

std::string_view ShortName(int nid) {
  switch (nid) {
    case NID_commonName:
      return "CN";
    case NID_serialNumber:
      return "SERIALNUMBER";
    case NID_countryName:
      return "C";
    case NID_localityName:
      return "L";
    case NID_stateOrProvinceName:
      return "ST";
    case NID_streetAddress:
      return "STREET";
    case NID_organizationName:
      return "O";
    case NID_organizationalUnitName:
      return "OU";
    case NID_postalCode:
      return "POSTALCODE";
    default:
      return "";
  }
}

/// RFC 2253 2.4
void AppendEscaped(std::string& out, std::string_view value) {
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const bool special = std::string_view(",+\"\\<>;").find(c) != std::string_view::npos;
    const bool edge = (i == 0 && (c == ' ' || c == '#')) || (i + 1 == value.size() && c == ' ');
    if (special || edge) out += '\\';
    out += c;
  }
}

std::string Utf8(const ASN1_STRING* data) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, data);
  std::string out;
  if (size >= 0) out.assign(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return out;
}

/// The DER of a string as Go encodes one: PrintableString where its letters suffice.
std::string HexOfString(const std::string& text) {
  const bool printable =
      text.find_first_not_of(
          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?") ==
      std::string::npos;
  std::string der(1, static_cast<char>(printable ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING));
  if (text.size() < 128) {
    der += static_cast<char>(text.size());
  } else {
    std::string length;
    for (std::size_t n = text.size(); n > 0; n >>= 8)
      length.insert(length.begin(), static_cast<char>(n));
    der += static_cast<char>(0x80 | length.size());
    der += length;
  }
  der += text;
  return Hex(der);
}

/// Roughly RFC 2253, in the one order in which Go prints names whatever that of the certificate:
/// the attributes it knows, then the others by number. Several values of one attribute are joined
/// with "+"; of common name and serial number the last one counts.
std::string NameText(const X509_NAME* name) {
  static constexpr std::array<int, 9> kOrder = {
      NID_serialNumber,     NID_commonName,          NID_organizationalUnitName,
      NID_organizationName, NID_postalCode,          NID_streetAddress,
      NID_localityName,     NID_stateOrProvinceName, NID_countryName};
  std::array<std::string, kOrder.size()> known;
  std::string others;
  for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    const ASN1_OBJECT* object = X509_NAME_ENTRY_get_object(entry);
    const std::string value = Utf8(X509_NAME_ENTRY_get_data(entry));
    const int nid = OBJ_obj2nid(object);
    const auto at =
        static_cast<std::size_t>(std::find(kOrder.begin(), kOrder.end(), nid) - kOrder.begin());
    if (at == kOrder.size()) {
      std::array<char, 128> oid{};
      OBJ_obj2txt(oid.data(), oid.size(), object, 1);
      others = std::string(oid.data()) + "=#" + HexOfString(value) +
               (others.empty() ? "" : "," + others);
      continue;
    }
    std::string& text = known[at];
    if (nid == NID_serialNumber || nid == NID_commonName) text.clear();
    if (!text.empty()) text += '+';
    text += ShortName(nid);
    text += '=';
    AppendEscaped(text, value);
  }
  std::string out;
  for (const auto* parts = known.begin(); parts != known.end(); ++parts) {
    if (parts->empty()) continue;
    if (!out.empty()) out += ',';
    out += *parts;
  }
  if (!others.empty()) out += (out.empty() ? "" : ",") + others;
  return out;
}

std::string DnsNames(const X509* leaf) {
  std::string out;
  auto* names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS) continue;
    if (!out.empty()) out += ',';
    out.append(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
               static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  GENERAL_NAMES_free(names);
  return out;
}

std::string Serial(const X509* leaf) {
  const ASN1_INTEGER* number = X509_get0_serialNumber(leaf);
  std::unique_ptr<BIGNUM, void (*)(BIGNUM*)> big(ASN1_INTEGER_to_BN(number, nullptr), &BN_free);
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(big.get())), '\0');
  BN_bn2bin(big.get(), reinterpret_cast<unsigned char*>(bytes.data()));
  return Hex(bytes);
}

}  // namespace

std::int64_t EarliestExpiry(const STACK_OF(X509) * chain) {
  std::int64_t earliest = kGoZeroTime;
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    const std::int64_t t = Seconds(X509_get0_notAfter(sk_X509_value(chain, i)));
    if (earliest == kGoZeroTime || t < earliest) earliest = t;
  }
  return earliest;
}

void DescribeCertificates(const STACK_OF(X509) * chain, TlsInfo& info) {
  if (sk_X509_num(chain) <= 0) return;
  X509* leaf = sk_X509_value(chain, 0);
  info.certificate = true;
  info.earliest_expiry = EarliestExpiry(chain);
  info.not_before = Seconds(X509_get0_notBefore(leaf));
  info.subject = NameText(X509_get_subject_name(leaf));
  info.issuer = NameText(X509_get_issuer_name(leaf));
  info.dns_names = DnsNames(leaf);
  info.serial = Serial(leaf);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  info.fingerprint_sha256.clear();
  if (X509_digest(leaf, EVP_sha256(), digest.data(), &size) == 1)
    info.fingerprint_sha256 = Hex({reinterpret_cast<const char*>(digest.data()), size});
}

}  // namespace millrace::uptime_probe
