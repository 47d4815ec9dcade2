#include "base/secret_words.h"

#include <algorithm>

namespace rehearse {
namespace {

constexpr std::string_view kNames[] = {"password",    "passwd",      "passphrase", "secret",
                                       "token",       "apikey",      "api-key",    "api_key",
                                       "private-key", "private_key", "credential", "authorization"};
constexpr std::string_view kPlaces[] = {"file", "path", "dir"};

}  // namespace

bool names_secret(std::string_view name) {
  const auto in = [name](std::string_view word) { return name.find(word) != std::string_view::npos; };
  const auto ends = [name](std::string_view word) { return name.ends_with(word); };
  return std::ranges::any_of(kNames, in) && std::ranges::none_of(kPlaces, ends);
}

TextRange url_password(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return {};
  const std::size_t start = scheme + 3;
  const std::size_t at = text.find_first_of("@/", start);
  if (at == std::string_view::npos || text[at] != '@') return {};
  const std::size_t colon = text.find(':', start);
  if (colon >= at) return {};
  return {.begin = colon + 1, .size = at - colon - 1};
}

}  // namespace rehearse
