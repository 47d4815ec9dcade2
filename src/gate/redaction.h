// Hides secrets in exchanges before they are kept.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gate/exchange.h"

namespace rehearse::gate {

/// What stands in the place of a secret.
inline constexpr std::string_view kHidden = "***";

struct RedactionRules {
  /// Headers whose whole values are hidden, in lower case. Those whose names say that they are secret
  /// (base/secret_words.h: X-Api-Key) are too.
  std::vector<std::string> headers = {"authorization", "proxy-authorization", "cookie", "set-cookie"};
};

/// Hides those headers, the passwords of URLs in first lines and headers, and parameters with secret names in
/// queries and forms. Says how many. Done twice it changes nothing more.
std::uint64_t redact(Exchange& exchange, const RedactionRules& rules);
/// One side of an exchange.
std::uint64_t redact(Part& part, const RedactionRules& rules);
/// The arguments of a command that gives a password, as "PASS x", "AUTH PLAIN dGVzdA==" or "LOGIN me x" (the
/// user's name and the mechanism stay), and what redact() hides.
std::string shown_command(std::string_view line);
/// A line of text, such as a path with its query: passwords of URLs and parameters.
std::uint64_t redact(std::string& line);

}  // namespace rehearse::gate
