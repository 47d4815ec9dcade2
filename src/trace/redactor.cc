#include "trace/redactor.h"

#include <algorithm>
#include <string_view>

#include "base/ascii.h"
#include "base/secret_words.h"

namespace rehearse::trace {
namespace {

constexpr std::size_t kLongestName = 256;

/// The password of a URL within one word.
bool mask_url(char* word, std::size_t size) {
  const TextRange password = url_password({word, size});
  std::fill_n(word + password.begin, password.size, '*');
  return password.size > 0;
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
      state.masking = option && state.word.find('=') == std::string::npos && names_secret(state.word);
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
    if ((c == '=' || c == ':') && names_secret(state.word)) state.masking = true;
    state.word += ascii_lower(c);
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
