#include "gate/openssl.h"

#include <fmt/format.h>
#include <openssl/err.h>

namespace rehearse::gate {

void init_openssl() {
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
}

std::string take_openssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return {};
  const char* const reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("OpenSSL error {:x}", code);
}

tl::unexpected<Error> openssl_error(std::string_view what) {
  const std::string reason = take_openssl_error();
  return fail(fmt::format("{}: {}", what, reason.empty() ? "OpenSSL does not say why" : reason));
}

}  // namespace rehearse::gate
