#include "trace/listing_readers.h"

#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "syscalls/nr_set.h"
#include "syscalls/table.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::size_t kMost = 1024;
constexpr std::size_t kMostLinks = 4096;
constexpr ListingReaders::Output kCut = UINT32_MAX;
constexpr const char* kSomebody = "another program";

bool reads(std::uint32_t nr) {
  static constexpr syscalls::NrSet kCalls(Nr::read, Nr::readv, Nr::pread64, Nr::preadv, Nr::preadv2,
                                          Nr::splice, Nr::tee, Nr::copy_file_range, Nr::recvfrom, Nr::recvmsg,
                                          Nr::mmap);
  return kCalls.contains(nr);
}

/// Shows, keeps or sends what it reads, or a part of it that does not depend on what it says.
bool hands_on(std::string_view program) {
  constexpr std::string_view kPrograms[] = {
      "head",  "tail",   "cat",      "tac",   "less", "more",  "most",   "pager",   "sort",        "uniq",
      "nl",    "column", "cut",      "tr",    "fold", "fmt",   "pr",     "tee",     "rev",         "expand",
      "paste", "iconv",  "unexpand", "watch", "pv",   "ts",    "dd",     "split",   "sponge",      "od",
      "xxd",   "base64", "hexdump",  "gzip",  "xz",   "bzip2", "zstd",   "tar",     "cp",          "mv",
      "zip",   "rsync",  "scp",      "ssh",   "gpg",  "pigz",  "logger", "openssl", "systemd-cat", "script"};
  return std::ranges::find(kPrograms, program) != std::end(kPrograms);
}

/// Where somebody else may read what is written there; a terminal and /dev/null are no such thing.
bool may_be_read(const FdInfo& info) {
  return info.type == 'p' || info.type == 'u' || info.type == 'f';
}

}  // namespace

std::optional<ListingReaders::Inode> ListingReaders::inode_of(const FdInfo& info) {
  if (info.pipe) return Inode(info.pipe->first, info.pipe->second, 0);
  if (!info.known_file) return std::nullopt;
  return Inode(info.file.dev, info.file.ino, S_ISFIFO(info.file.mode) ? 0 : info.file.generation);
}

ListingReaders::Output ListingReaders::find(const FdInfo& info) const {
  if (const auto found = by_descriptor_.find(&info); found != by_descriptor_.end()) return found->second;
  const auto inode = inode_of(info);
  const auto found = inode ? by_inode_.find(*inode) : by_inode_.end();
  return found == by_inode_.end() ? kNowhere : found->second;
}

ListingReaders::Output ListingReaders::watch(const std::shared_ptr<const FdInfo>& info) {
  if (info == nullptr || !may_be_read(*info)) return kNowhere;
  if (const Output known = find(*info); known != kNowhere) return known;
  if (outputs_.size() >= kMost) {
    cut_ = true;
    return kCut;
  }
  outputs_.push_back({info, "", {}});
  const auto output = static_cast<Output>(outputs_.size());
  by_descriptor_.emplace(info.get(), output);
  if (const auto inode = inode_of(*info)) by_inode_.emplace(*inode, output);
  return output;
}

ListingReaders::Output ListingReaders::output_of(const TraceEvent& event, const EventStream& events) {
  return watch(events.descriptor(event.tid, 1));
}

void ListingReaders::add(const TraceEvent& event, const EventStream& events) {
  if (outputs_.empty() || event.type != EventType::kCall || event.unfinished || event.fd == nullptr) return;
  if (event.record->head().abi != 0 || !reads(event.record->head().nr) || event.result() == 0 ||
      event.failed())
    return;
  const Output from = find(*event.fd);
  if (from == kNowhere) return;
  const Image* image = ProcessTree::image_of(*event.process);
  const std::string_view path = image == nullptr ? std::string_view() : image->path;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (!hands_on(name)) {
    std::string& reader = outputs_[from - 1].reader;
    if (reader.empty()) reader = name.empty() ? std::string_view(kSomebody) : name;
    return;
  }
  const Output to = output_of(event, events);
  if (to == kNowhere || to == from) return;
  if (links_ >= kMostLinks) cut_ = true;
  if (!cut_ && outputs_[from - 1].handed_on.insert(to).second) ++links_;
}

std::string ListingReaders::reader_of(Output output) const {
  if (output == kNowhere) return {};
  std::set<Output> seen = {output};
  std::vector<Output> open = {output};
  while (!open.empty()) {
    const Output at = open.back();
    open.pop_back();
    if (at > outputs_.size()) break;
    const Watched& watched = outputs_[at - 1];
    if (!watched.reader.empty()) return watched.reader;
    for (const Output to : watched.handed_on)
      if (seen.insert(to).second) open.push_back(to);
  }
  return cut_ ? kSomebody : std::string();
}

}  // namespace rehearse::trace
