#include "export/pcap.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/escape.h"
#include "bpf/events.h"

namespace rehearse::exporting {
namespace {

/// A hostile trace may begin packets and end none.
constexpr std::size_t kMostOpen = 1024;
constexpr std::uint32_t kLongest = RH_PIECES * RH_PIECE;

const char* comment_of(std::uint8_t way) {
  switch (way) {
    case RH_TO_GATE:
      return "to the gate";
    case RH_FROM_GATE:
      return "from the gate";
    default:
      return "dropped";
  }
}

std::uint64_t count_in(const nlohmann::json& summary, const char* name) {
  const auto found = summary.is_object() ? summary.find(name) : summary.end();
  return summary.is_object() && found != summary.end() && found->is_number_unsigned()
             ? found->get<std::uint64_t>()
             : 0;
}

}  // namespace

PcapExporter::PcapExporter(const RunFacts& run, report::Writer& out) : run_(run), out_(out) {
  const std::string system = "Linux " + escape_text(run.host_kernel, 256);
  const std::string comment =
      fmt::format("rehearse run {}: {}", escape_text(run.id, 64), escape_text(run.command, 4096));
  pcapng_.section({system, "rehearse " REHEARSE_VERSION, comment});
  (void)pcapng_.interface("lo");
  flush();
}

bool PcapExporter::add(const trace::Record& record) {
  const auto* piece = record.head().kind == RH_PACKET ? record.as<struct rh_packet>() : nullptr;
  if (piece == nullptr || piece->bytes > record.head().size - sizeof *piece) return true;
  const std::string_view bytes(reinterpret_cast<const char*>(piece + 1), piece->bytes);
  Open& packet = open_[piece->number];
  if (piece->offset == 0) {
    packet.time_ns = run_.epoch_ns(record.head().time_ns);
    packet.length = piece->length;
    packet.way = piece->way;
  }
  // Pieces come in order; one that does not fit is of no packet that was ever recorded.
  if (piece->offset != packet.bytes.size() || packet.bytes.size() + bytes.size() > kLongest) {
    open_.erase(piece->number);
    return true;
  }
  packet.bytes += bytes;
  const bool whole =
      packet.bytes.size() >= packet.length || bytes.size() < RH_PIECE || packet.bytes.size() == kLongest;
  if (whole || open_.size() > kMostOpen) {
    put(packet);
    open_.erase(piece->number);
  }
  return !out_.failed();
}

Result<void> PcapExporter::finish(const std::string& summary) {
  // Of these the rest found no room.
  for (const auto& [number, packet] : open_) put(packet);
  open_.clear();
  const auto said = nlohmann::json::parse(summary, nullptr, false);
  left_out_ = count_in(said, "packets_left_out");
  return out_.flush();
}

void PcapExporter::put(const Open& packet) {
  ++packets_;
  pcapng_.packet({0, packet.time_ns, packet.bytes,
                  std::max(packet.length, static_cast<std::uint32_t>(packet.bytes.size())),
                  comment_of(packet.way)});
  flush();
}

void PcapExporter::flush() {
  out_.put(text_);
  text_.clear();
}

}  // namespace rehearse::exporting
