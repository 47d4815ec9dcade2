#include "base/secret_words.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"

namespace rehearse {
namespace {

constexpr std::string_view kNames[] = {"password",    "passwd",      "passphrase", "secret",
                                       "token",       "apikey",      "api-key",    "api_key",
                                       "private-key", "private_key", "credential", "authorization"};
/// Secret as the last part of a name only: "bypass" and "compass" are none, and PWD is a directory.
constexpr std::string_view kLastParts[] = {"pass", "pwd"};
/// What begins like a name above and is another word.
constexpr std::string_view kOtherWords[] = {"tokeniz", "tokenis", "secretar"};
/// What names a place or a program, and not the secret itself.
constexpr std::string_view kPlaces[] = {"file", "path", "dir", "command"};
/// As the last part of a name: something about the secret.
constexpr std::string_view kAbout[] = {"ttl",        "length",  "len",   "lifetime", "expiry", "expires",
                                       "expiration", "timeout", "count", "type",     "url",    "endpoint",
                                       "policy",     "limit",   "size",  "age"};
constexpr std::string_view kPartEnds = "-_.";
constexpr std::size_t kLongestName = 256;
/// Where a shell, or what is like one, may begin another command or read and write another file.
constexpr std::string_view kCommandEnds = ";&|<>`\n\r";
constexpr std::string_view kBetweenNames = ";&|<>`\n\r(){}[],/?";

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

bool is_quote(char c) {
  return c == '\'' || c == '"';
}

/// Whether `word` is in the name, other than as the beginning of another one.
bool has_word(std::string_view name, std::string_view word) {
  for (std::size_t at = name.find(word); at != std::string_view::npos; at = name.find(word, at + 1)) {
    const std::string_view from = name.substr(at);
    if (std::ranges::none_of(kOtherWords, [from](std::string_view other) { return from.starts_with(other); }))
      return true;
  }
  return false;
}

/// Too long and too mixed for the name of a user.
bool is_token(std::string_view name) {
  constexpr std::size_t kShortest = 20;
  return name.size() >= kShortest && std::ranges::any_of(name, is_ascii_digit) &&
         std::ranges::any_of(name, [](char c) { return is_ascii_letter(c); }) &&
         std::ranges::all_of(
             name, [](char c) { return is_ascii_digit(c) || is_ascii_letter(c) || c == '_' || c == '-'; });
}

}  // namespace

bool names_secret(std::string_view name) {
  const auto in = [name](std::string_view word) { return has_word(name, word); };
  const auto ends = [name](std::string_view word) { return name.ends_with(word); };
  const std::size_t sign = name.find_last_of(kPartEnds);
  const std::string_view last = sign == std::string_view::npos ? name : name.substr(sign + 1);
  const auto is_last = [last](std::string_view word) { return last == word; };
  // That none is asked for: sudoers(5) has `NOPASSWD: COMMAND`.
  if (name.starts_with("--no-") || name == "nopasswd" || name == "pwd") return false;
  if (std::ranges::any_of(kLastParts, is_last)) return true;
  return std::ranges::any_of(kNames, in) && std::ranges::none_of(kPlaces, ends) &&
         std::ranges::none_of(kAbout, is_last);
}

TextRange url_password(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return {};
  const std::size_t start = scheme + 3;
  // No URL has blanks, quotes or what ends a command in a password; a script has.
  const std::size_t at = text.find_first_of("@/ \t\n\r;&|<>`'\"(", start);
  if (at == std::string_view::npos || text[at] != '@') return {};
  const std::size_t colon = text.find(':', start);
  if (colon < at) return {.begin = colon + 1, .size = at - colon - 1};
  return is_token(text.substr(start, at - start)) ? TextRange{.begin = start, .size = at - start}
                                                  : TextRange();
}

bool mask_urls(char* bytes, std::size_t size) {
  bool masked = false;
  const std::string_view text(bytes, size);
  for (std::size_t at = text.find("://"); at != std::string_view::npos; at = text.find("://", at + 3)) {
    const TextRange password = url_password(text.substr(at));
    std::fill_n(bytes + at + password.begin, password.size, '*');
    masked = masked || password.size > 0;
  }
  return masked;
}

bool WordMask::take(char* bytes, std::size_t size) {
  bool masked = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const char c = bytes[i];
    if (c == '\0') {
      options_.step(c);
      masked = mask_urls(bytes + begin, i - begin) || masked;
      end_word();
      begin = i + 1;
      continue;
    }
    const bool follows_option = options_.step(c);
    if (step(c) || follows_option) {
      bytes[i] = '*';
      masked = true;
    }
    previous_[1] = std::exchange(previous_[0], c);
  }
  return masked;
}

void WordMask::end_word() {
  // An option by itself: its value is the next word.
  const bool option = state_ == State::kName && first_ && name_.size() > 1 && name_[0] == '-';
  const bool secret = option && names_secret(name_);
  SecretOptions options = std::move(options_);
  *this = {};
  options_ = std::move(options);
  if (secret) state_ = State::kWord;
}

/// Whether this byte is secret.
bool WordMask::step(char c) {
  if (state_ == State::kLead) {
    if (is_blank(c) && blanks_) return false;
    if (is_quote(c) || c == '\\') blanks_ = false;
    if (is_quote(c) || c == '\\' || c == '=') return false;
    state_ = std::exchange(slash_, false) && c == '/' ? State::kName : State::kValue;
  }
  if (state_ == State::kName) {
    read_name(c);
    return false;
  }
  if (!ends_value(c)) return true;
  if (std::exchange(scheme_, false) && is_blank(c)) {
    state_ = State::kLead;
    return false;
  }
  state_ = State::kName;
  read_name(c);
  return false;
}

void WordMask::read_name(char c) {
  // What a header ends with, other than the sign between cookies.
  if (is_quote(c) || (kCommandEnds.find(c) != std::string_view::npos && c != ';')) cookies_ = false;
  if (c == '=' || c == ':') {
    const bool cookies = c == ':' && (name_ == "cookie" || name_ == "set-cookie");
    slash_ = c == ':' && is_slash_option();
    if (slash_ || (names_value(c) && names_secret(name_)) || (cookies_ && c == '=' && !name_.empty()))
      begin_value(c);
    cookies_ = cookies_ || cookies;
    option_ = c == '=' && first_ && name_.starts_with("--");
    first_ = name_over_ = false;
    name_.clear();
    return;
  }
  if (is_blank(c) || is_quote(c)) {
    first_ = false;
    name_over_ = true;
    return;
  }
  const bool between = kBetweenNames.find(c) != std::string_view::npos;
  if (between || name_over_) {
    first_ = name_over_ = false;
    name_.clear();
  }
  if (between) return;
  if (name_.empty()) {
    std::ranges::copy(previous_, before_);
    // The kernel has it for one word, and so has a shell.
    if (std::exchange(option_, false) && previous_[0] == '=') before_[0] = '\0';
  }
  if (name_.size() >= kLongestName) name_.erase(0, kLongestName / 2);
  name_ += ascii_lower(c);
}

/// ${NAME:-VALUE}, $NAME:VALUE and /NAME:VALUE are none.
bool WordMask::names_value(char sign) const {
  if (before_[0] == '{' && before_[1] == '$') return false;
  return sign == '=' || (before_[0] != '/' && name_.find('$') == std::string::npos);
}

/// `/password:VALUE`
bool WordMask::is_slash_option() const {
  constexpr std::string_view kSlashNames[] = {"password", "passwd", "pass", "pwd"};
  const bool begins = before_[1] == '\0' || is_blank(before_[1]);
  return before_[0] == '/' && begins && std::ranges::find(kSlashNames, name_) != std::end(kSlashNames);
}

void WordMask::begin_value(char sign) {
  const bool option = first_ && name_.starts_with("--") && sign == '=';
  state_ = option ? State::kArgument : State::kLead;
  // In X=TOKEN: COMMAND a shell has X for one word and executes the other.
  blanks_ = is_blank(previous_[0]) || (sign == ':' && begins_word());
  scheme_ = sign == ':' && blanks_ && name_.find("authorization") != std::string::npos;
}

bool WordMask::begins_word() const {
  const auto begin = [](char c) { return c == '\0' || is_blank(c); };
  return begin(before_[0]) ||
         (is_quote(before_[0]) && (begin(before_[1]) || before_[1] == '{' || before_[1] == ','));
}

/// Hiding what may be a command is worse than showing the rest of a password.
bool WordMask::ends_value(char c) const {
  if (state_ == State::kWord) return false;
  if (kCommandEnds.find(c) != std::string_view::npos || (c == '(' && previous_[0] == '$')) return true;
  return state_ == State::kValue && (is_blank(c) || is_quote(c));
}

bool mask_words(std::vector<std::string>& words) {
  WordMask mask;
  bool masked = false;
  for (std::string& word : words) {
    const bool here = mask.take(word.data(), word.size() + 1);
    if (here) shorten_masks(word);
    masked = masked || here;
  }
  return masked;
}

void shorten_masks(std::string& word) {
  constexpr std::size_t kShown = 3;
  std::size_t run = 0;
  std::erase_if(word, [&run](char c) {
    run = c == '*' ? run + 1 : 0;
    return run > kShown;
  });
}

}  // namespace rehearse
