#include "exporters/uptime_probe/dns/names.h"

#include <array>
#include <utility>

namespace millrace::uptime_probe::dns {
namespace {

using Row = std::pair<std::uint16_t, std::string_view>;

constexpr Row kTypes[] = {
    {0, "None"},     {1, "A"},           {2, "NS"},          {3, "MD"},         {4, "MF"},
    {5, "CNAME"},    {6, "SOA"},         {7, "MB"},          {8, "MG"},         {9, "MR"},
    {10, "NULL"},    {12, "PTR"},        {13, "HINFO"},      {14, "MINFO"},     {15, "MX"},
    {16, "TXT"},     {17, "RP"},         {18, "AFSDB"},      {19, "X25"},       {20, "ISDN"},
    {21, "RT"},      {23, "NSAP-PTR"},   {24, "SIG"},        {25, "KEY"},       {26, "PX"},
    {27, "GPOS"},    {28, "AAAA"},       {29, "LOC"},        {30, "NXT"},       {31, "EID"},
    {32, "NIMLOC"},  {33, "SRV"},        {34, "ATMA"},       {35, "NAPTR"},     {36, "KX"},
    {37, "CERT"},    {39, "DNAME"},      {41, "OPT"},        {42, "APL"},       {43, "DS"},
    {44, "SSHFP"},   {45, "IPSECKEY"},   {46, "RRSIG"},      {47, "NSEC"},      {48, "DNSKEY"},
    {49, "DHCID"},   {50, "NSEC3"},      {51, "NSEC3PARAM"}, {52, "TLSA"},      {53, "SMIMEA"},
    {55, "HIP"},     {56, "NINFO"},      {57, "RKEY"},       {58, "TALINK"},    {59, "CDS"},
    {60, "CDNSKEY"}, {61, "OPENPGPKEY"}, {62, "CSYNC"},      {63, "ZONEMD"},    {64, "SVCB"},
    {65, "HTTPS"},   {99, "SPF"},        {100, "UINFO"},     {101, "UID"},      {102, "GID"},
    {103, "UNSPEC"}, {104, "NID"},       {105, "L32"},       {106, "L64"},      {107, "LP"},
    {108, "EUI48"},  {109, "EUI64"},     {128, "NXNAME"},    {249, "TKEY"},     {250, "TSIG"},
    {251, "IXFR"},   {252, "AXFR"},      {253, "MAILB"},     {254, "MAILA"},    {255, "ANY"},
    {256, "URI"},    {257, "CAA"},       {258, "AVC"},       {260, "AMTRELAY"}, {261, "RESINFO"},
    {32768, "TA"},   {32769, "DLV"},     {65535, "Reserved"}};

constexpr Row kClasses[] = {{1, "IN"}, {2, "CS"},     {3, "CH"},
                            {4, "HS"}, {254, "NONE"}, {255, "ANY"}};

constexpr Row kRcodes[] = {{0, "NOERROR"},  {1, "FORMERR"}, {2, "SERVFAIL"},  {3, "NXDOMAIN"},
                           {4, "NOTIMP"},   {5, "REFUSED"}, {6, "YXDOMAIN"},  {7, "YXRRSET"},
                           {8, "NXRRSET"},  {9, "NOTAUTH"}, {10, "NOTZONE"},  {11, "DSOTYPENI"},
                           {16, "BADSIG"},  {17, "BADKEY"}, {18, "BADTIME"},  {19, "BADMODE"},
                           {20, "BADNAME"}, {21, "BADALG"}, {22, "BADTRUNC"}, {23, "BADCOOKIE"}};

template <class Table>
std::optional<std::uint16_t> ByName(const Table& table, std::string_view name) {
  for (const auto& [number, text] : table)
    if (text == name) return number;
  return std::nullopt;
}

template <class Table>
std::string ByNumber(const Table& table, int number, const char* prefix) {
  for (const auto& [n, text] : table)
    if (n == number) return std::string(text);
  return prefix + std::to_string(number);
}

}  // namespace

std::optional<std::uint16_t> TypeByName(std::string_view name) { return ByName(kTypes, name); }
std::optional<std::uint16_t> ClassByName(std::string_view name) { return ByName(kClasses, name); }
std::optional<int> RcodeByName(std::string_view name) {
  const auto found = ByName(kRcodes, name);
  return found ? std::optional<int>(*found) : std::nullopt;
}
std::string TypeName(std::uint16_t type) { return ByNumber(kTypes, type, "TYPE"); }
std::string ClassName(std::uint16_t class_) { return ByNumber(kClasses, class_, "CLASS"); }
std::string RcodeName(int rcode) { return ByNumber(kRcodes, rcode, "RCODE"); }

}  // namespace millrace::uptime_probe::dns
