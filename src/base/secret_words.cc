#include "base/secret_words.h"

#include <algorithm>

#include "base/ascii.h"

namespace rehearse {
namespace {

constexpr std::string_view kNames[] = {"password",    "passwd",      "passphrase", "secret",
                                       "token",       "apikey",      "api-key",    "api_key",
                                       "private-key", "private_key", "credential", "authorization"};
constexpr std::string_view kPlaces[] = {"file", "path", "dir"};
constexpr std::size_t kLongestName = 256;

/// The password of a URL within one word.
bool mask_url(char* word, std::size_t size) {
  const TextRange password = url_password({word, size});
  std::fill_n(word + password.begin, password.size, '*');
  return password.size > 0;
}

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

bool WordMask::take(char* bytes, std::size_t size) {
  bool masked = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const char c = bytes[i];
    if (c == '\0') {
      masked = mask_url(bytes + begin, i - begin) || masked;
      // An option by itself: its value is the next word.
      const bool option = word_.size() > 1 && word_[0] == '-' && !masking_;
      masking_ = option && word_.find('=') == std::string::npos && names_secret(word_);
      word_.clear();
      begin = i + 1;
      continue;
    }
    if (masking_) {
      bytes[i] = '*';
      masked = true;
      continue;
    }
    if (word_.size() >= kLongestName) continue;
    if ((c == '=' || c == ':') && names_secret(word_)) masking_ = true;
    word_ += ascii_lower(c);
  }
  return masked;
}

bool mask_words(std::vector<std::string>& words) {
  WordMask mask;
  bool masked = false;
  for (std::string& word : words) masked = mask.take(word.data(), word.size() + 1) || masked;
  return masked;
}

}  // namespace rehearse
