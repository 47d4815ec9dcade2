#include "rehearsal/exchange_gaps.h"

#include <fmt/format.h>

#include <map>

#include "base/units.h"

namespace rehearse {
namespace {

constexpr std::size_t kMostListed = 100;

/// Nothing answers from it: of a request of HTTP the digest is enough.
bool is_unanswerable(const gate::KeptExchange& kept) {
  const gate::Exchange& exchange = kept.exchange;
  const bool stream = exchange.kind == gate::ExchangeKind::kStream;
  return exchange.outcome == gate::Outcome::kPassed && kept.protocol == gate::Protocol::kTcp &&
         (exchange.reply.cut() || (stream && exchange.request.cut()));
}

}  // namespace

std::vector<verdict::Gap> exchange_gaps(const gate::ExchangeFile& file) {
  std::vector<verdict::Gap> gaps;
  if (file.dropped != 0)
    gaps.push_back({fmt::format("exchanges: {} are not kept", file.dropped),
                    fmt::format("exchanges.jsonl ends at {}: what they said is not known, and no replay can "
                                "answer from them",
                                format_bytes(gate::ExchangeLimits().file_bytes)),
                    verdict::Level::kYellow});
  std::map<std::string, std::size_t> cut;
  for (const gate::KeptExchange& kept : file.exchanges) {
    if (is_unanswerable(kept))
      ++cut[fmt::format("{}:{}", kept.name.empty() ? kept.address : kept.name, kept.port)];
  }
  for (const auto& [to, count] : cut) {
    if (gaps.size() > kMostListed) break;
    gaps.push_back({fmt::format("recording of {}: {} kept in part", to, count),
                    fmt::format("of what is sent at once {} are kept: no replay can answer with it",
                                format_bytes(gate::kMostKept)),
                    verdict::Level::kGreen});
  }
  return gaps;
}

}  // namespace rehearse
