// Arbitrary change records, for the targets that write or render them.
#pragma once

#include "effects/manifest.h"
#include "fuzz.h"

namespace rehearse::fuzz {

inline effects::Attributes make_attributes(Bytes& in) {
  effects::Attributes a;
  a.dev = in.number();
  a.ino = in.number();
  if (in.flag()) a.generation = in.number();
  a.ctime_ns = static_cast<std::int64_t>(in.number());
  a.mtime_ns = static_cast<std::int64_t>(in.number());
  a.mode = in.small();
  a.uid = in.small();
  a.gid = in.small();
  a.size = in.number();
  a.blocks = in.number();
  a.nlink = in.number();
  if (in.flag()) a.link_group = in.number();
  a.rdev = in.number();
  a.target = in.text();
  if (in.flag()) a.sha256 = sha256(in.view());
  for (unsigned n = in.below(4); n > 0; --n) {
    static constexpr const char* kKnown[] = {"system.posix_acl_access", "system.posix_acl_default",
                                             "security.capability"};
    const unsigned which = in.below(4);
    std::string name = which < 3 ? kKnown[which] : in.text();
    a.xattrs[std::move(name)] = in.text();
  }
  a.flags = in.small();
  return a;
}

inline effects::Change make_change(Bytes& in) {
  effects::Change change;
  change.kind = static_cast<effects::ChangeKind>(in.below(7));
  change.type = static_cast<effects::FileType>(in.below(7));
  const unsigned flags = in.byte();
  change.masked = (flags & 1U) != 0;
  change.base_moved = (flags & 2U) != 0;
  change.path = in.text();
  change.from = in.text();
  change.package = in.text();
  change.layer = in.small();
  for (unsigned n = in.below(4); n > 0; --n) {
    static constexpr const char* kWords[] = {"overwrote", "replaced", "deleted", "mtime", "touched", "mode"};
    const unsigned which = in.below(7);
    change.also.push_back(which < 6 ? kWords[which] : in.text());
  }
  if ((flags & 4U) != 0) change.before = make_attributes(in);
  if ((flags & 8U) != 0) change.after = make_attributes(in);
  return change;
}

inline std::vector<effects::Change> make_changes(Bytes& in, std::size_t most = 16) {
  std::vector<effects::Change> changes;
  while (!in.empty() && changes.size() < most) changes.push_back(make_change(in));
  return changes;
}

/// A manifest of these records, and its root.
inline UniqueFd write_manifest(const std::vector<effects::Change>& changes, Sha256* root = nullptr) {
  UniqueFd file(::memfd_create("manifest", MFD_CLOEXEC));
  UniqueFd reading(::dup(file.get()));
  FUZZ_REQUIRE(file.valid() && reading.valid());
  auto writer = effects::ManifestWriter::create(std::move(file));
  FUZZ_REQUIRE(writer.has_value());
  for (const effects::Change& change : changes) FUZZ_REQUIRE((*writer)->add(change).has_value());
  const auto digest = (*writer)->finish();
  FUZZ_REQUIRE(digest.has_value());
  if (root != nullptr) *root = *digest;
  return reading;
}

inline bool same(const effects::Attributes& a, const effects::Attributes& b) {
  return a.dev == b.dev && a.ino == b.ino && a.generation == b.generation && a.ctime_ns == b.ctime_ns &&
         a.mtime_ns == b.mtime_ns && a.mode == b.mode && a.uid == b.uid && a.gid == b.gid &&
         a.size == b.size && a.blocks == b.blocks && a.nlink == b.nlink && a.link_group == b.link_group &&
         a.rdev == b.rdev && a.target == b.target && a.sha256 == b.sha256 && a.xattrs == b.xattrs &&
         a.flags == b.flags;
}

inline bool same(const std::optional<effects::Attributes>& a, const std::optional<effects::Attributes>& b) {
  return a.has_value() == b.has_value() && (!a || same(*a, *b));
}

inline bool same(const effects::Change& a, const effects::Change& b) {
  return a.path == b.path && a.kind == b.kind && a.also == b.also && a.type == b.type && a.from == b.from &&
         same(a.before, b.before) && same(a.after, b.after) && a.package == b.package && a.layer == b.layer &&
         a.masked == b.masked && a.base_moved == b.base_moved;
}

}  // namespace rehearse::fuzz
