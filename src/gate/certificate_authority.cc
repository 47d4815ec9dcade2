#include "gate/certificate_authority.h"

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "base/ascii.h"
#include "base/escape.h"
#include "base/ip_address.h"
#include "gate/dns_name.h"

namespace rehearse::gate {
namespace {

constexpr std::int64_t kDay = 24 * 3600;
constexpr std::size_t kMostRun = 40;
constexpr std::size_t kMostCommonName = 64;  // RFC 5280, upper bounds
constexpr std::size_t kMostHostName = 253;

using UniqueExtension = std::unique_ptr<X509_EXTENSION, OpenSslFree<X509_EXTENSION_free>>;
using UniqueGeneralName = std::unique_ptr<GENERAL_NAME, OpenSslFree<GENERAL_NAME_free>>;
using UniqueGeneralNames = std::unique_ptr<GENERAL_NAMES, OpenSslFree<GENERAL_NAMES_free>>;

/// Who signs.
struct Issuer {
  X509* certificate;
  EVP_PKEY* key;
};
struct Subject {
  std::string organisation;
  std::string common_name;  ///< none if empty
};
struct Extension {
  int nid;
  const char* value;
};

/// The name as certificates have it: lower case, without the dot at the end. Nothing if it is no host name;
/// underscores are common in those that are not public.
std::optional<std::string> host_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > kMostHostName || !DnsName::parse(name)) return std::nullopt;
  std::string lower = ascii_lower(name);
  const bool plain = std::ranges::all_of(lower, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
  return plain ? std::optional(std::move(lower)) : std::nullopt;
}

bool set_entry(X509_NAME* name, const char* field, const std::string& value) {
  return value.empty() || X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                                     reinterpret_cast<const unsigned char*>(value.data()),
                                                     static_cast<int>(value.size()), -1, 0) == 1;
}

/// 127 random bits (RFC 5280 4.1.2.2: positive, at most 20 octets): two certificates of one authority never
/// have the same.
bool set_serial(X509* certificate) {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7fU) | 0x40U);
  const std::unique_ptr<BIGNUM, OpenSslFree<BN_free>> number(BN_bin2bn(bytes.data(), bytes.size(), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_alternative_name(X509* certificate, const std::string& name) {
  const UniqueGeneralNames names(GENERAL_NAMES_new());
  UniqueGeneralName one(GENERAL_NAME_new());
  std::unique_ptr<ASN1_STRING, OpenSslFree<ASN1_STRING_free>> value;
  std::string_view bytes = name;
  const auto address = parse_ip(name);
  if (address) {
    bytes = {reinterpret_cast<const char*>(address->bytes.data()), address->bytes.size()};
    if (address->is_v4()) bytes.remove_prefix(12);
  }
  value.reset(ASN1_STRING_type_new(address ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING));
  if (!names || !one || !value ||
      ASN1_STRING_set(value.get(), bytes.data(), static_cast<int>(bytes.size())) != 1)
    return false;
  GENERAL_NAME_set0_value(one.get(), address ? GEN_IPADD : GEN_DNS, value.release());
  if (sk_GENERAL_NAME_push(names.get(), one.get()) <= 0) return false;
  (void)one.release();
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1;
}

bool set_extensions(X509* certificate, X509* issuer, std::span<const Extension> extensions) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  return std::ranges::all_of(extensions, [&](const Extension& extension) {
    const UniqueExtension made(X509V3_EXT_conf_nid(nullptr, &context, extension.nid, extension.value));
    return made && X509_add_ext(certificate, made.get(), -1) == 1;
  });
}

/// Everything that certificates of an authority and of a server have in common. `issuer` without a
/// certificate: it signs itself.
UniqueCertificate begin_certificate(const Subject& subject, const Issuer& issuer, EVP_PKEY* key,
                                    std::int64_t now) {
  UniqueCertificate certificate(X509_new());
  X509* const raw = certificate.get();
  if (raw == nullptr) return nullptr;
  X509* const signer = issuer.certificate == nullptr ? raw : issuer.certificate;
  X509_NAME* const name = X509_get_subject_name(raw);
  const bool made =
      X509_set_version(raw, X509_VERSION_3) == 1 && set_serial(raw) &&
      ASN1_TIME_set(X509_getm_notBefore(raw), now - kDay) != nullptr &&
      ASN1_TIME_set(X509_getm_notAfter(raw), now + CertificateAuthority::kValiditySeconds) != nullptr &&
      set_entry(name, "O", subject.organisation) && set_entry(name, "CN", subject.common_name) &&
      X509_set_issuer_name(raw, X509_get_subject_name(signer)) == 1 && X509_set_pubkey(raw, key) == 1;
  return made ? std::move(certificate) : nullptr;
}

std::string to_pem(X509* certificate) {
  const UniqueBio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1) return {};
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

}  // namespace

Result<CertificateAuthority> CertificateAuthority::create(std::string_view run, std::int64_t now_ns) {
  constexpr Extension kExtensions[] = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                                       {NID_key_usage, "critical,keyCertSign,cRLSign"},
                                       {NID_subject_key_identifier, "hash"}};
  if (run.size() > kMostRun || !is_utf8(run)) return fail("a run id is too long for a certificate");
  init_openssl();
  CertificateAuthority authority;
  authority.run_ = run;
  authority.now_ = now_ns / 1'000'000'000;
  authority.key_.reset(EVP_EC_gen("P-256"));
  authority.leaf_key_.reset(EVP_EC_gen("P-256"));
  if (!authority.key_ || !authority.leaf_key_)
    return openssl_error("cannot make a key for the run's authority");
  const Subject subject = {"rehearse (trusted in one rehearsal only)",
                           fmt::format("rehearse CA of run {}", run)};
  const Issuer self = {nullptr, authority.key_.get()};
  authority.certificate_ = begin_certificate(subject, self, authority.key_.get(), authority.now_);
  X509* const raw = authority.certificate_.get();
  if (raw == nullptr || !set_extensions(raw, raw, kExtensions) || X509_sign(raw, self.key, EVP_sha256()) == 0)
    return openssl_error("cannot make the certificate of the run's authority");
  authority.pem_ = to_pem(raw);
  if (authority.pem_.empty()) return openssl_error("cannot write the certificate of the run's authority");
  return authority;
}

Result<X509*> CertificateAuthority::leaf(std::string_view name) {
  constexpr Extension kExtensions[] = {{NID_basic_constraints, "critical,CA:FALSE"},
                                       {NID_key_usage, "critical,digitalSignature"},
                                       {NID_ext_key_usage, "serverAuth"},
                                       {NID_subject_key_identifier, "hash"},
                                       {NID_authority_key_identifier, "keyid:always"}};
  const auto address = parse_ip(name);
  const auto host = address ? format_ip(*address) : host_name(name);
  if (!host) return fail(fmt::format("\"{}\" is no name that a server can have", name), ExitCode::kDataError);
  if (const auto found = leaves_.find(*host); found != leaves_.end()) return found->second.get();
  const Subject subject = {fmt::format("rehearse run {}", run_),
                           host->size() <= kMostCommonName ? *host : ""};
  const Issuer issuer = {certificate_.get(), key_.get()};
  UniqueCertificate made = begin_certificate(subject, issuer, leaf_key_.get(), now_);
  if (!made || !set_extensions(made.get(), issuer.certificate, kExtensions) ||
      !set_alternative_name(made.get(), *host) || X509_sign(made.get(), issuer.key, EVP_sha256()) == 0)
    return openssl_error(fmt::format("cannot make a certificate of {}", *host));
  if (leaves_.size() >= kMostLeaves) leaves_.clear();
  return leaves_.emplace(*host, std::move(made)).first->second.get();
}

}  // namespace rehearse::gate
