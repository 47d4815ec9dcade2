#include "promote/frozen_bundle.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/sys.h"
#include "effects/manifest.h"
#include "effects/record_file.h"
#include "report/digest.h"

namespace rehearse::promote {
namespace {

constexpr std::size_t kLeastDigits = 12;
constexpr int kLockTries = 12;  ///< of five seconds each
constexpr std::string_view kPrefix = "sha256:";
constexpr const char* kAgain = "rehearse again";

tl::unexpected<Error> changed(const std::string& run, const char* what) {
  return fail("run " + run + ": " + what + " is not what the run's digest stands for", ExitCode::kDataError,
              kAgain);
}

/// Hashes the whole file, then reads on from its start.
Result<Sha256> digest_of(const UniqueFd& file) {
  RH_TRY(const Sha256 digest, sha256_fd(file.get()));
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return sys::last_error("lseek");
  return digest;
}

}  // namespace

Result<RunAtDigest> parse_run_at_digest(std::string_view text) {
  const auto at = text.find('@');
  const char* const fix = "name it as the report prints it: RUN@DIGEST";
  if (at == std::string_view::npos)
    return fail("\"" + std::string(text.substr(0, 120)) + "\" names no digest", ExitCode::kUsage, fix);
  RunAtDigest result;
  result.run = text.substr(0, at);
  std::string_view digest = text.substr(at + 1);
  if (digest.starts_with(kPrefix)) digest.remove_prefix(kPrefix.size());
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (digest.size() < kLeastDigits || digest.size() > 64 ||
      !std::all_of(digest.begin(), digest.end(), is_digit))
    return fail("\"" + std::string(digest.substr(0, 80)) + "\" is not a digest (12 to 64 hexadecimal digits)",
                ExitCode::kUsage, fix);
  result.digest = digest;
  return result;
}

Result<FrozenBundle> open_frozen(const ledger::StateDir& state, std::string_view run,
                                 std::string_view digest) {
  RH_TRY(ledger::Bundle bundle, state.open_run(run));
  bool mine = false;
  // A finished run may still be made durable by its child, which takes as long as its disk does.
  for (int tries = 0; !mine && tries < kLockTries; ++tries) {
    RH_TRY(mine, bundle.lock_when_over());
    if (!bundle.finished()) break;
  }
  if (!mine)
    return fail("run " + bundle.id() + " is still going on or in use", ExitCode::kTryLater, "end it first");
  if (!bundle.finished())
    return fail("run " + bundle.id() + " was interrupted: there is nothing to promote", ExitCode::kDataError,
                kAgain);
  if (!bundle.frozen()) RH_CHECK(bundle.freeze());
  FrozenBundle frozen{std::move(bundle), {}, {}, {}, {}};
  const std::string& id = frozen.bundle.id();
  Sha256Hasher seal;
  const auto add = [&seal](const Sha256& part) {
    seal.update({reinterpret_cast<const char*>(part.data()), part.size()});
  };
  {
    RH_TRY(const UniqueFd file, frozen.bundle.open_file("run.json"));
    RH_TRY(const Sha256 part, digest_of(file));
    add(part);
  }
  RH_TRY(frozen.record, frozen.bundle.read_record());
  const std::string computed = report::run_digest(frozen.record);
  if (computed != frozen.record.digest) return changed(id, "run.json");
  if (!std::string_view(computed).substr(kPrefix.size()).starts_with(digest))
    return fail("run " + id + " has the digest " + computed + ", not the one named", ExitCode::kNotApproved,
                "read its report again: rehearse show " + id);
  RH_TRY(const UniqueFd manifest, frozen.bundle.open_kept("manifest"));
  RH_TRY(const Sha256 manifest_part, digest_of(manifest));
  add(manifest_part);
  // Of a count that is not true only the room would be wrong, and no record is as small as this.
  RH_TRY(const struct stat size, sys::stat_fd(manifest.get()));
  constexpr std::uint64_t kLeastBytes = 40;
  frozen.changes.reserve(
      std::min(frozen.record.counts.total(), static_cast<std::uint64_t>(size.st_size) / kLeastBytes));
  RH_CHECK(effects::read_manifest(manifest.get(), [&](const effects::Change& change) {
    frozen.changes.push_back(change);
    return true;
  }));
  RH_TRY(const std::string manifest_root, effects::stated_root(manifest.get()));
  if (manifest_root != frozen.record.manifest_root) return changed(id, "its manifest");
  if (frozen.record.trace && !frozen.record.reads.root.empty()) {
    RH_TRY(const UniqueFd reads, frozen.bundle.open_kept("reads"));
    RH_TRY(const Sha256 reads_part, digest_of(reads));
    add(reads_part);
    RH_CHECK(effects::read_read_list(reads.get(), [&](const effects::HostRead& read) {
      frozen.reads.push_back(read);
      return true;
    }));
    RH_TRY(const std::string reads_root, effects::stated_root(reads.get()));
    if (reads_root != frozen.record.reads.root) return changed(id, "its read list");
  }
  // Nothing of these is promoted; what was decided rests on them all the same.
  for (const char* name : {"policy.json", "trace"}) {
    const auto file = frozen.bundle.open_file(name);
    if (!file && file.error().err == ENOENT) continue;
    if (!file) return tl::make_unexpected(file.error());
    RH_TRY(const Sha256 part, digest_of(*file));
    add(part);
    const std::string& policy = frozen.record.verdict.policy_digest;
    if (std::string_view(name) == "policy.json" && !policy.empty() &&
        policy != std::string(kPrefix) + hex(part))
      return changed(id, "its policy");
  }
  frozen.seal = seal.finish();
  return frozen;
}

}  // namespace rehearse::promote
