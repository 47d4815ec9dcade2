#include "promote/staleness_facts.h"

#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <algorithm>

#include "base/clock.h"
#include "base/escape.h"
#include "promote/selection.h"

namespace rehearse::promote {

using effects::FileType;

const char* type_word(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symlink";
    case S_IFIFO:
      return "fifo";
    case S_IFSOCK:
      return "socket";
    case S_IFCHR:
    case S_IFBLK:
      return "device";
    default:
      return "file";
  }
}

mode_t type_bits(FileType type) {
  switch (type) {
    case FileType::kDir:
      return S_IFDIR;
    case FileType::kSymlink:
      return S_IFLNK;
    case FileType::kFifo:
      return S_IFIFO;
    case FileType::kSocket:
      return S_IFSOCK;
    case FileType::kCharDevice:
      return S_IFCHR;
    case FileType::kBlockDevice:
      return S_IFBLK;
    case FileType::kFile:
      break;
  }
  return S_IFREG;
}

std::string describe(const char* type, std::uint64_t ino, std::uint64_t size, std::int64_t ctime_ns,
                     const std::optional<Sha256>& digest) {
  std::string text = fmt::format("{}, {} bytes, inode {}, changed {}", type, size, ino, rfc3339(ctime_ns));
  if (digest) text += ", sha256:" + hex(*digest);
  return text;
}

std::string describe(const struct stat& st, const std::optional<Sha256>& digest) {
  return describe(type_word(st.st_mode), st.st_ino, static_cast<std::uint64_t>(st.st_size), to_ns(st.st_ctim),
                  digest);
}

std::string owner_of(const struct stat& st) {
  return fmt::format("uid {}", st.st_uid);
}

std::optional<std::uint64_t> generation_of(int file) {
  int generation = 0;
  if (::ioctl(file, FS_IOC_GETVERSION, &generation) != 0) return std::nullopt;
  return static_cast<std::uint32_t>(generation);
}

namespace {

/// The same object may have been written and read.
bool is_named(const Staleness& result, const std::string& path) {
  return std::ranges::any_of(result.moved, [&](const Moved& one) { return one.path == path; });
}

bool is_accepted(const StalenessRules& rules, const std::string& path) {
  return std::any_of(rules.accept.begin(), rules.accept.end(),
                     [&](const std::string& top) { return is_below(path, top); });
}

}  // namespace

const StaleIgnore* ignored_by(const StalenessRules& rules, const std::string& path, Staleness& result) {
  const StaleIgnore* first = nullptr;
  for (const StaleIgnore& one : rules.ignore) {
    if (!glob_matches(one.glob, path)) continue;
    result.matching.insert(one.glob);
    if (first == nullptr) first = &one;
  }
  return first;
}

void note_idle_globs(const StalenessRules& rules, const Staleness& result, std::vector<std::string>& notes) {
  for (const StaleIgnore& one : rules.ignore)
    if (!result.matching.contains(one.glob))
      notes.push_back(
          one.by + ' ' + one.glob +
          " matches nothing that was compared: what the run changed is compared whatever it says");
}

void note(const StalenessRules& rules, Staleness& result, Moved moved) {
  if (is_accepted(rules, moved.path)) {
    if (std::ranges::find(result.accepted, moved.path) == result.accepted.end())
      result.accepted.push_back(moved.path);
  } else if (result.moved.size() < kMostMoved && !is_named(result, moved.path)) {
    result.moved.push_back(std::move(moved));
  }
}

void note_idle_accepts(std::span<const std::string> accept, const Staleness& result,
                       std::vector<std::string>& notes) {
  for (const std::string& path : accept) {
    const bool used = std::ranges::any_of(
        result.accepted, [&](const std::string& accepted) { return is_below(accepted, path); });
    if (!used) notes.push_back("--accept " + path + " was not needed: nothing there has moved");
  }
}

}  // namespace rehearse::promote
