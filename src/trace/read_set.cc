#include "trace/read_set.h"

#include <sys/stat.h>

#include <algorithm>
#include <string_view>

namespace rehearse::trace {
namespace {

constexpr std::size_t kMost = 1'000'000;

/// Not masked, since programs need them; who reads them is said.
bool is_secret(std::string_view path) {
  for (const std::string_view file : {"/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-"}) {
    if (path == file) return true;
  }
  const std::size_t slash = path.rfind('/');
  const std::string_view name = path.substr(slash == std::string_view::npos ? 0 : slash + 1);
  return (name.starts_with("ssh_host_") && name.ends_with("_key")) ||
         path.find("/.ssh/id_") != std::string_view::npos || path.ends_with("/.aws/credentials") ||
         path.ends_with("/.netrc") || path.ends_with("/.pgpass");
}

}  // namespace

void ReadSet::add(const Record& record, const ProcessTree& tree) {
  const struct rh_head& head = record.head();
  if (head.kind != RH_EXIT && head.kind != RH_EXEC) return;
  const struct rh_file* file = nullptr;
  std::string_view names;
  record.each_attachment([&](const Attachment& attachment) {
    if (attachment.kind == RH_FILE) file = attachment.as<struct rh_file>();
    if (attachment.kind == RH_PATH) names = attachment.bytes;
  });
  if (file == nullptr || (file->flags & RH_ON_OVERLAY) == 0 || (file->flags & RH_UPPER) != 0) return;
  if (!S_ISREG(file->mode) && !S_ISDIR(file->mode)) return;
  if (tree.of_action(head.tid) == nullptr) return;
  const std::pair<std::uint32_t, std::uint64_t> key(file->dev, file->ino);
  if (files_.contains(key)) return;
  if (files_.size() >= kMost) {
    cut_ = true;
    return;
  }
  files_.emplace(key, File{path_of(names), *file});
}

Sha256 ReadSet::root() const {
  std::vector<const File*> sorted;
  sorted.reserve(files_.size());
  for (const auto& [key, file] : files_) sorted.push_back(&file);
  std::sort(sorted.begin(), sorted.end(), [](const File* a, const File* b) { return a->path < b->path; });
  Sha256Hasher hasher;
  for (const File* file : sorted) {
    const std::string line = file->path + '\0' + std::to_string(file->seen.ino) + ' ' +
                             std::to_string(file->seen.generation) + ' ' +
                             std::to_string(file->seen.ctime_ns) + '\n';
    hasher.update(line);
  }
  return hasher.finish();
}

std::vector<std::string> ReadSet::secrets() const {
  std::vector<std::string> found;
  for (const auto& [key, file] : files_) {
    if (is_secret(file.path)) found.push_back(file.path);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace rehearse::trace
