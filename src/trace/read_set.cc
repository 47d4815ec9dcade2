#include "trace/read_set.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>

#include "syscalls/nr_set.h"
#include "syscalls/table.h"
#include "trace/file_change.h"
#include "trace/open_call.h"
#include "trace/path_argument.h"
#include "trace/stat_buffer.h"

namespace rehearse::trace {
namespace {

using effects::ReadSource;
using syscalls::Nr;

constexpr std::size_t kMost = 1'000'000;

/// The kernel's own encoding to that of stat(2).
std::uint64_t device(std::uint32_t dev) {
  return makedev(dev >> 20U, dev & 0xfffffU);
}

bool opens_path(std::uint32_t nr) {
  return nr == Nr::open || nr == Nr::openat || nr == Nr::openat2 || nr == Nr::creat;
}

constexpr syscalls::NrSet kAttributeCalls(Nr::getxattr, Nr::lgetxattr, Nr::getxattrat, Nr::listxattr,
                                          Nr::llistxattr, Nr::listxattrat);
constexpr syscalls::NrSet kLinkCalls(Nr::readlink, Nr::readlinkat);
constexpr syscalls::NrSet kExecutions(Nr::execve, Nr::execveat);
constexpr syscalls::NrSet kQuestions =
    kAttributeCalls | kLinkCalls |
    syscalls::NrSet(Nr::access, Nr::faccessat, Nr::faccessat2, Nr::chdir, Nr::statfs, Nr::inotify_add_watch);

/// The call's result says that there is something under the name, and nothing else of it.
bool proves_presence(std::uint32_t nr, std::int64_t result) {
  if (result >= 0) return kQuestions.contains(nr);
  switch (-result) {
    case EEXIST:
      return true;
    case EINVAL:  // it is no link
      return kLinkCalls.contains(nr);
    case ENODATA:
    case ERANGE:
    case EOPNOTSUPP:
      return kAttributeCalls.contains(nr);
    case EACCES:
    case ENOEXEC:
      return kExecutions.contains(nr);
    default:
      return false;
  }
}

/// A symlink at the end of the path leads to what is changed.
bool follows_link(std::uint32_t nr) {
  static constexpr syscalls::NrSet kCalls(Nr::truncate, Nr::chmod, Nr::fchmodat, Nr::chown, Nr::setxattr,
                                          Nr::removexattr);
  return kCalls.contains(nr);
}

/// A symlink at the end of the path is what is asked about.
bool asks_about_link(const Record& record) {
  switch (record.head().nr) {
    case Nr::lstat:
    case Nr::readlink:
    case Nr::readlinkat:
    case Nr::lgetxattr:
    case Nr::llistxattr:
      return true;
    case Nr::newfstatat:
    case Nr::faccessat2:
      return (record.argument(3) & AT_SYMLINK_NOFOLLOW) != 0;
    case Nr::statx:
    case Nr::getxattrat:
    case Nr::listxattrat:
      return (record.argument(2) & AT_SYMLINK_NOFOLLOW) != 0;
    case Nr::inotify_add_watch:
      return (record.argument(2) & IN_DONT_FOLLOW) != 0;
    default:
      return false;
  }
}

/// The path argument `arg` as the call began, absolute.
std::optional<std::string> spelled(const TraceEvent& event, const EventStream& events, unsigned arg) {
  const auto text = event.text(arg);
  if (!text || text->empty()) return std::nullopt;
  return events.spell(event, event.directory_of(arg), *text);
}

bool lies_below(std::string_view path, std::string_view top) {
  return path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/');
}

std::optional<PathArgument> first_name(const syscalls::Syscall& call, const Record& record) {
  const auto arg = call.find(syscalls::Arg::kPath);
  return arg ? path_argument(call, record, *arg) : std::nullopt;
}

}  // namespace

std::span<const std::string_view> secret_files() {
  static constexpr std::string_view kFiles[] = {"/etc/shadow", "/etc/gshadow", "/etc/shadow-",
                                                "/etc/gshadow-", "/etc/krb5.keytab"};
  return kFiles;
}

bool is_secret(std::string_view path) {
  constexpr std::string_view kBelow[] = {"/etc/ssl/private/", "/etc/wireguard/",
                                         "/etc/NetworkManager/system-connections/"};
  constexpr std::string_view kEnds[] = {"/.aws/credentials", "/.netrc",       "/.pgpass",
                                        "/.git-credentials", "/.kube/config", "/.docker/config.json",
                                        "/.vault-token"};
  constexpr std::string_view kWithin[] = {"/.ssh/id_", "/.gnupg/private-keys-v1.d/"};
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const auto any = [](const auto& list, auto holds) { return std::ranges::any_of(list, holds); };
  return any(secret_files(), [&](std::string_view file) { return path == file; }) ||
         any(kBelow, [&](std::string_view top) { return path.starts_with(top); }) ||
         any(kEnds, [&](std::string_view end) { return path.ends_with(end); }) ||
         (any(kWithin, [&](std::string_view part) { return path.find(part) != std::string_view::npos; }) &&
          !path.ends_with(".pub")) ||
         (name.starts_with("ssh_host_") && name.ends_with("_key"));
}

namespace {

/// What it opens may be read, and can have been there before.
bool opens_to_read(const TraceEvent& event) {
  const auto flags = open_flags(*event.record, event.entry);
  if (!flags) return true;  // not known: the worse
  return (*flags & O_ACCMODE) != O_WRONLY && (*flags & (O_TRUNC | O_PATH)) == 0 &&
         (*flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
}

}  // namespace

void ReadSet::add(const TraceEvent& event, const EventStream& events) {
  if (event.type == EventType::kExec) {
    if (event.process->images.empty()) return;  // of a hostile trace
    const Image& image = *event.process->images.back();
    object(image.path, image.file, effects::kReadExecuted);
    follow(event, events, image.path);
    return;
  }
  if (event.type != EventType::kCall || event.unfinished || event.record->head().abi != 0) return;
  const std::uint32_t nr = event.record->head().nr;
  const bool known = event.fd != nullptr && event.fd->known_file && event.result() >= 0;
  if (nr == Nr::getdents64 || nr == Nr::getdents) {
    if (known) object(event.fd->name, event.fd->file, effects::kReadListed);
  } else if (opens_path(nr) && event.result() >= 0) {
    // A secret is one by its name: opened for writing too, it is a copy from the first moment on.
    const std::string path = known ? paths_.origin(event.fd->name) : std::string();
    if (is_secret(path) && opens_to_read(event)) secret(path, event);
    if (known) follow(event, events, event.fd->name);
    // What a directory holds is read by listing it; opening it says only that it is there.
    if (known)
      object(event.fd->name, event.fd->file,
             S_ISDIR(event.fd->file.mode) ? effects::kReadPresent : effects::kReadOpened);
  } else {
    if (changes_file(nr) && event.result() >= 0) follow_to_change(event, events);
    named(event, events);
  }
}

/// The kernel's path of what was reached is another than the one that was given: links led there.
void ReadSet::follow(const TraceEvent& event, const EventStream& events, std::string_view reached) {
  const syscalls::Syscall* call = syscalls::find_syscall(event.record->head().nr);
  const auto arg = call == nullptr ? std::nullopt : call->find(syscalls::Arg::kPath);
  const auto path = arg ? spelled(event, events, *arg) : std::nullopt;
  if (path && *path != reached) note_followed(*path);
}

/// Where such a call did what it did the kernel does not tell: links may have led there.
void ReadSet::follow_to_change(const TraceEvent& event, const EventStream& events) {
  const std::uint32_t nr = event.record->head().nr;
  const syscalls::Syscall* call = syscalls::find_syscall(nr);
  for (unsigned arg = 0; call != nullptr && arg < call->count; ++arg) {
    if (call->args[arg] != syscalls::Arg::kPath) continue;
    const auto path = spelled(event, events, arg);
    if (path) note_followed(follows_link(nr) ? *path : path->substr(0, path->rfind('/')));
  }
}

void ReadSet::note_followed(const std::string& path) {
  if (path.empty() || is_apart(path)) return;
  if (followed_.size() >= kMost) {
    cut_ = true;
    return;
  }
  followed_.insert(paths_.origin(path));
}

bool ReadSet::is_apart(std::string_view path) const {
  return std::ranges::any_of(apart_, [&](const std::string& top) { return lies_below(path, top); });
}

void ReadSet::secret(const std::string& path, const TraceEvent& event) {
  constexpr std::size_t kMostOpenings = 1000;
  secrets_.insert(path);
  const Image* image = ProcessTree::image_of(*event.process);
  std::pair key(path, image == nullptr ? std::string() : image->path);
  if (openings_.size() >= kMostOpenings && !openings_.contains(key)) key.second.clear();
  openings_.try_emplace(std::move(key), Opening{event.process->id, event.time_ns});
}

void ReadSet::object(const std::string& path, const struct rh_file& file, std::uint8_t use) {
  if ((file.flags & RH_ON_OVERLAY) == 0) return;
  if (!S_ISREG(file.mode) && !S_ISDIR(file.mode)) return;
  // The action's own copy of a directory still shows what the host has below it; the copy of a file that it
  // has only given another name still has the host's content.
  const bool own = (file.flags & RH_UPPER) != 0;
  if (own && !S_ISDIR(file.mode) && paths_.origin(path) == path) return;
  effects::HostRead* read = entry(path, use);
  if (read == nullptr || own || read->source == ReadSource::kKernel) return;
  read->source = ReadSource::kKernel;
  read->identity = {device(file.dev), file.ino, file.generation, static_cast<std::int64_t>(file.ctime_ns),
                    file.size,        file.mode};
}

void ReadSet::named(const TraceEvent& event, const EventStream& events) {
  const Record& record = *event.record;
  const struct rh_head& head = record.head();
  const syscalls::Syscall* call = syscalls::find_syscall(head.nr);
  if (call == nullptr || call->string_count == 0) return;
  const std::int64_t result = event.result();
  const bool absent = result == -ENOENT || result == -ENOTDIR;
  const auto buffer = result >= 0 ? stat_buffer(head.nr) : std::nullopt;
  if (!absent && !buffer && !proves_presence(head.nr, result)) return;
  const auto name = first_name(*call, record);
  if (!name || name->path.empty()) return;  // of a descriptor: what was opened is known
  const auto path = events.spell(event, name->directory, name->path);
  if (!path) {
    ++unplaced_;
    return;
  }
  effects::HostRead* read = entry(*path, absent   ? effects::kReadAbsent
                                         : buffer ? effects::kReadAttributes
                                                  : effects::kReadPresent);
  if (read == nullptr || read->source != ReadSource::kNone) return;
  read->link = asks_about_link(record);
  if (!buffer) return;
  record.each_attachment([&](const Attachment& attachment) {
    if (attachment.kind != RH_BLOB || attachment.arg != buffer->arg) return;
    const auto answer = stat_answer(head.nr, attachment.bytes);
    if (!answer) return;
    read->source = ReadSource::kCaller;
    read->identity = {0, answer->ino, std::nullopt, answer->ctime_ns, answer->size, answer->mode};
  });
}

/// The entry to fill in, with `use` noted; nullptr if this use says nothing of the host: what the action has
/// removed is absent by its own doing, and what it has made where there was nothing is its own.
effects::HostRead* ReadSet::entry(const std::string& met_at, std::uint8_t use) {
  std::string path = paths_.origin(met_at);
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) {
    if (is_apart(path)) return nullptr;
    if (reads_.size() >= kMost) {
      cut_ = true;
      return nullptr;
    }
    effects::HostRead& read = reads_.emplace_back();
    read.path = std::move(path);
    read.uses = use;
    by_path_.emplace(read.path, &read);
    return &read;
  }
  effects::HostRead& read = *found->second;
  if ((read.uses == effects::kReadAbsent) != (use == effects::kReadAbsent)) return nullptr;
  read.uses |= use;
  return &read;
}

std::vector<effects::HostRead> ReadSet::take() {
  by_path_.clear();
  // What lies together was read together: merging looks at what is near.
  std::vector<effects::HostRead*> sorted;
  sorted.reserve(reads_.size());
  for (effects::HostRead& read : reads_) sorted.push_back(&read);
  std::ranges::stable_sort(sorted, {},
                           [](const effects::HostRead* read) -> std::string_view { return read->path; });
  std::vector<effects::HostRead> reads;
  reads.reserve(sorted.size());
  for (effects::HostRead* read : sorted) reads.push_back(std::move(*read));
  reads_.clear();
  return reads;
}

}  // namespace rehearse::trace
