// What the checks of staleness share: how a fact is named, and which are left out. Internal to them.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/digest.h"
#include "promote/staleness.h"

namespace rehearse::promote {

inline constexpr std::size_t kMostMoved = 1000;  ///< as many are named; beyond that the count says enough

/// "directory", "file", ...
const char* type_word(mode_t mode);
mode_t type_bits(effects::FileType type);

/// "file, 12 bytes, inode 3, changed 2026-01-01T00:00:00Z, sha256:..."
std::string describe(const char* type, std::uint64_t ino, std::uint64_t size, std::int64_t ctime_ns,
                     const std::optional<Sha256>& digest);
std::string describe(const struct stat& st, const std::optional<Sha256>& digest = std::nullopt);
std::string owner_of(const struct stat& st);

std::optional<std::uint64_t> generation_of(int file);

/// Nothing: it is compared.
const StaleIgnore* ignored_by(const StalenessRules& rules, const std::string& path, Staleness& result);
/// Names the fact, unless the operator has.
void note(const StalenessRules& rules, Staleness& result, Moved moved);

}  // namespace rehearse::promote
