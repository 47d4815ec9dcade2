// The packets of a run as a capture for tcpdump, Wireshark and their kin: what the sandbox sent to the gate
// and got from it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "export/exporter.h"
#include "export/pcapng.h"
#include "report/writer.h"
#include "trace/record.h"

namespace rehearse::exporting {

/// Fed with the records of a trace; what is no packet is passed over.
class PcapExporter {
 public:
  /// `run` and `out` are borrowed.
  PcapExporter(const RunFacts& run, report::Writer& out);

  /// False once nobody reads on.
  bool add(const trace::Record& record);
  /// After the last. `summary`: of the trace (JSON); what it says was left out is said.
  Result<void> finish(const std::string& summary);

  [[nodiscard]] std::uint64_t packets() const { return packets_; }
  /// By the summary: how many there were no room for; 0 before finish().
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

 private:
  /// A packet of which more is to come.
  struct Open {
    std::int64_t time_ns = 0;
    std::uint32_t length = 0;
    std::uint8_t way = 0;
    std::string bytes;
  };
  void put(const Open& packet);
  void flush();

  const RunFacts& run_;
  report::Writer& out_;
  std::string text_;
  PcapngWriter pcapng_{text_};
  std::map<std::uint64_t, Open> open_;  ///< by number
  std::uint64_t packets_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace rehearse::exporting
