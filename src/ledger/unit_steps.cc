#include "ledger/unit_steps.h"

#include <array>

#include "ledger/database.h"
#include "ledger/ledger.h"

namespace rehearse::ledger {
namespace {

constexpr std::array<const char*, 6> kResults = {"pending", "begun", "done", "failed", "left", "interrupted"};

StepResult result_of(const std::string& word) {
  for (std::size_t i = 0; i < kResults.size(); ++i) {
    if (word == kResults[i]) return static_cast<StepResult>(i);
  }
  return StepResult::kInterrupted;
}

constexpr const char* kPut =
    "INSERT OR REPLACE INTO unit_steps (promotion, number, verb, unit, mode, result, irreversible, "
    "state_before, "
    "state_after, detail, took_ns) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)";
constexpr const char* kPutState =
    "INSERT INTO unit_states (promotion, number, name, id, state_before, state_after, ran) VALUES "
    "(?1,?2,?3,?4,?5,?6,?7)";

}  // namespace

const char* to_string(StepResult result) {
  return kResults[static_cast<std::size_t>(result)];
}

struct UnitSteps::Impl {
  Database database;

  Result<void> put(const std::string& promotion, std::size_t number, const UnitStep& step) {
    RH_TRY(Statement statement, Statement::prepare(database.get(), kPut));
    statement.bind(1, promotion).bind(2, static_cast<std::int64_t>(number)).bind_bytes(3, step.verb);
    statement.bind_bytes(4, step.unit)
        .bind_bytes(5, step.mode)
        .bind(6, std::string_view(to_string(step.result)));
    statement.bind(7, std::int64_t{step.irreversible}).bind_bytes(8, step.before).bind_bytes(9, step.after);
    return statement.bind_bytes(10, step.detail).bind(11, step.took_ns).run();
  }

  Result<void> put(const std::string& promotion, std::size_t number, const UnitState& state) {
    RH_TRY(Statement statement, Statement::prepare(database.get(), kPutState));
    statement.bind(1, promotion).bind(2, static_cast<std::int64_t>(number)).bind_bytes(3, state.name);
    statement.bind_bytes(4, state.id).bind_bytes(5, state.before).bind_bytes(6, state.after);
    return statement.bind(7, std::int64_t{state.ran}).run();
  }

  Result<void> remove(const std::string& table, const std::string& promotion) {
    RH_TRY(Statement statement,
           Statement::prepare(database.get(), ("DELETE FROM " + table + " WHERE promotion = ?1").c_str()));
    return statement.bind(1, promotion).run();
  }

  template <class Work>
  Result<void> at_once(Work work) {
    RH_CHECK(database.execute("BEGIN IMMEDIATE"));
    Result<void> done = work();
    if (done) return database.execute("COMMIT");
    (void)database.execute("ROLLBACK");
    return done;
  }
};

UnitSteps::UnitSteps(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UnitSteps::UnitSteps(UnitSteps&&) noexcept = default;
UnitSteps& UnitSteps::operator=(UnitSteps&&) noexcept = default;
UnitSteps::~UnitSteps() = default;

Result<UnitSteps> UnitSteps::open(const StateDir& state) {
  {
    RH_TRY(const Ledger ledger, Ledger::open(state));  // brings the schema up to date
  }
  RH_TRY(Database database, Database::open(state.path() + "/ledger.db", Database::Mode::kReadWrite));
  RH_CHECK(database.execute("PRAGMA synchronous=FULL"));
  return UnitSteps(std::make_unique<Impl>(Impl{std::move(database)}));
}

Result<void> UnitSteps::put(const std::string& promotion, const std::vector<UnitStep>& steps) {
  return impl_->at_once([&]() -> Result<void> {
    RH_CHECK(remove(promotion));
    for (std::size_t i = 0; i < steps.size(); ++i) RH_CHECK(impl_->put(promotion, i, steps[i]));
    return {};
  });
}

Result<void> UnitSteps::set(const std::string& promotion, std::size_t number, const UnitStep& step) {
  return impl_->put(promotion, number, step);
}

Result<std::vector<UnitStep>> UnitSteps::of(const std::string& promotion) {
  RH_TRY(
      Statement statement,
      Statement::prepare(impl_->database.get(),
                         "SELECT verb, unit, mode, result, irreversible, state_before, state_after, detail, "
                         "took_ns FROM unit_steps WHERE promotion = ?1 ORDER BY number"));
  statement.bind(1, promotion);
  std::vector<UnitStep> steps;
  while (true) {
    RH_TRY(const bool more, statement.step());
    if (!more) return steps;
    UnitStep step;
    step.verb = statement.text(0);
    step.unit = statement.text(1);
    step.mode = statement.text(2);
    step.result = result_of(statement.text(3));
    step.irreversible = statement.integer(4) != 0;
    step.before = statement.text(5);
    step.after = statement.text(6);
    step.detail = statement.text(7);
    step.took_ns = statement.integer(8);
    steps.push_back(std::move(step));
  }
}

Result<void> UnitSteps::put_states(const std::string& promotion, const std::vector<UnitState>& states) {
  return impl_->at_once([&]() -> Result<void> {
    RH_CHECK(impl_->remove("unit_states", promotion));
    for (std::size_t i = 0; i < states.size(); ++i) RH_CHECK(impl_->put(promotion, i, states[i]));
    return {};
  });
}

Result<std::vector<UnitState>> UnitSteps::states_of(const std::string& promotion) {
  RH_TRY(Statement statement,
         Statement::prepare(impl_->database.get(),
                            "SELECT name, id, state_before, state_after, ran FROM unit_states WHERE "
                            "promotion = ?1 ORDER BY number"));
  statement.bind(1, promotion);
  std::vector<UnitState> states;
  while (true) {
    RH_TRY(const bool more, statement.step());
    if (!more) return states;
    UnitState state;
    state.name = statement.text(0);
    state.id = statement.text(1);
    state.before = statement.text(2);
    state.after = statement.text(3);
    state.ran = statement.integer(4) != 0;
    states.push_back(std::move(state));
  }
}

Result<void> UnitSteps::remove(const std::string& promotion) {
  RH_CHECK(impl_->remove("unit_states", promotion));
  return impl_->remove("unit_steps", promotion);
}

}  // namespace rehearse::ledger
