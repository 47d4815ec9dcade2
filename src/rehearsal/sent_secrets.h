// Which secrets the action may have sent away: what it had read before it tried to reach something outside,
// or while who tried that still lived.
#pragma once

#include <set>
#include <string>

#include "report/run_record.h"

namespace rehearse {

/// Whatever it was for stays on this host.
bool stays_local(const report::NetworkRecord& to);
/// The same of a question. A name below localhost goes to the name server that is asked, with all that it
/// says, unless the resolver knows better (RFC 6761 6.3).
bool stays_local(const report::DnsRecord& asked);

class SentSecrets {
 public:
  /// Borrowed.
  explicit SentSecrets(const report::RunRecord& record);

  /// Whether what was opened at `path` may have been sent. Of an opening of which it is not known when and by
  /// whom it was made: if anything outside was to be reached.
  [[nodiscard]] bool may_be_sent(const std::string& path) const;

 private:
  [[nodiscard]] bool may_be_sent(const report::SecretOpening& opening) const;
  [[nodiscard]] bool precedes(const report::SecretOpening& opening, const report::NetworkRecord& to) const;

  const report::RunRecord& record_;
  std::set<std::string> timed_;  ///< paths of which the openings are known
  bool reaches_out_ = false;
};

}  // namespace rehearse
