#include "verdict/failure_kind.h"

#include <algorithm>

namespace rehearse::verdict {
namespace {

constexpr FailureText kTexts[] = {
    {FailureKind::kConfigInvalid, "config-invalid", "A configuration file is not valid.",
     "Correct the file. Whoever reads it would fail, or go on with the old one, at the next restart."},
    {FailureKind::kSchemaMismatch, "schema-mismatch",
     "A database does not have the tables, columns or constraints that the command counts on.",
     "Compare the schema with what the command was written for; run the migration that it needs first."},
    {FailureKind::kPackageConflict, "package-conflict", "Packages cannot be installed together as asked.",
     "Read what the package manager says is in conflict; choose versions that go together, or remove one."},
    {FailureKind::kServiceFailed, "service-failed",
     "The service manager refused a request, or a service failed.",
     "Check the name of the unit and that it is installed (systemctl list-unit-files)."},
    {FailureKind::kDiskFull, "disk-full", "There was no room left to write.",
     "Free space on the filesystem, or raise --max-write if the rehearsal's own limit was met."},
    {FailureKind::kPermissionDenied, "permission-denied", "The command was not permitted what it tried.",
     "Give the user the right to the object, or run the action as another user. What a sandbox cannot be "
     "permitted is listed as an attempt."},
    {FailureKind::kMissingCommand, "missing-command", "A program that the command needs is not there.",
     "Install the package that has it, or correct PATH."},
    {FailureKind::kMissingFile, "missing-file", "A file or directory that the command needs is not there.",
     "Create it, or correct the path."},
    {FailureKind::kNotADirectory, "not-a-directory",
     "A path leads through something that is there and is not a directory, or has to be one.",
     "Correct the path. Nothing is missing: look what stands there (ls -ld)."},
    {FailureKind::kDependencyUnreachable, "dependency-unreachable",
     "Something that the command depends on could not be reached.",
     "Let the rehearsal reach it with --pass, or have it answered by --mock or --replay; if it is not there "
     "on "
     "the host either, start it first."},
    {FailureKind::kTimeout, "timeout", "Something took longer than it may.",
     "Raise the limit, or find out what it waits for: `rehearse trace`."},
    {FailureKind::kKilled, "killed", "A process was ended by a signal.",
     "Find out who sent it: `rehearse trace`. A crash (SIGSEGV, SIGABRT) is a bug of the program; SIGKILL "
     "without a sender is memory."},
};

}  // namespace

const FailureText& describe(FailureKind kind) {
  return *std::ranges::find(kTexts, kind, &FailureText::kind);
}

std::optional<FailureKind> parse_failure_kind(std::string_view name) {
  const auto found = std::ranges::find(kTexts, name, &FailureText::name);
  if (found == std::end(kTexts)) return std::nullopt;
  return found->kind;
}

}  // namespace rehearse::verdict
