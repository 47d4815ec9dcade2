// What looks like a secret in text that is kept: names whose values are hidden, passwords within URLs.
#pragma once

#include <cstddef>
#include <string_view>

namespace rehearse {

/// True for the name of something secret ("db-password", "apikey"), but not of a place where one lies
/// ("token-file"). The name is in lower case.
bool names_secret(std::string_view name);

struct TextRange {
  std::size_t begin = 0;
  std::size_t size = 0;  ///< 0: there is none
};

/// The password in the first "scheme://user:password@host" of the text.
TextRange url_password(std::string_view text);

}  // namespace rehearse
