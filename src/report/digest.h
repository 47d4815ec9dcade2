// The digest of a run: what an approval is bound to.
#pragma once

#include <string>

#include "report/run_record.h"

namespace rehearse::report {

/// RFC 8785 canonical JSON of {action, manifest root, read-set root if there is a trace, mirror identity,
/// fidelity gaps}; no times, no ids. Strings that are not UTF-8 appear as {"b64": ...}.
std::string canonical_json(const RunRecord& record);

/// "sha256:" + hex of SHA-256 over canonical_json.
std::string run_digest(const RunRecord& record);

}  // namespace rehearse::report
