// The sections of the terminal report that list paths.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"
#include "effects/change_set.h"
#include "report/link_names.h"
#include "report/terminal.h"
#include "report/writer.h"

namespace rehearse::report {

/// Adds one to the count of its kind.
void count(effects::Counts& counts, effects::ChangeKind kind);

/// What one pass over the manifest says about it. Bounded by the number of packages, and of hard links that
/// are named.
struct ManifestSummary {
  struct Owner {
    effects::Counts counts;    ///< without noise
    std::uint64_t listed = 0;  ///< changes that the owner's list shows: neither noise nor destructive
  };
  std::map<std::string, Owner> owners;  ///< by package; "" for none
  std::uint64_t destructive = 0;
  std::uint64_t noise = 0;
  std::uint64_t listed = 0;
  std::uint64_t listed_bytes = 0;  ///< of their paths
  LinkNames links;
};

Result<ManifestSummary> summarize(int manifest_fd);

/// What is shown of a renamed object: "/old → /new". At its old path it was put back, into a directory made
/// anew, after it had gone with the old one.
std::string renamed_text(const std::string& from, const std::string& to);

/// "− /path  14 KiB" without indent; `columns` > 0 shortens a path that does not fit, unless the change is
/// destructive.
std::string change_line(const effects::Change& change, const TerminalOptions& options,
                        const LinkNames& links = {});

/// counts_line for one owner, of whose objects none may be changed but in how many names they have.
std::string owner_counts(const effects::Counts& counts);

/// Every destructive change, one line each, nothing left out.
Result<void> write_destructive(Writer& out, const ManifestSummary& summary, int manifest_fd,
                               const TerminalOptions& options);

/// Everything else by owning package, noise as a count. `see` is the command that shows what was left out.
Result<void> write_owners(Writer& out, const ManifestSummary& summary, int manifest_fd,
                          const TerminalOptions& options, const std::string& see);

}  // namespace rehearse::report
