#include "report/decision_text.h"

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "support.h"

using namespace rehearse;
using namespace rehearse::report;
using namespace rehearse::report::test;

namespace {

constexpr std::int64_t kStart = 1'795'500'000'000'000'000;

Decided some() {
  Decided decided;
  DecisionRecord approved;
  approved.verb = "approved";
  approved.person = 1001;
  approved.name = "ann";
  approved.tty = "/dev/pts/1";
  approved.reason = "as agreed";
  approved.created_ns = kStart;
  approved.expires_ns = kStart + 60'000'000'000;
  approved.used_by = "RUN/1";
  decided.decisions = {approved};
  PromotionRecord promoted;
  promoted.kind = "promote";
  promoted.person = 0;
  promoted.started_ns = kStart + 1'000'000'000;
  promoted.result = "done";
  promoted.operations = 3;
  PromotionRecord back = promoted;
  back.kind = "rollback";
  back.started_ns = kStart + 2'000'000'000;
  back.result = "incomplete";
  back.detail = "the disk is gone";
  decided.promotions = {promoted, back};
  return decided;
}

}  // namespace

TEST_CASE("Decisions and what was done since, in their order") {
  CHECK(decided_text(some(), 0) ==
        "  approved   by ann (uid 1001), /dev/pts/1, at " + rfc3339(kStart) + ", until " +
            rfc3339(kStart + 60'000'000'000) + ", used by RUN/1\n             as agreed\n" +
            "  promoted   by uid 0, at " + rfc3339(kStart + 1'000'000'000) +
            ", 3 operations\n  rollback   by uid 0, at " + rfc3339(kStart + 2'000'000'000) +
            ": incomplete, 3 operations\n             the disk is gone\n");
  CHECK(latest_text(some()).starts_with("rollback   by uid 0"));
  CHECK(decided_text({}, 80).empty());
  CHECK(latest_text({}).empty());
}

TEST_CASE("Reasons of whoever decided are escaped") {
  for (const std::string& name : hostile_names()) {
    Decided decided = some();
    decided.decisions[0].reason = decided.decisions[0].ticket = decided.decisions[0].name = name;
    decided.promotions[1].detail = decided.promotions[1].result = name;
    require_harmless(decided_text(decided, 60));
    require_harmless(latest_text(decided));
  }
}

TEST_CASE("Decisions as members of a document") {
  std::string text;
  JsonWriter json(text);
  json.open_object();
  write_decided(json, some());
  json.close_object();
  const auto document = nlohmann::json::parse(text);
  CHECK(document["decisions"][0]["verb"] == "approved");
  CHECK(document["promotions"][1]["result"] == "incomplete");
  CHECK(document["promotions"][1]["finished"].is_null());
}
