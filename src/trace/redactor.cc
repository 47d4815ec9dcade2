#include "trace/redactor.h"

#include <algorithm>
#include <string_view>

namespace rehearse::trace {
namespace {

constexpr std::size_t kLongestName = 256;
constexpr std::string_view kNames[] = {"password",    "passwd",      "passphrase", "secret",
                                       "token",       "apikey",      "api-key",    "api_key",
                                       "private-key", "private_key", "credential", "authorization"};
constexpr std::string_view kPlaces[] = {"file", "path", "dir"};

bool is_secret(std::string_view name) {
  const auto in = [name](std::string_view word) { return name.find(word) != std::string_view::npos; };
  const auto ends = [name](std::string_view word) { return name.ends_with(word); };
  return std::ranges::any_of(kNames, in) && std::ranges::none_of(kPlaces, ends);
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// The password of scheme://user:password@host, within one word.
bool mask_url(char* word, std::size_t size) {
  const std::string_view text(word, size);
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::size_t start = scheme + 3;
  const std::size_t at = text.find_first_of("@/", start);
  if (at == std::string_view::npos || text[at] != '@') return false;
  const std::size_t colon = text.find(':', start);
  if (colon >= at) return false;
  std::fill(word + colon + 1, word + at, '*');
  return at > colon + 1;
}

}  // namespace

bool Redactor::take(State& state, char* bytes, std::size_t size) {
  bool masked = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const char c = bytes[i];
    if (c == '\0') {
      masked = mask_url(bytes + begin, i - begin) || masked;
      // An option by itself: its value is the next word.
      const bool option = state.word.size() > 1 && state.word[0] == '-' && !state.masking;
      state.masking = option && state.word.find('=') == std::string::npos && is_secret(state.word);
      state.word.clear();
      begin = i + 1;
      continue;
    }
    if (state.masking) {
      bytes[i] = '*';
      masked = true;
      continue;
    }
    if (state.word.size() >= kLongestName) continue;
    if ((c == '=' || c == ':') && is_secret(state.word)) state.masking = true;
    state.word += lower(c);
  }
  return masked;
}

void Redactor::redact(struct rh_head& head) {
  if (head.kind != RH_ARGV || head.size < sizeof(struct rh_chunk)) return;
  auto& chunk = reinterpret_cast<struct rh_chunk&>(head);
  if (head.nr == 0) states_.erase(head.tid);  // the beginning of a list
  if (chunk.flags != 0 || chunk.length > head.size - sizeof chunk) return;
  State& state = states_[head.tid];
  if (take(state, reinterpret_cast<char*>(&chunk + 1), chunk.length)) chunk.flags |= RH_REDACTED;
  // A list that ends here leaves nothing behind.
  if (chunk.length < RH_CHUNK_BYTES) states_.erase(head.tid);
}

}  // namespace rehearse::trace
