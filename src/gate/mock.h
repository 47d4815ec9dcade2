// What mock services are told to do, as mock_file.h reads it. Values only; services (service.h) refer to
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gate/datagram_mock.h"

namespace rehearse::gate {

struct Header {
  std::string name;
  std::string value;
  friend bool operator==(const Header&, const Header&) = default;
};

enum class Fault : std::uint8_t {
  kNone,
  kReset,        ///< the connection is reset instead of an answer
  kTimeout,      ///< no answer ever comes
  kTruncate,     ///< half of the body comes, then the connection ends
  kServerError,  ///< 503 whatever the route's status
};

/// One answer of an HTTP mock. The first route of a mock that matches is taken.
struct HttpRoute {
  std::optional<std::string> method;  ///< absent: any
  /// star_pattern.h, as a path. One with a `?` is matched against path and query, any other against the path.
  std::string path = "/**";
  std::vector<Header> headers;  ///< each has to be there; the value is a pattern that takes all
  std::uint16_t status = 200;   ///< 200 to 599
  std::vector<Header> reply_headers;
  std::string body;
  std::int64_t latency_ns = 0;
  Fault fault = Fault::kNone;
};

struct HttpMock {
  std::vector<HttpRoute> routes;
};

struct SmtpMock {
  std::string name = "mail.invalid";                   ///< how the server calls itself
  std::uint64_t max_bytes = std::uint64_t{10} << 20U;  ///< of one mail; announced as SIZE (RFC 1870)
};

/// What a TCP service says: steps in order, then it ends its side and goes on listening.
struct ScriptMock {
  struct Step {
    /// A line that has to come first, without its end; a pattern that takes all. Absent: nothing is waited
    /// for.
    std::optional<std::string> expect;
    std::string send;  ///< bytes as they are; may be empty
  };
  std::vector<Step> steps;
};

class Recording;

/// Answers as was recorded. The recording outlives it; the connections of a run share it.
struct ReplayMock {
  Recording* recording = nullptr;
};

/// All but DatagramMock are of TCP.
using MockService = std::variant<HttpMock, SmtpMock, ScriptMock, ReplayMock, DatagramMock>;

}  // namespace rehearse::gate
