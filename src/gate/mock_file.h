// The network tables of a file in TOML: [[pass]], [[deny]] and [[mock]], of an action file or of `--mock
// FILE`. docs/network-rules.md is the reference.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gate/dns_zone.h"
#include "gate/mock.h"
#include "gate/rules.h"

namespace rehearse::gate {

inline constexpr std::size_t kLargestMockFile = 4U << 20U;
inline constexpr std::size_t kLargestBodyFile = 16U << 20U;
inline constexpr std::size_t kLargestBodies = 64U << 20U;  ///< of all body files of one mock file

enum class FileKind : std::uint8_t {
  kMock,    ///< nothing but these tables, and `schema = "rehearse.mock/1"` if it is given
  kAction,  ///< other keys and tables are for others to read
};

struct MockFile {
  Rules rules;
  std::vector<DnsMock> dns;
};

/// `path` is for errors and for Mock::place. Files that `body_file` names are read now, below the directory
/// `dir`, without symlinks. Errors are kConfig, name file, line, column (in characters), the thing and the
/// remedy.
Result<MockFile> parse_mock_file(std::string_view text, const std::string& path, FileKind kind, int dir);

}  // namespace rehearse::gate
