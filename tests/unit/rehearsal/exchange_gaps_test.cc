#include "rehearsal/exchange_gaps.h"

#include <catch2/catch.hpp>

using namespace rehearse;

TEST_CASE("What the file of exchanges lacks is said") {
  gate::ExchangeFile file;
  CHECK(exchange_gaps(file).empty());
  gate::KeptExchange kept;
  kept.name = "a.example";
  kept.port = 80;
  kept.exchange.kind = gate::ExchangeKind::kHttp;
  kept.exchange.outcome = gate::Outcome::kPassed;
  kept.exchange.request.body_bytes = 10;  // its digest is known
  file.exchanges.push_back(kept);
  CHECK(exchange_gaps(file).empty());
  kept.exchange.reply.body_bytes = 10;
  file.exchanges.push_back(kept);
  file.dropped = 3;
  const auto gaps = exchange_gaps(file);
  REQUIRE(gaps.size() == 2);
  CHECK(gaps[0].what == "exchanges: 3 are not kept");
  CHECK(gaps[0].cap == verdict::Level::kYellow);
  CHECK(gaps[1].what == "recording of a.example:80: 1 kept in part");
  CHECK(gaps[1].cap == verdict::Level::kGreen);
}
