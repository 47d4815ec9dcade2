#include "base/secret_options.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "base/ascii.h"
#include "base/secret_words.h"

namespace rehearse {
namespace {

enum class Way : std::uint8_t {
  kEither,
  kAttached,  ///< only in the same word: by itself the option has no value
  kLeading,   ///< either, and only before the first operand: then another program's options begin
};

/// Lists are separated by blanks.
struct Option {
  std::string_view programs;
  std::string_view subcommand;  ///< empty: any
  std::string_view options;
  char sign;  ///< what is before it in the value is shown; NUL: nothing is
  Way way;
};

constexpr Option kOptions[] = {
    {"curl", "", "-u --user -U --proxy-user", ':', Way::kEither},
    {"curl", "", "-b --cookie", '=', Way::kEither},
    {"mysql mysqldump mysqladmin mysqlimport mysqlcheck mysqlshow mysqlpump mariadb mariadb-dump "
     "mariadb-admin mariadb-import mariadb-check mariadb-show",
     "", "-p", '\0', Way::kAttached},
    {"sshpass", "", "-p", '\0', Way::kLeading},
    {"redis-cli", "", "-a", '\0', Way::kEither},
    {"smbclient smbget rpcclient smbcacls smbcquotas smbtree net", "", "-U --user", '%', Way::kEither},
    {"docker podman nerdctl buildah skopeo helm", "login", "-p", '\0', Way::kEither},
    {"podman buildah skopeo", "", "--creds --src-creds --dest-creds", ':', Way::kEither},
    {"useradd usermod groupadd groupmod", "", "-p", '\0', Way::kEither},
    {"ldapsearch ldapadd ldapmodify ldapdelete ldapmodrdn ldapcompare ldapwhoami ldappasswd", "", "-w", '\0',
     Way::kEither},
    {"mongo mongosh mongodump mongorestore mongoexport mongoimport", "", "-p", '\0', Way::kEither},
    {"sqlcmd ipmitool mosquitto_pub mosquitto_sub zip unzip", "", "-P", '\0', Way::kEither},
    {"7z 7za 7zr", "", "-p", '\0', Way::kAttached},
    {"lftp", "", "-u", ',', Way::kEither},
};
static_assert(std::size(kOptions) <= 32);

constexpr std::size_t kLongestWord = 256;
constexpr std::string_view kCommandEnds = ";&|<>`\n\r()";

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

bool is_quote(char c) {
  return c == '\'' || c == '"';
}

bool ends_command(char c) {
  return kCommandEnds.find(c) != std::string_view::npos;
}

bool is_in(std::string_view list, std::string_view word) {
  for (std::size_t at = list.find(word); at != std::string_view::npos && !word.empty();
       at = list.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || list[at - 1] == ' ') && (end == list.size() || list[end] == ' ')) return true;
  }
  return false;
}

bool is_long(std::string_view option) {
  return option.starts_with("--");
}

}  // namespace

template <class Fits>
bool SecretOptions::has_option(const Fits& fits) {
  for (std::size_t i = 0; i < std::size(kOptions); ++i) {
    const Option& option = kOptions[i];
    const std::uint32_t bit = 1U << i;
    if ((programs_ & bit) == 0 || (!option.subcommand.empty() && (commands_ & bit) == 0)) continue;
    if (!fits(option)) continue;
    sign_ = option.sign;
    return true;
  }
  return false;
}

bool SecretOptions::step(char c) {
  bool secret = false;
  switch (state_) {
    case State::kWord:
      secret = read_word(c);
      break;
    case State::kAwaited:
      secret = await_value(c);
      break;
    case State::kValue:
      secret = read_value(c);
      break;
  }
  previous_ = c;
  return secret;
}

bool SecretOptions::read_word(char c) {
  if (is_quote(c)) {
    if ((word_.empty() && quote_) || takes_attached()) {
      if (word_.empty()) sign_ = '\0';
      state_ = State::kAwaited;
      quoted_ = true;
      whole_ = attached_ = false;
    }
    broken_ = true;
    return false;
  }
  const bool escaped = previous_ == '\\';
  if (c == '\0' || is_line_break(c) || (is_blank(c) && !escaped)) {
    end_word(c == '\0');
    return false;
  }
  if (ends_command(c)) {
    end_command();
    return false;
  }
  if (c == '{' || c == '}') {
    word_.clear();
    broken_ = true;
    return false;
  }
  if (takes_attached()) {
    attached_ = first_;
    whole_ = false;
    begin_value();
    return read_value(c);
  }
  if (c == '\\' || escaped) broken_ = true;
  if (word_.size() < kLongestWord) word_ += c;
  return false;
}

bool SecretOptions::await_value(char c) {
  if (!whole_ && !quoted_) {
    if (is_blank(c) || c == '\\' || is_line_break(c)) return false;
    quoted_ = is_quote(c);
    if (quoted_) return false;
  }
  const bool another = !whole_ && !quoted_ && c == '-';
  if (!another) begin_value();
  state_ = another ? State::kWord : State::kValue;
  if (another) return read_word(c);
  return read_value(c);
}

void SecretOptions::begin_value() {
  state_ = State::kValue;
  shown_ = sign_ != '\0';
}

/// Hiding what may be a command is worse than showing the rest of a secret.
bool SecretOptions::read_value(char c) {
  const bool blank = is_blank(c) || is_quote(c);
  if (c != '\0' && (whole_ || (!ends_command(c) && (attached_ || !blank)))) {
    const bool secret = !shown_;
    shown_ = shown_ && c != sign_;
    return secret;
  }
  state_ = State::kWord;
  word_.clear();
  broken_ = true;
  quote_ = false;
  return read_word(c);
}

void SecretOptions::end_word(bool argument_ends) {
  quote_ = quote_ && word_.empty();
  if (word_.size() > 1 && word_[0] == '-')
    read_option(argument_ends);
  else if (!word_.empty())
    read_operand();
  word_.clear();
  broken_ = false;
  first_ = argument_ends;
}

void SecretOptions::end_command() {
  programs_ = commands_ = 0;
  account_ = quote_ = broken_ = first_ = false;
  word_.clear();
}

void SecretOptions::read_option(bool argument_ends) {
  // What a script ends with is not followed by the next argument.
  if (broken_ || (argument_ends && !first_)) return;
  if (!takes_next()) {
    // An argument by itself is for WordMask.
    if (argument_ends || word_.find_first_of("=:$") != std::string::npos || !names_secret(ascii_lower(word_)))
      return;
    sign_ = '\0';
  }
  state_ = State::kAwaited;
  whole_ = argument_ends;
  quoted_ = attached_ = false;
}

/// A program may be named after others: `sudo`, `env`, `docker exec X`.
void SecretOptions::read_operand() {
  const std::string_view name = std::string_view(word_).substr(word_.rfind('/') + 1);
  for (std::size_t i = 0; i < std::size(kOptions); ++i) {
    const std::uint32_t bit = 1U << i;
    if (kOptions[i].way == Way::kLeading) programs_ &= ~bit;
    if (is_in(kOptions[i].programs, name)) programs_ |= bit;
    if (kOptions[i].subcommand == word_) commands_ |= bit;
  }
  const std::string lower = ascii_lower(word_);
  account_ = account_ || lower == "identified" || lower == "user" || lower == "role";
  quote_ = account_ && (lower == "by" || lower == "password");
}

bool SecretOptions::takes_attached() {
  if (programs_ == 0 || broken_ || word_.size() < 2 || word_[0] != '-') return false;
  const bool set = word_.back() == '=';
  if (is_long(word_) != set) return false;
  const std::string_view name = std::string_view(word_).substr(0, word_.size() - (set ? 1 : 0));
  return has_option([name](const Option& option) { return is_in(option.options, name); });
}

bool SecretOptions::takes_next() {
  const std::string_view word = word_;
  // Letters may stand together: `curl -su ME:VALUE`.
  const bool letters = std::ranges::all_of(word.substr(1), [](char c) { return is_ascii_letter(c); });
  const std::string last = {'-', word.back()};
  return has_option([&](const Option& option) {
    return option.way != Way::kAttached &&
           (is_in(option.options, word) || (letters && is_in(option.options, last)));
  });
}

}  // namespace rehearse
