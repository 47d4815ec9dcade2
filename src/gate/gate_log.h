// What the gate saw, `gate.jsonl` of a run: a line {"schema": "rehearse.gate/1"}, then one JSON object a
// line, written by the worker as it happens; the last line has the totals. Times are CLOCK_MONOTONIC.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "gate/dns_responder.h"
#include "gate/rules.h"

namespace rehearse::gate {

/// Between which ends a question went.
struct QuestionEnds {
  Protocol protocol = Protocol::kUdp;
  IpAddress server;
  std::uint16_t client_port = 0;  ///< 0: one of many
  // NOLINTNEXTLINE(modernize-use-nullptr): not a pointer, false in clang-tidy 14
  friend auto operator<=>(const QuestionEnds&, const QuestionEnds&) = default;
};

/// A question to a name server, and how often it was asked so from there and answered so.
struct QuestionRecord {
  DnsQuestion question;
  QuestionEnds ends = {};
  std::int64_t time_ns = 0;  ///< when it was asked first
  std::uint64_t count = 1;
};

enum class GateVerdict : std::uint8_t { kPassed, kMocked, kReplayed, kDenied };
std::string_view to_string(GateVerdict value);

/// A TCP connection, or the datagrams between two ends. The texts are what the client chose, cut at
/// kMostTextKept; what is secret in a path is hidden when it is written.
struct ConnectionRecord {
  std::uint64_t id = 0;  ///< counted by the gate, from 1; what exchanges name it by
  /// The id of the connection whose end this refusal is: bytes had gone through it before. 0: its own.
  std::uint64_t refused_in = 0;
  Protocol protocol = Protocol::kTcp;
  IpAddress address;  ///< as the action asked for it
  std::uint16_t port = 0;
  IpAddress client_address;
  std::uint16_t client_port = 0;
  std::string name;  ///< what the address was answered for; empty if nothing
  std::string sni;   ///< of TLS
  std::string
      http_host;  ///< of the first request of HTTP in the clear, or within TLS that was mocked; no port
  std::string http_path;  ///< with the query
  GateVerdict verdict = GateVerdict::kDenied;
  std::string rule;             ///< its text; of a mock, the place of its table; empty: the default
  std::uint64_t bytes_out = 0;  ///< that the client sent and that were taken on; of TLS, the encrypted ones
  std::uint64_t bytes_in = 0;   ///< that were sent to it
  std::int64_t begun_ns = 0;
  std::int64_t ended_ns = 0;
  std::string error;  ///< why it did not end as its ends wanted; empty if nothing was in the way
};

struct GateTotals {
  std::uint64_t questions = 0;
  std::uint64_t connections = 0;        ///< TCP, refused ones too
  std::uint64_t flows = 0;              ///< of UDP
  std::uint64_t refused = 0;            ///< connections and flows for which there was no room
  std::uint64_t dropped_datagrams = 0;  ///< that no rule passes, or that something had no room for
  std::uint64_t dropped_exchanges = 0;  ///< that the file of exchanges had no room for
  std::uint64_t unused_recordings = 0;  ///< recorded exchanges that a replay was not asked for
  std::uint64_t lines_not_kept = 0;     ///< of this log
  friend bool operator==(const GateTotals&, const GateTotals&) = default;
};

/// `rule` of a connection that asked a name server, and did nothing else.
inline constexpr const char* kDnsRule = "dns";
inline constexpr std::size_t kMostTextKept = 1024;
inline constexpr std::uint64_t kMostLog = std::uint64_t{32} << 20U;

/// Writes to a descriptor that it does not own, in pieces. The first error is kept and ends the writing. Not
/// thread safe.
class GateLogWriter {
 public:
  explicit GateLogWriter(int fd, std::uint64_t most_bytes = kMostLog);

  /// A line for the first of its kind; how often it came again is written at the end. Of one that is asked
  /// from very many ports, the later ones are counted together.
  void write(QuestionRecord record);
  void write(const ConnectionRecord& record);
  /// Hands what there is to the kernel.
  void flush();
  /// The last lines. `totals` without what the writer counts itself.
  Result<void> finish(GateTotals totals);

 private:
  using Key = std::tuple<std::string, DnsType, DnsAnswer, QuestionEnds>;
  void add(const std::string& line);

  int fd_;
  std::uint64_t most_bytes_;
  std::uint64_t bytes_ = 0;
  std::string pending_;
  std::map<Key, QuestionRecord> asked_;  ///< the count is of what came after the first line
  /// How many ends each question has a line for.
  std::map<std::tuple<std::string, DnsType, DnsAnswer>, std::size_t> ends_;
  std::size_t asked_bytes_ = 0;
  std::uint64_t questions_ = 0;
  std::uint64_t not_kept_ = 0;
  Result<void> result_;
};

struct GateLog {
  std::vector<QuestionRecord> questions;  ///< each once from each end, in the order they were asked first
  std::vector<ConnectionRecord> connections;
  std::optional<GateTotals> totals;  ///< none: the worker was killed, and the log may lack lines
};

/// kDataError with the line's number for anything that the writer does not write; a last line without its end
/// is left out.
Result<GateLog> parse_gate_log(std::string_view text);
/// From the start of the file; kDataError above kMostLog bytes and the last line.
Result<GateLog> read_gate_log(int fd);

}  // namespace rehearse::gate
