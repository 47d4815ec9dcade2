// librehearse: the stable interface in terms of the rest.

#include <csignal>

#include "rehearsal/rehearsal.h"
#include "report/json.h"
#include "report/writer.h"

namespace rehearse {
namespace {

Failure failure(const Error& error) {
  return {error.what, error.fix, static_cast<int>(error.exit)};
}

Level level(verdict::Level level) {
  switch (level) {
    case verdict::Level::kGreen:
      return Level::kGreen;
    case verdict::Level::kYellow:
      return Level::kYellow;
    case verdict::Level::kInconclusive:
      return Level::kInconclusive;
    case verdict::Level::kRed:
      return Level::kRed;
  }
  return Level::kInconclusive;
}

Result<void> write_run(const std::string& path, const std::string& run, int fd) {
  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(path, ledger::Create::kNo));
  RH_TRY(const ledger::Bundle bundle, state.open_run(run));
  RH_TRY(const report::RunRecord record, bundle.read_record());
  RH_TRY(const UniqueFd manifest, bundle.open_kept("manifest"));
  report::Writer out(fd);
  RH_CHECK(report::write_run_json(out, record, manifest.get()));
  return out.flush();
}

}  // namespace

std::variant<Outcome, Failure> rehearse_action(const Options& options) {
  const auto order = plan_rehearsal(options, Purpose::kRun);
  if (!order) return failure(order.error());
  const auto run = rehearse(*order);
  if (!run) return failure(run.error());
  freeze_in_background(run->bundle);
  return Outcome{run->record.id, run->record.digest, level(run->record.verdict.level),
                 run->record.command.exit, run->record.command.signal};
}

std::optional<Failure> write_document(const std::string& state, const std::string& run, int fd) {
  if (const auto done = write_run(state, run, fd); !done) return failure(done.error());
  return std::nullopt;
}

}  // namespace rehearse
