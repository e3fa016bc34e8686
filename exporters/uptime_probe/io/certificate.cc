#include "exporters/uptime_probe/io/certificate.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <memory>

#include <fmt/format.h>

namespace millrace::uptime_probe {
namespace {

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

/// RFC 2253: the last relative name first, types without a short name by their number.
std::string NameText(const X509_NAME* name) {
  std::string out;
  int previous_set = -1;
  for (int i = X509_NAME_entry_count(name) - 1; i >= 0; --i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    const int set = X509_NAME_ENTRY_set(entry);
    if (!out.empty()) out += set == previous_set ? '+' : ',';
    previous_set = set;
    const ASN1_OBJECT* object = X509_NAME_ENTRY_get_object(entry);
    const ASN1_STRING* data = X509_NAME_ENTRY_get_data(entry);
    const std::string_view short_name = ShortName(OBJ_obj2nid(object));
    if (short_name.empty()) {
      std::array<char, 128> oid{};
      OBJ_obj2txt(oid.data(), oid.size(), object, 1);
      out += oid.data();
      out += "=#";
      unsigned char* der = nullptr;
      ASN1_TYPE type{};
      type.type = ASN1_STRING_type(data);
      type.value.asn1_string = const_cast<ASN1_STRING*>(data);
      const int size = i2d_ASN1_TYPE(&type, &der);
      for (int k = 0; k < size; ++k) out += fmt::format("{:02x}", der[k]);
      OPENSSL_free(der);
      continue;
    }
    out += short_name;
    out += '=';
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, data);
    if (size >= 0)
      AppendEscaped(out, {reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size)});
    OPENSSL_free(utf8);
  }
  return out;
}

std::string DnsNames(const X509* leaf) {
  std::string out;
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr));
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
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
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
    for (unsigned i = 0; i < size; ++i) info.fingerprint_sha256 += fmt::format("{:02x}", digest[i]);
}

}  // namespace millrace::uptime_probe
