#include "gate/request_guess.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "gate/http_message.h"

namespace rehearse::gate {
namespace {

/// Longer ones are seldom methods: the text is watched, not waited for.
constexpr std::size_t kLongestMethod = 20;
/// No server is known to read a longer line.
constexpr std::size_t kLongestLine = std::size_t{16} << 20U;
/// Between words, for the most lenient: Python's str.split() of Latin-1. A line ends at LF.
constexpr std::string_view kBlanks = " \t\v\f\r\x1c\x1d\x1e\x1f\x85\xa0";
constexpr std::string_view kBlanksAndEnds = " \t\v\f\r\n\x1c\x1d\x1e\x1f\x85\xa0";
constexpr std::string_view kVersion = "HTTP/";
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // RFC 9113 3.4
constexpr std::array<std::string_view, 9> kMethods = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                      "CONNECT", "OPTIONS", "TRACE", "PATCH"};

/// Streams of any size are looked at: by the slash, which is found fast.
bool has_version(std::string_view text) {
  constexpr std::size_t kWord = kVersion.size() - 1;
  for (std::size_t slash = text.find('/', kWord); slash != text.npos; slash = text.find('/', slash + 1)) {
    if (equal_ignoring_case(text.substr(slash - kWord, kWord), kVersion.substr(0, kWord))) return true;
  }
  return false;
}

std::string_view token_at(std::string_view text) {
  const auto* const end = std::ranges::find_if_not(text, [](char c) { return is_http_token({&c, 1}); });
  return {text.begin(), end};
}

std::string_view without_blanks_before(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text;
}

/// A path, or a URL.
bool is_aimed(std::string_view rest) {
  return rest.starts_with('/') || rest.substr(0, rest.find_first_of(kBlanks)).find("://") != rest.npos;
}

/// Some server might end the line at a lone CR.
bool has_control(std::string_view line) {
  return std::ranges::any_of(
      line, [](char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f'; });
}

}  // namespace

RequestGuess::State RequestGuess::feed(std::string_view bytes) {
  if (state_ > State::kWatched || bytes.empty()) return state_;
  text_ += bytes;
  return state_ = judge();
}

/// Some servers take a line that the end of the connection ends.
RequestGuess::State RequestGuess::end() {
  if (state_ <= State::kWatched) state_ = may_be_aimed_ ? State::kBroken : State::kOther;
  return state_;
}

RequestGuess::State RequestGuess::judge() {
  if (phase_ == Phase::kLongLine) return judge_long_line();
  if (phase_ == Phase::kNextLine) return judge_next_line();
  const std::string_view all = text_;
  if (all.starts_with(kPreface)) return State::kOther;
  may_be_aimed_ = false;
  if (kPreface.starts_with(all)) return State::kUnclear;
  const std::size_t begin = std::min(all.find_first_not_of(kBlanksAndEnds), all.size());
  if (begin > kLongestStartLine) return State::kBroken;
  if (begin == all.size()) return State::kUnclear;
  const std::size_t end = all.find('\n', begin);
  return judge_line(all.substr(begin, end - begin), end);
}

/// `end`: where it ends in text_; npos if it goes on.
RequestGuess::State RequestGuess::judge_line(std::string_view line, std::size_t end) {
  const bool whole = end != std::string_view::npos;
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::string_view method = token_at(line);
  const std::string_view after = line.substr(method.size());
  if (method.empty()) return State::kOther;
  if (!after.empty() && kBlanks.find(after[0]) == kBlanks.npos) return State::kOther;
  const std::string_view rest = without_blanks_before(after);
  const bool method_of_http = std::ranges::find(kMethods, method) != kMethods.end();
  const bool aimed = is_aimed(rest);
  const bool version = has_version(line);
  const bool control = has_control(line);
  may_be_aimed_ = version || (method_of_http && aimed);
  if (may_be_aimed_ && (control || line.size() > kLongestStartLine)) return State::kBroken;
  if (whole && version) return State::kHttp;
  if (whole && may_be_aimed_) return State::kBroken;
  if (whole) return after_line(method_of_http && !rest.empty(), end + 1);
  if (control && !method_of_http && !aimed) return State::kOther;
  if (line.size() > kLongestStartLine) {
    method_of_http_ = method_of_http;
    phase_ = Phase::kLongLine;
    return judge_long_line();
  }
  const bool likely = rest.empty() ? method.size() <= kLongestMethod : method_of_http || aimed;
  return likely && !control ? State::kUnclear : State::kWatched;
}

RequestGuess::State RequestGuess::judge_long_line() {
  const std::size_t end = text_.find('\n');
  if (has_version(std::string_view(text_).substr(0, end))) return State::kBroken;
  if (end != std::string::npos) return after_line(method_of_http_, end + 1);
  const std::size_t behind = text_.size() - std::min(text_.size(), kVersion.size() - 1);
  text_.erase(0, behind);
  long_line_ += behind;
  return long_line_ > kLongestLine ? State::kOther : State::kWatched;
}

/// A whole line that could be a request without a version, if it is one at all.
RequestGuess::State RequestGuess::after_line(bool method_of_http, std::size_t next) {
  if (!method_of_http) return State::kOther;
  text_.erase(0, next);
  phase_ = Phase::kNextLine;
  return judge_next_line();
}

/// Headers, or the empty line behind them, make a request of what stands before them.
RequestGuess::State RequestGuess::judge_next_line() {
  std::string_view next = text_;
  for (;;) {
    const std::size_t end = next.find('\n');
    const bool whole = end != std::string_view::npos;
    const std::string_view line = next.substr(0, end);
    const std::string_view rest = without_blanks_before(line);
    const bool goes_on = rest.size() < line.size();  // as a folded header does
    const std::string_view after = without_blanks_before(rest.substr(token_at(rest).size()));
    if (whole && rest.empty()) return State::kBroken;
    if (!rest.empty() && after.starts_with(':')) return State::kBroken;
    if (!whole && (goes_on || after.empty()))
      return text_.size() > kLongestStartLine ? State::kBroken : State::kWatched;
    if (!goes_on) return State::kOther;
    next.remove_prefix(end + 1);
  }
}

}  // namespace rehearse::gate
