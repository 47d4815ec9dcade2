// Rules as an operator writes them, on the command line and in files:
//
//   PASS     = ENDPOINT *( "," OPTION )
//   DENY     = ENDPOINT [ "=" REFUSAL ]
//   ENDPOINT = [ ("tcp" / "udp") ":" ] HOST ":" PORTS          tcp if it is left out
//   HOST     = name / "*." name / IPv4 [ "/" bits ] / "[" IPv6 "]" [ "/" bits ] / "host-loopback" / "*"
//   PORTS    = port / port "-" port / "*"
//   OPTION   = "bytes=" size / "rate=" size "/s" / "time=" duration / "record"      units: base/units.h
//   REFUSAL  = "ECONNREFUSED" / "ENETUNREACH" / "ETIMEDOUT" / "EHOSTUNREACH" / "EPERM" / "drop"
//
// Errors are kUsage and name the column of the text, counted in characters from 1, and the remedy. What is
// printed parses to the same value.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "gate/rules.h"

namespace rehearse::gate {

Result<PassRule> parse_pass(std::string_view text);
/// ECONNREFUSED if the text names no refusal.
Result<DenyRule> parse_deny(std::string_view text);
/// Where a mock listens: no udp, no host-loopback.
Result<Endpoint> parse_listen(std::string_view text);

/// The pieces, for files that have them apart. Errors of the smaller ones name no column.
Result<Endpoint> parse_pass_endpoint(std::string_view text);
Result<Endpoint> parse_endpoint(std::string_view text);
Result<Refusal> parse_refusal(std::string_view text);
Result<std::uint64_t> parse_limit(std::string_view text);
Result<std::uint64_t> parse_rate(std::string_view text);
Result<std::int64_t> parse_time_limit(std::string_view text);

/// A host name in the form that rules compare: lower case, no dot at the end. An error if it cannot be one
/// (RFC 1123, and the underscore that services use).
Result<std::string> parse_host_name(std::string_view text);
/// The same, or "*.NAME" (every name below it), or "*".
Result<std::string> parse_name_pattern(std::string_view text);

std::string to_text(const PassRule& rule);
std::string to_text(const DenyRule& rule);
std::string to_text(const Endpoint& endpoint);
std::string to_text(const Refusal& refusal);

}  // namespace rehearse::gate
