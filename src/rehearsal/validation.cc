#include "rehearsal/validation.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <re2/re2.h>

#include "base/sys.h"
#include "rehearsal/service_manager.h"
#include "sandbox/sandbox.h"

namespace rehearse {
namespace {

constexpr std::size_t kMostKept = 4096;  ///< of what a program printed, its end
constexpr std::uint64_t kMostOutput = std::uint64_t{256} << 10U;

enum class Shown { kHost, kChanged };

/// The plan by which the action ran, for another command: root's, in /.
sandbox::Plan plan_for(const sandbox::Plan& of_action, const Validation& validation) {
  sandbox::Plan plan = of_action;
  sandbox::Request& request = plan.request;
  request.argv = validation.argv;
  request.cwd = "/";
  request.identity = {};
  request.env = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, {"LC_ALL", "C"}};
  request.umask = 022;
  request.terminal = false;
  request.limits.wall_ns = validation.validator->timeout_ns;
  return plan;
}

std::string kept(const ledger::Bundle& bundle, const char* name) {
  const auto file = bundle.open_file(name);
  const auto text = file ? sys::read_all(file->get(), kMostOutput) : Result<std::string>(std::string());
  return text.value_or(std::string());
}

/// How it ended, and all that it printed.
Result<report::InsideRecord> run_in(const ValidationPlace& place, const Validation& validation, Shown shown,
                                    const ledger::Bundle& bundle) {
  const sandbox::Plan plan = plan_for(*place.plan, validation);
  RH_TRY(const auto nothing, sys::open("/dev/null", O_RDONLY));
  RH_TRY(const auto directory, bundle.make_dir("output"));
  RH_TRY(const auto out, bundle.create_file("output/stdout"));
  RH_TRY(const auto err, bundle.create_file("output/stderr"));
  ServiceManager manager(plan.request.profile == sandbox::Profile::kShifted ? sandbox::kIdShift : 0);
  sandbox::Surroundings around;
  around.id = bundle.id();
  around.bundle = bundle.fd();
  around.base = shown == Shown::kChanged ? place.bundle->fd() : -1;
  around.facts = place.facts;
  around.manager = &manager;
  around.streams = {nothing.get(), -1, -1, -1, -1, out.get(), err.get(), kMostOutput};
  RH_TRY(auto ran, sandbox::rehearse_action(plan, around));
  manager.end();
  ran.remains.reset();
  const sandbox::Evidence& evidence = ran.evidence;
  report::InsideRecord run;
  run.argv = validation.argv;
  run.ran = evidence.start_error.empty();
  run.error = evidence.start_error;
  run.timed_out = evidence.timed_out;
  if (evidence.interrupted_by) run.error = "interrupted";
  if (!run.timed_out) run.signal = evidence.signal;
  if (run.ran && !run.timed_out) run.exit = evidence.exit;
  run.wall_ns = evidence.wall_ns;
  run.out = kept(bundle, "output/stdout");
  run.err = kept(bundle, "output/stderr");
  return run;
}

report::InsideRecord run_once(const ValidationPlace& place, const Validation& validation, Shown shown) {
  const auto ran = [&]() -> Result<report::InsideRecord> {
    RH_TRY(auto bundle, place.state->create_run());
    auto run = run_in(place, validation, shown, bundle);
    RH_CHECK(bundle.remove());
    RH_CHECK(place.bundle->remove_part("again"));
    return run;
  }();
  if (ran) return *ran;
  report::InsideRecord run;
  run.argv = validation.argv;
  run.error = ran.error().what;
  return run;
}

/// Whether it printed something that the expression finds; an empty one finds nothing.
bool says(const report::InsideRecord& run, const std::string& expression) {
  if (expression.empty()) return false;
  re2::RE2::Options options;
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_log_errors(false);
  const re2::RE2 regex(expression, options);
  return re2::RE2::PartialMatch(run.err, regex) || re2::RE2::PartialMatch(run.out, regex);
}

std::string result_of(const Validator& validator, const report::InsideRecord& run) {
  if (!run.error.empty() || run.timed_out || run.signal || !run.exit) return "unknown";
  if (*run.exit == 0) return "valid";
  if (says(run, validator.passed)) return "valid";
  if (says(run, validator.unsure)) return "unknown";
  return "invalid";
}

void keep_end(std::string& text) {
  if (text.size() > kMostKept) text.erase(0, text.size() - kMostKept);
}

std::string line_of(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

/// The last lines that say something.
std::string last_said(const report::InsideRecord& run) {
  std::string text = run.err.empty() ? run.out : run.err;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  constexpr std::size_t kMostSaid = 1024;
  if (text.size() > kMostSaid) text.erase(0, text.size() - kMostSaid);
  return text;
}

}  // namespace

void validate(const ValidationPlace& place, report::RunRecord& record) {
  if (record.counts.total() == 0) return;  // nor is there any configuration that changed
  const Validations wanted = validations_for(shipped_validators(), *place.bundle);
  if (wanted.cut)
    record.gaps.push_back({"validators: not all changed configuration was validated",
                           "more of it changed than they look at in one run", verdict::Level::kYellow});
  for (const Validation& validation : wanted.runs) {
    report::ValidationRecord one;
    one.run = run_once(place, validation, Shown::kChanged);
    one.result = result_of(*validation.validator, one.run);
    one.files = validation.files;
    if (one.result == "invalid") {
      const report::InsideRecord before = run_once(place, validation, Shown::kHost);
      one.before = result_of(*validation.validator, before);
      one.before_said = last_said(before);
    }
    keep_end(one.run.out);
    keep_end(one.run.err);
    record.validations.push_back(std::move(one));
  }
}

std::vector<verdict::ConfigCheck> config_checks(report::RunRecord& record) {
  std::vector<verdict::ConfigCheck> checks;
  for (const report::ValidationRecord& validation : record.validations) {
    const report::InsideRecord& run = validation.run;
    if (validation.result == "unknown") {
      const std::string why = !run.error.empty() ? "the validator was not started: " + run.error
                              : run.timed_out    ? "the validator did not end"
                                                 : "the validator could not tell: " + last_said(run);
      record.gaps.push_back(
          {fmt::format("configuration {} not checked by `{}`",
                       validation.files.empty() ? "" : validation.files.front(), line_of(run.argv)),
           why, verdict::Level::kYellow});
      continue;
    }
    verdict::ConfigCheck check{line_of(run.argv), validation.files, validation.result == "valid",
                               last_said(run),    std::nullopt,     validation.before_said};
    if (validation.before == "valid" || validation.before == "invalid")
      check.valid_before = validation.before == "valid";
    checks.push_back(std::move(check));
  }
  return checks;
}

}  // namespace rehearse
