#include "promote/operation_list.h"

#include <utility>

#include "promote/binding.h"

namespace rehearse::promote {
namespace {

using effects::Change;
using effects::ChangeKind;

/// What is done by the step; nothing if it does nothing.
std::string word_of(const Step& step, std::span<const Change> changes,
                    std::span<const std::optional<Facts>> facts) {
  const bool there = step.change != Step::kNone && facts[step.change];
  switch (step.kind) {
    case OperationKind::kMove:
      if (is_gone_already(step, changes, facts)) return {};
      if (step.to_kept) return changes[step.change].kind == ChangeKind::kRenamed ? "take out" : "remove";
      if (step.from.area == Area::kHost || step.parked != Step::kNone) return "rename";
      return there && !changes[step.change].before ? "replace" : "put";
    case OperationKind::kExchange:
      return there ? "replace" : "put";
    case OperationKind::kRewrite:
      return "rewrite";
    case OperationKind::kAttributes:
      if (step.change == Step::kNone) return step.restore_time ? "time" : "";
      return "attributes";
  }
  return {};
}

}  // namespace

std::vector<Shown> list_operations(const Plan& plan, std::span<const Change> changes,
                                   std::span<const std::optional<Facts>> facts) {
  std::vector<Shown> all;
  for (const LayerPlan& layer : plan.layers) {
    const std::string head = layer.mountpoint == "/" ? "/" : layer.mountpoint + "/";
    for (const Step& step : layer.steps) {
      Shown shown{word_of(step, changes, facts), {}, {}};
      if (shown.what.empty()) continue;
      shown.path = head + (step.to_kept ? step.from.path : step.to.path);
      if (shown.what == "rename") shown.from = head + plan.origins[step.change];
      all.push_back(std::move(shown));
    }
  }
  return all;
}

Shown show_operation(const Operation& operation, const Volume& volume) {
  Shown shown;
  const bool to_host = operation.to.area == Area::kHost;
  shown.path = volume.shown(to_host ? operation.to : operation.from);
  switch (operation.kind) {
    case OperationKind::kMove:
      shown.what = !to_host ? "remove" : operation.from.area == Area::kHost ? "rename" : "put";
      if (shown.what == "rename") shown.from = volume.shown(operation.from);
      break;
    case OperationKind::kExchange:
      shown.what = "replace";
      break;
    case OperationKind::kRewrite:
      shown.what = "rewrite";
      break;
    case OperationKind::kAttributes:
      shown.what = operation.time_only ? "time" : "attributes";
      break;
  }
  return shown;
}

}  // namespace rehearse::promote
