#include "gate/redaction.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/secret_words.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kLongestParameter = 256;

/// "https://me:secret@host" wherever it stands in the text.
std::uint64_t hide_passwords(std::string& text) {
  std::uint64_t hidden = 0;
  std::string result;
  std::string_view rest = text;
  for (std::size_t scheme = rest.find("://"); scheme != std::string_view::npos; scheme = rest.find("://")) {
    const TextRange password = url_password(rest);
    const bool found = password.size > 0 && rest.substr(password.begin, password.size) != kHidden;
    if (found) {
      result.append(rest.substr(0, password.begin)).append(kHidden);
      rest.remove_prefix(password.begin + password.size);
      ++hidden;
    } else {
      result.append(rest.substr(0, scheme + 3));
      rest.remove_prefix(scheme + 3);
    }
  }
  if (hidden > 0) text = result.append(rest);
  return hidden;
}

/// The values of secret parameters. `text` begins with a parameter if it is a form, else '?' and '&' do.
std::uint64_t hide_parameters(std::string& text, bool form) {
  std::uint64_t hidden = 0;
  std::string result;
  std::string_view rest = text;
  bool parameter = form;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find_first_of("?& \"'<>#;"), rest.size());
    const std::string_view word = rest.substr(0, end);
    const std::size_t equals = word.find('=');
    const bool secret = parameter && equals != std::string_view::npos && equals <= kLongestParameter &&
                        equals + 1 < word.size() && word.substr(equals + 1) != kHidden &&
                        names_secret(ascii_lower(word.substr(0, equals)));
    result.append(secret ? word.substr(0, equals + 1) : word);
    if (secret) {
      result.append(kHidden);
      ++hidden;
    }
    if (end < rest.size()) {
      parameter = rest[end] == '?' || rest[end] == '&';
      result += rest[end];
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (hidden > 0) text = std::move(result);
  return hidden;
}

bool is_form(const Part& part) {
  return std::ranges::any_of(part.headers, [](const Header& header) {
    return equal_ignoring_case(header.name, "content-type") &&
           ascii_lower(header.value).starts_with("application/x-www-form-urlencoded");
  });
}

}  // namespace

std::string shown_command(std::string_view line) {
  // What stays in front of the secret, in words; IMAP has a tag before the command.
  constexpr std::pair<std::string_view, std::size_t> kCommands[] = {
      {"PASS", 1}, {"AUTH", 2}, {"AUTHENTICATE", 2}, {"LOGIN", 2}, {"APOP", 2}};
  std::size_t stays = SIZE_MAX;
  std::size_t word = 0;
  for (std::size_t at = line.find_first_not_of(" \t"); at != std::string_view::npos; ++word) {
    const std::size_t end = std::min(line.find_first_of(" \t", at), line.size());
    if (word < 2 && stays == SIZE_MAX) {
      for (const auto& [command, words] : kCommands) {
        if (equal_ignoring_case(line.substr(at, end - at), command)) stays = word + words;
      }
    }
    if (word == stays) return std::string(line.substr(0, at)) + std::string(kHidden);
    at = line.find_first_not_of(" \t", end);
  }
  std::string shown(line);
  redact(shown);
  std::vector<std::string> words = {shown};
  mask_words(words);
  return words[0];
}

std::uint64_t redact(std::string& line) {
  const std::uint64_t passwords = hide_passwords(line);
  return passwords + hide_parameters(line, false);
}

std::uint64_t redact(Part& part, const RedactionRules& rules) {
  std::uint64_t hidden = redact(part.head);
  for (Header& header : part.headers) {
    const std::string name = ascii_lower(header.name);
    if (std::ranges::find(rules.headers, name) == rules.headers.end() && !names_secret(name)) {
      hidden += redact(header.value);
    } else if (header.value != kHidden) {
      header.value = kHidden;
      ++hidden;
    }
  }
  if (!is_form(part)) return hidden;
  const bool whole = !part.cut();
  const std::uint64_t values = hide_parameters(part.body, true);
  if (values > 0) part.digest.clear();  // of the secrets, too
  if (values > 0)
    part.body_bytes = whole ? part.body.size() : std::max<std::uint64_t>(part.body_bytes, part.body.size());
  return hidden + values;
}

std::uint64_t redact(Exchange& exchange, const RedactionRules& rules) {
  const std::uint64_t asked = redact(exchange.request, rules);
  const std::uint64_t answered = redact(exchange.reply, rules);
  return asked + answered + redact(exchange.remark);
}

}  // namespace rehearse::gate
