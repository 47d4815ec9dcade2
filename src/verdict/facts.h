// What a run did, as rules see it. Made elsewhere: this folder needs no other. Strings are raw bytes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "verdict/subjects.h"

namespace rehearse::verdict {

/// One fact of a streamed subject: a change of a file, or a file that was read. Borrowed: valid during the
/// visit.
struct StreamFact {
  std::string_view path;
  std::string_view from;          ///< old path of a renamed object, else empty
  bool stands_for_below = false;  ///< a renamed directory or a symlink: what lies below moved with it
  std::uint64_t words = 0;        ///< bit_of(...) of each word and truth that holds
  std::string_view target;        ///< absolute, of a symlink
  std::string_view package;
  std::uint64_t size = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};
using StreamVisit = std::function<bool(const StreamFact&)>;
/// Calls the visitor for each fact, always in the same order, until it returns false.
using Stream = std::function<Result<void>(const StreamVisit&)>;

/// Of a key: not known, a truth, a number, a text, or several of which any may match.
using Value = std::variant<std::monostate, bool, std::int64_t, std::string, std::vector<std::string>>;

struct Row {
  std::string text;           ///< the fact in one line, for evidence
  std::vector<Value> values;  ///< in the order of the subject's keys
};

/// The facts of one subject.
struct Rows {
  std::vector<Row> rows;
  std::string unknown;  ///< why there may be more than these; empty: these are all
};

struct PolicyFacts {
  /// By Subject. Of the streamed ones `rows` is empty and `unknown` counts.
  std::array<Rows, kSubjects> subjects;
  Stream changes;
  Stream reads;
  std::int64_t created_ns = 0;  ///< of the run: exceptions have to be valid then
  bool clock_trusted = true;    ///< false: no exception counts
  std::string action;           ///< name of the action file, or empty

  [[nodiscard]] const Rows& of(Subject subject) const { return subjects[static_cast<std::size_t>(subject)]; }
  Rows& of(Subject subject) { return subjects[static_cast<std::size_t>(subject)]; }
};

}  // namespace rehearse::verdict
