// Who may decide, which decisions let a promotion begin, and budgets: all pure.
#include <catch2/catch.hpp>

#include "promote/budget.h"
#include "promote/decision.h"

using namespace rehearse;
using namespace rehearse::promote;
using ledger::Decision;
using ledger::Verb;

namespace {

constexpr std::int64_t kNow = 1'000'000'000'000'000;
constexpr std::int64_t kHour = 3'600'000'000'000;
constexpr std::uint32_t kAnn = 1001, kBen = 1002, kCal = 1003, kEve = 1004;

/// Ann and Ben are operators, Cal answers incidents, Eve is nobody.
Result<host::Person> find(std::uint32_t uid) {
  switch (uid) {
    case kAnn:
      return host::Person{uid, "ann", {"ann", "operators"}};
    case kBen:
      return host::Person{uid, "ben", {"operators"}};
    case kCal:
      return host::Person{uid, "cal", {"incident"}};
    default:
      return host::Person{uid, "eve", {"eve"}};
  }
}

struct Bed {
  report::RunRecord record;
  verdict::Policy policy;
  std::vector<Decision> decisions;

  explicit Bed(verdict::Level level = verdict::Level::kYellow) {
    record.id = "20261129-120000-abcdef";
    record.digest = "sha256:d1";
    record.verdict.level = level;
    record.verdict.policy_digest = policy.digest = "sha256:p1";
    record.requester.uid = 0;
    record.requester.loginuid = kEve;
  }
  void table(const char* level, std::int64_t need, bool not_requester = true) {
    policy.approvals[level] = {need, {"operators"}, not_requester, 0};
  }
  void finding(const char* enforce, verdict::Level level) {
    verdict::Finding found;
    found.rule = "a.b";
    found.level = level;
    found.enforce = enforce;
    record.verdict.findings.push_back(found);
  }
  Decision& add(Verb verb, std::uint32_t person) {
    Decision decision;
    decision.id = static_cast<std::int64_t>(decisions.size()) + 1;
    decision.run = record.id;
    decision.digest = record.digest;
    decision.seal = "s";
    decision.policy = policy.digest;
    decision.verb = verb;
    decision.person = person;
    decision.reason = "r";
    decision.created_ns = kNow - kHour;
    decision.expires_ns = kNow + kHour;
    decisions.push_back(decision);
    return decisions.back();
  }
  [[nodiscard]] Matter matter() const { return {record, policy, kNow}; }
  [[nodiscard]] Result<Passage> passage() const { return find_passage(matter(), "s", decisions, find); }
  [[nodiscard]] ExitCode refusal() const {
    const auto found = passage();
    return found ? ExitCode::kDone : found.error().exit;
  }
  [[nodiscard]] std::string why() const {
    const auto found = passage();
    return found ? std::string() : found.error().what;
  }
};

Decider decider(std::uint32_t person) {
  Decider result;
  result.who.uid = 0;
  result.who.loginuid = person;
  result.who.tty = "/dev/pts/1";
  result.person = *find(person);
  return result;
}

}  // namespace

TEST_CASE("Without a table a person approves runs of their own") {
  Bed bed;
  CHECK(bed.refusal() == ExitCode::kNotApproved);
  CHECK(may_approve(bed.matter(), decider(kEve)));
  CHECK(may_approve(bed.matter(), decider(kAnn)).error().exit == ExitCode::kNoPermission);
  bed.add(Verb::kApproved, kEve);
  REQUIRE(bed.passage());
  CHECK(bed.passage()->decisions == std::vector<std::int64_t>{1});
  CHECK(bed.passage()->reason == "approved by eve");
  bed.decisions[0].person = kAnn;
  CHECK(bed.refusal() == ExitCode::kNotApproved);
}

TEST_CASE("Units, programs without a terminal and claimed persons do not decide") {
  Bed bed;
  bed.table("yellow", 1);
  Decider ann = decider(kAnn);
  CHECK(may_approve(bed.matter(), ann));
  ann.who.unit = "job.service";
  CHECK(may_approve(bed.matter(), ann).error().exit == ExitCode::kNoPermission);
  ann.who.unit = "user@1001.service";
  CHECK(may_approve(bed.matter(), ann));
  ann.who.tty.reset();
  CHECK(!may_approve(bed.matter(), ann));
  CHECK(!may_decide(ann.who));
  ann = decider(kAnn);
  bed.record.requester.attested = false;  // she may have requested it herself
  CHECK(may_approve(bed.matter(), ann).error().what.find("SUDO_UID") != std::string::npos);
  bed.table("yellow", 1, false);
  CHECK(may_approve(bed.matter(), ann));
  bed.record.requester.attested = true;
  bed.table("yellow", 1);
  ann.attested = false;
  CHECK(may_approve(bed.matter(), ann).error().what.find("SUDO_UID") != std::string::npos);
}

TEST_CASE("N of M: different people of the role, not the requester") {
  Bed bed;
  bed.table("yellow", 2);
  bed.add(Verb::kApproved, kAnn);
  CHECK(bed.why().find("approved by 1 (ann), the policy wants 2") != std::string::npos);
  bed.add(Verb::kApproved, kAnn);
  CHECK(bed.refusal() == ExitCode::kNotApproved);
  bed.add(Verb::kApproved, kEve);
  CHECK(bed.refusal() == ExitCode::kNotApproved);
  bed.add(Verb::kApproved, kBen);
  REQUIRE(bed.passage());
  CHECK(bed.passage()->decisions == std::vector<std::int64_t>{1, 2, 4});
  CHECK(bed.passage()->reason == "approved by ann, ben");
  bed.record.requester.loginuid = kBen;
  CHECK(bed.refusal() == ExitCode::kNotApproved);
  CHECK(may_approve(bed.matter(), decider(kBen)).error().what.find("requested the run") != std::string::npos);
  bed.policy.approvals["yellow"].not_requester = false;
  CHECK(bed.passage());
}

TEST_CASE("Where there is no login user, root is the requester as well as who used sudo") {
  Bed bed;
  bed.table("yellow", 1);
  bed.policy.approvals["yellow"].roles = {"operators", "eve"};
  bed.record.requester.loginuid.reset();
  bed.record.requester.sudo_uid = kAnn;
  CHECK(!may_approve(bed.matter(), decider(kAnn)));
  Decider root = decider(kEve);
  root.person.uid = 0;
  CHECK(!may_approve(bed.matter(), root));
  CHECK(may_approve(bed.matter(), decider(kBen)));
}

TEST_CASE("Approvals that do not count, each with its reason") {
  Bed bed;
  bed.table("yellow", 1);
  Decision& approval = bed.add(Verb::kApproved, kAnn);
  REQUIRE(bed.passage());
  const Decision good = approval;
  approval.expires_ns = kNow;
  CHECK(bed.why().find("expired at") != std::string::npos);
  approval = good;
  approval.used_by = "x/1";
  CHECK(bed.why().find("was used by x/1") != std::string::npos);
  approval = good;
  approval.digest = "sha256:d2";
  CHECK(bed.why().find("another digest") != std::string::npos);
  approval = good;
  approval.policy = "sha256:p0";
  CHECK(bed.why().find("another policy") != std::string::npos);
  approval = good;
  approval.seal = "t";
  CHECK(bed.refusal() == ExitCode::kDataError);
  approval = good;
  approval.person = kCal;  // no member, or none any more
  CHECK(bed.why().find("in none of the groups") != std::string::npos);
  CHECK(bed.refusal() == ExitCode::kNotApproved);
}

TEST_CASE("Taking back and rejecting") {
  Bed bed;
  bed.table("yellow", 1);
  bed.add(Verb::kApproved, kAnn);
  bed.add(Verb::kRevoked, kBen);
  CHECK(bed.passage());  // it was not his
  bed.add(Verb::kRevoked, kAnn);
  CHECK(bed.why().find("taken back") != std::string::npos);
  CHECK(!is_rejected(bed.decisions));
  bed.add(Verb::kApproved, kAnn);
  CHECK(bed.passage());
  bed.add(Verb::kRejected, kEve);
  CHECK(bed.why().find("rejected") != std::string::npos);
  CHECK(is_rejected(bed.decisions));
  bed.add(Verb::kApproved, kBen);
  CHECK(bed.passage());
  // What lets a run pass without people stays closed.
  bed.add(Verb::kRevoked, kBen);
  CHECK(is_rejected(bed.decisions));
}

TEST_CASE("A promotion uses up all that another could rest on") {
  Bed bed;
  const auto spent = [&] { return spent_by_promotion(bed.decisions, kNow); };
  bed.add(Verb::kApproved, kAnn);
  bed.add(Verb::kRejected, kEve);
  bed.add(Verb::kApproved, kAnn).used_by = "x/1";
  bed.add(Verb::kApproved, kBen).expires_ns = kNow;
  bed.add(Verb::kApproved, kAnn);
  bed.add(Verb::kOverridden, kCal);
  bed.add(Verb::kApproved, kEve);  // may not, or not any more
  CHECK(spent() == std::vector<std::int64_t>{5, 6, 7});
  bed.add(Verb::kRevoked, kAnn);
  CHECK(spent() == std::vector<std::int64_t>{6, 7});
}

TEST_CASE("Red and inconclusive runs need a table of their own; hard findings stay") {
  for (const auto level : {verdict::Level::kRed, verdict::Level::kInconclusive}) {
    Bed bed(level);
    bed.add(Verb::kApproved, kAnn);
    const ExitCode code = level == verdict::Level::kRed ? ExitCode::kRed : ExitCode::kInconclusive;
    CHECK(check_approvable(bed.matter()).error().exit == code);
    CHECK(bed.refusal() == code);
    bed.table(verdict::to_string(level), 1);
    CHECK(bed.passage());
  }
  Bed bed(verdict::Level::kRed);
  bed.table("red", 1);
  bed.add(Verb::kApproved, kAnn);
  bed.finding("soft", verdict::Level::kRed);
  CHECK(bed.passage());
  bed.finding("hard", verdict::Level::kYellow);
  CHECK(bed.passage());
  bed.finding("hard", verdict::Level::kRed);
  CHECK(bed.refusal() == ExitCode::kRed);
}

TEST_CASE("The policy has moved, or an exception has expired") {
  Bed bed;
  bed.add(Verb::kApproved, kEve);
  bed.record.verdict.exceptions.push_back({"a.b", "ann", "r", "2027-01-01", 1, ""});
  CHECK(bed.why().find("expired on 2027-01-01") != std::string::npos);
  verdict::Exception exception;
  exception.rule = "a.b";
  exception.owner = "ann";
  exception.reason = "r";
  exception.expires = "2027-01-01";
  exception.expires_ns = kNow + 1;
  bed.policy.exceptions.push_back(exception);
  CHECK(bed.passage());
  bed.policy.exceptions[0].expires_ns = kNow;
  CHECK(bed.refusal() == ExitCode::kNotApproved);
  bed.policy.digest = "sha256:p2";
  CHECK(bed.refusal() == ExitCode::kStale);
}

TEST_CASE("An override stands for the approval, not for the rehearsal") {
  Bed bed;
  bed.table("yellow", 2);
  CHECK(may_override(bed.matter(), decider(kCal)).error().exit == ExitCode::kNoPermission);
  bed.policy.overriding = verdict::OverrideTable{{"incident"}, kHour, kHour};
  CHECK(may_override(bed.matter(), decider(kCal)));
  CHECK(!may_override(bed.matter(), decider(kAnn)));
  bed.add(Verb::kOverridden, kCal);
  REQUIRE(bed.passage());
  CHECK(bed.passage()->reason == "overridden by cal: r");
  bed.record.verdict.level = verdict::Level::kRed;
  bed.finding("soft", verdict::Level::kRed);
  CHECK(bed.passage());
  bed.finding("hard", verdict::Level::kYellow);
  CHECK(bed.refusal() == ExitCode::kRed);
  bed.record.verdict.findings.clear();
  bed.record.verdict.level = verdict::Level::kInconclusive;
  CHECK(bed.refusal() == ExitCode::kInconclusive);
  bed.record.verdict.level = verdict::Level::kYellow;
  bed.decisions[0].expires_ns = kNow - 1;
  CHECK(bed.refusal() == ExitCode::kNotApproved);
}

TEST_CASE("Overrides are reviewed by somebody else, once") {
  Bed bed;
  bed.add(Verb::kOverridden, kCal);
  CHECK(unreviewed_of(bed.decisions, "2026").value()->id == 1);
  CHECK(unreviewed_of(bed.decisions, "2027").error().exit == ExitCode::kUsage);
  CHECK(!may_review(bed.decisions[0], decider(kCal)));
  CHECK(may_review(bed.decisions[0], decider(kAnn)));
  bed.add(Verb::kReviewed, kAnn).about = 1;
  CHECK(is_reviewed(bed.decisions, bed.decisions[0]));
  CHECK(!unreviewed_of(bed.decisions, "2026"));
}

TEST_CASE("A clock that went back") {
  CHECK(check_clock({kNow, "run x"}, kNow));
  CHECK(check_clock({kNow + 500'000'000, "run x"}, kNow));
  CHECK(check_clock({kNow + kHour, "run x"}, kNow).error().exit == ExitCode::kTryLater);
}

TEST_CASE("Budgets name themselves and when there is room") {
  const std::map<std::string, std::int64_t> limits = {{"deletes", 10}, {"promotions", 3}};
  const std::vector<ledger::PromotionEffects> spent = {
      {kNow - 2 * kHour, 9, 9, 0, 0}, {kNow - kHour / 2, 4, 4, 0, 0}, {kNow - kHour / 4, 4, 4, 0, 0}};
  ledger::PromotionEffects wanted{kNow, 2, 2, 0, 0};
  CHECK(check_budgets(limits, spent, wanted, kNow));
  wanted.deletes = 3;
  const auto over = check_budgets(limits, spent, wanted, kNow);
  REQUIRE(!over);
  CHECK(over.error().exit == ExitCode::kHalted);
  CHECK(over.error().what == "the policy allows 10 deletes an hour: 8 are used, this promotion has 3");
  CHECK(over.error().fix == "there is room at 1970-01-12T14:16:40.000Z");  // half an hour later
  wanted.deletes = 11;
  CHECK(check_budgets(limits, spent, wanted, kNow).error().what.find("this promotion alone") !=
        std::string::npos);
  wanted.deletes = 0;
  CHECK(check_budgets({{"promotions", 2}}, spent, wanted, kNow).error().exit == ExitCode::kHalted);
  CHECK(check_budgets({{"bytes_written", 0}}, spent, wanted, kNow));
}
