// One rehearsal as a whole: sandbox, change set, verdict, kept bundle. The line of ARCHITECTURE.md as code.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.h"
#include "host/facts.h"
#include "ledger/state.h"
#include "rehearsal/action_file.h"
#include "rehearsal/network.h"
#include "rehearse/rehearse.h"
#include "report/run_record.h"
#include "sandbox/plan.h"
#include "trace/preparation.h"
#include "verdict/policy.h"

namespace rehearse {

/// What is to be rehearsed, planned already.
struct Order {
  Options asked;
  Options options;  ///< those asked for, with what the action file says
  std::optional<ActionFile> action;
  std::optional<verdict::Expectations> expected;  ///< declared of it
  std::optional<ledger::StateDir> state;          ///< absent when the plan is only to be shown
  host::HostFacts facts;
  sandbox::Plan plan;
  std::unique_ptr<NetworkPlan> network;
  std::unique_ptr<trace::Preparation> recording;  ///< none: it is not to be recorded, or not to be run
  std::int64_t begun_ns = 0;                      ///< CLOCK_MONOTONIC when planning began
};

struct Finished {
  ledger::Bundle bundle;
  report::RunRecord record;
  verdict::Policy policy;  ///< that it was judged by
};

enum class Purpose { kShow, kRun };
/// Reads the facts and makes the plan. kShow changes nothing; kRun opens the state directory, and makes it
/// where there is none: what is hidden from the action is what this descriptor refers to.
/// kAllowed: whatever the options and the action file say of writing nothing.
enum class Writes { kAsAsked, kAllowed };
Result<Order> plan_rehearsal(const Options& options, Purpose purpose, Writes writes = Writes::kAsAsked);

/// Runs it. First collects what killed runs left. An error means that the action never ran or that its
/// evidence could not be kept.
Result<Finished> rehearse(const Order& order);

/// A process of its own makes the bundle durable and marks it frozen: off the timed path. Call once.
void freeze_in_background(const ledger::Bundle& bundle);

}  // namespace rehearse
