// Action files: an action with everything that is said about it, in TOML, under a name. docs/action-files.md
// is the reference. What the command line says as well goes before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rehearse/rehearse.h"
#include "verdict/expectation.h"

namespace rehearse {

inline constexpr const char* kActionDirectory = "/etc/rehearse/actions";
inline constexpr std::size_t kLargestActionFile = 4U << 20U;

struct ActionFile {
  std::string path;
  std::string text;  ///< its network tables are read from it again (gate/mock_file.h)
  std::string name;
  std::string kind;  ///< `class` of the file; or empty
  std::vector<std::string> argv;
  bool takes_extra_words = false;
  std::string user;
  std::string cwd;
  std::vector<std::string> env;  ///< NAME or NAME=VALUE
  std::vector<std::string> hide;
  std::vector<std::string> mask;
  bool read_only = false;
  std::optional<std::int64_t> wall_ns;
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> pids;
  std::optional<double> cpus;
  std::optional<std::uint64_t> write_bytes;
  verdict::Expectations expected;
};

/// `path` is for errors; they are kConfig and name file, line, column, the thing and the remedy. The network
/// tables are not looked at.
Result<ActionFile> parse_action_file(std::string text, const std::string& path);

/// `action`: a name, of a file in kActionDirectory, or a path with a slash in it. Only a file that nobody but
/// root can write is taken (kNoPermission): it says what runs as root, and what is let through.
Result<ActionFile> read_action_file(const std::string& action);

/// What is declared of the action, by its file or by `Options::expect`; kUsage if both do.
Result<std::optional<verdict::Expectations>> plan_expectations(const Options& options,
                                                               const ActionFile* file);

/// `options` with what the file says where they say nothing; lists are put together. kUsage if there are
/// words of a command that the file does not take.
Result<Options> with_action(Options options, const ActionFile& file);

}  // namespace rehearse
