// [expect] and [[probe]], of an action file or of `--expect FILE`: what is declared of an action before it
// runs. docs/action-files.md is the reference.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/toml_file.h"
#include "verdict/expectation.h"

namespace rehearse {

inline constexpr std::size_t kLargestExpectFile = 1U << 20U;

/// The two tables of a file; empty if it has neither. Errors are kConfig and name file, line, column, the
/// thing and the remedy.
Result<verdict::Expectations> read_expectations(const TomlTable& root, const std::string& source);

/// A file of nothing else: schema "rehearse.expect/1". `path` is for errors, and becomes the source.
Result<verdict::Expectations> parse_expect_file(std::string_view text, const std::string& path);

/// kUsage if it cannot be read.
Result<verdict::Expectations> read_expect_file(const std::string& path);

}  // namespace rehearse
