// `rehearse.run/1`: the one document everything is rendered from (field names: documentation of the JSON
// output).
//
// Strings that are not UTF-8 appear twice: lossy under their name and exact as base64 under NAME_b64.
// Invisible and directional characters are written as \u escapes, so that a document shown on a terminal
// cannot act on it. Fields of parts that are not built are absent.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "effects/change.h"
#include "report/decision_text.h"
#include "report/run_record.h"
#include "report/writer.h"

namespace rehearse::report {

/// The record without `changes`: what run.json holds.
std::string to_json(const RunRecord& record);
/// Inverse of to_json; accepts a full document too. kDataError names what is wrong. The text may be hostile.
Result<RunRecord> parse_run_json(std::string_view text);

/// The whole document with `changes` streamed from the manifest (-1: no changes part), and what the ledger
/// has of the run.
Result<void> write_run_json(Writer& out, const RunRecord& record, int manifest_fd,
                            const Decided& decided = {});
Result<void> write_run_json(int fd, const RunRecord& record, int manifest_fd);

/// One element of `changes`.
std::string to_json(const effects::Change& change);

}  // namespace rehearse::report
