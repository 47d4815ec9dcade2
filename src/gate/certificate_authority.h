// The authority of one run: it certifies the names under which services are mocked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gate/openssl.h"

namespace rehearse::gate {

/// A key and a certificate that are made for a run, and trusted by its clone of the host and by nobody else.
/// The private keys (P-256) are never written anywhere. Not thread safe.
class CertificateAuthority {
 public:
  /// All certificates are valid from a day before they are made, for clients whose clock is behind, to this
  /// long after it.
  static constexpr std::int64_t kValiditySeconds = std::int64_t{7} * 24 * 3600;
  /// Certificates kept; the action chooses names, so they have to end somewhere. Then all are made anew.
  static constexpr std::size_t kMostLeaves = 1024;

  /// `run` is the run's id, at most 40 characters; `now_ns` since the epoch.
  static Result<CertificateAuthority> create(std::string_view run, std::int64_t now_ns);

  /// The authority's certificate, for trust stores.
  [[nodiscard]] const std::string& pem() const { return pem_; }
  [[nodiscard]] X509* certificate() const { return certificate_.get(); }

  /// The certificate of `name`, a host name or an address, for a server; the same as long as it is kept. The
  /// pointer is valid until the next call. kDataError for what is neither.
  Result<X509*> leaf(std::string_view name);
  /// Of all certificates of leaf().
  [[nodiscard]] EVP_PKEY* leaf_key() const { return leaf_key_.get(); }

 private:
  CertificateAuthority() = default;

  std::string run_;
  std::int64_t now_ = 0;  ///< seconds since the epoch
  UniqueKey key_;
  UniqueCertificate certificate_;
  std::string pem_;
  UniqueKey leaf_key_;
  std::map<std::string, UniqueCertificate, std::less<>> leaves_;
};

}  // namespace rehearse::gate
