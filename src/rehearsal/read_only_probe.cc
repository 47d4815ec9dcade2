#include "rehearsal/read_only_probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/tree.h"
#include "rehearsal/rehearsal.h"

namespace rehearse {
namespace {

constexpr std::int64_t kPatienceNs = 10'000'000'000;
/// A file that every host has. Nothing is written even if it can be opened.
constexpr const char* kWrites = ": >> /etc/passwd";
constexpr const char* kReads = ": < /etc/passwd";

/// Removed with everything in it.
class Scratch {
 public:
  static Result<Scratch> create(const std::string& state) {
    const std::size_t slash = state.rfind('/');
    std::string parent = slash == 0 || slash == std::string::npos ? "/" : state.substr(0, slash);
    auto opened = sys::open(parent.c_str(), O_RDONLY | O_DIRECTORY);
    if (!opened) {
      parent = "/var/tmp";
      RH_TRY(opened, sys::open(parent.c_str(), O_RDONLY | O_DIRECTORY));
    }
    return Scratch(std::move(*opened), std::move(parent), fmt::format(".rehearse-doctor-{}", ::getpid()));
  }
  Scratch(Scratch&& other) noexcept = default;
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch() {
    if (parent_fd_.valid()) (void)remove_tree(parent_fd_.get(), name_.c_str());
  }
  [[nodiscard]] std::string path() const { return (parent_ == "/" ? "" : parent_) + '/' + name_; }

 private:
  Scratch(UniqueFd parent_fd, std::string parent, std::string name)
      : parent_fd_(std::move(parent_fd)), parent_(std::move(parent)), name_(std::move(name)) {}
  UniqueFd parent_fd_;
  std::string parent_;
  std::string name_;
};

/// What came of running it where it may write nothing.
Result<report::ReadOnlyRecord> try_script(const std::string& state, const char* script, int nothing) {
  Options options;
  options.argv = {"/bin/sh", "-c", script};
  options.state = state;
  options.cwd = "/";
  options.policy = {"builtin"};
  options.validators = false;
  options.read_only = true;
  options.wall_ns = kPatienceNs;
  options.in = options.out = options.err = nothing;
  RH_TRY(const Order order, plan_rehearsal(options, Purpose::kRun));
  RH_TRY(const Finished run, rehearse(order));
  if (!run.record.command.error.empty()) return fail(run.record.command.error);
  if (!run.record.read_only) return fail("the run says nothing of being read-only");
  return *run.record.read_only;
}

}  // namespace

Result<ReadOnlyAbilities> probe_read_only(const std::string& state) {
  RH_TRY(const UniqueFd nothing, sys::open("/dev/null", O_RDWR));
  RH_TRY(const Scratch scratch, Scratch::create(state));
  RH_TRY(const auto wrote, try_script(scratch.path(), kWrites, nothing.get()));
  if (wrote.enforced && wrote.watched)
    return fail("an action that may not write could open a file for writing", ExitCode::kFailure,
                "please report it with `rehearse run --read-only --plan -- true`");
  RH_TRY(const auto read, try_script(scratch.path(), kReads, nothing.get()));
  ReadOnlyAbilities abilities;
  abilities.proves = read.proved();
  if (!read.watched)
    abilities.why_not = "nothing was recorded";
  else if (!read.attempts.empty())
    abilities.why_not = "a command that only reads was ended for " + read.attempts.front().detail;
  return abilities;
}

}  // namespace rehearse
