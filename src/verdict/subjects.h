// What policies may speak of: subjects, their keys, and the words that a key may have. One table, from which
// the parser, the engine and the error messages are made.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace rehearse::verdict {

enum class Subject : std::uint8_t {
  kFile,
  kRead,
  kProcess,
  kNet,
  kUnit,
  kPrivilege,
  kAccount,
  kPackage,
  kSysctl,
  kCost,
  kCommand,
  kTrace,
  kFidelity,
  kExpect,
};
inline constexpr std::size_t kSubjects = 14;

enum class KeyKind : std::uint8_t {
  kPath,      ///< path globs (path_globs.h)
  kText,      ///< wildcard.h
  kWord,      ///< some of the key's words
  kNumber,    ///< numbers and ranges of them
  kBytes,     ///< the same, with units: ">= 2GiB"
  kDuration,  ///< the same, in nanoseconds: "< 30s"
  kBool,
};

struct Key {
  std::string_view name;
  KeyKind kind = KeyKind::kText;
  std::span<const std::string_view> words = {};
  std::string_view meaning = {};
};

struct SubjectKeys {
  std::string_view name;
  std::span<const Key> keys;
};

const SubjectKeys& keys_of(Subject subject);
std::optional<Subject> find_subject(std::string_view name);

/// The facts of these come one by one, by the million: their words and truths are bits of one number.
constexpr bool is_streamed(Subject subject) {
  return subject == Subject::kFile || subject == Subject::kRead;
}
/// The first bit of a streamed subject's key; its words have those from there on, a truth has one.
unsigned first_bit(Subject subject, std::size_t key);
/// The bit of a word of a key (of a truth: no word). The key and the word exist.
std::uint64_t bit_of(Subject subject, std::string_view key, std::string_view word = {});

/// Where the keys of streamed facts that are neither words nor truths stand: StreamFact has a member each.
enum class StreamKey : std::uint8_t { kPath, kTarget, kPackage, kSize, kUid, kGid };
std::optional<StreamKey> stream_key(std::string_view key);

}  // namespace rehearse::verdict
