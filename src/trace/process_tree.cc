#include "trace/process_tree.h"

#include <algorithm>
#include <cstring>

#include "base/secret_words.h"
#include "trace/second_return.h"

namespace rehearse::trace {
namespace {

/// What an action may make this process hold, however many programs it starts with however long arguments.
constexpr std::size_t kMostArgv = std::size_t{64} << 20U;
constexpr std::size_t kMostProcesses = std::size_t{256} << 10U;
constexpr std::size_t kMostPids = std::size_t{4} << 20U;  ///< the kernel's limit
constexpr std::size_t kMostImages = 1024;                 ///< of one process
constexpr std::size_t kMostUids = 256;                    ///< of one process

void acts_as(Process& process, const struct rh_creds& creds, std::uint64_t time_ns) {
  process.creds = creds;
  const bool same = !process.uids.empty() && process.uids.back().euid == creds.euid;
  if (!same && process.uids.size() < kMostUids) process.uids.push_back({time_ns, creds.euid});
}

std::string comm_of(const char (&comm)[16]) {
  return {comm, ::strnlen(comm, sizeof comm)};
}

}  // namespace

Process* ProcessTree::find(std::uint32_t tid) {
  const Thread* found = threads_.find(tid);
  return found == nullptr ? nullptr : &processes_[found->process];
}

const Process* ProcessTree::of_thread(std::uint32_t tid) const {
  const Thread* found = threads_.find(tid);
  return found == nullptr ? nullptr : &processes_[found->process];
}

const Process* ProcessTree::of_action(std::uint32_t tid) const {
  const Process* process = of_thread(tid);
  if (process == nullptr || process->id == 0) return nullptr;
  return process->id == 1 && process->images.empty() ? nullptr : process;
}

std::uint32_t ProcessTree::inner_tid(std::uint32_t tid) const {
  const Thread* found = threads_.find(tid);
  return found == nullptr ? 0 : found->inner_tid;
}

const Image* ProcessTree::image_of(const Process& process) {
  return process.images.empty() ? process.inherited.get() : process.images.back().get();
}

void ProcessTree::add(const Record& record) {
  const struct rh_head& head = record.head();
  switch (head.kind) {
    case RH_EXIT:
      if (Process* process = find(head.tid)) {
        if (of_action(head.tid) != nullptr && !is_second_return(record)) {
          ++process->syscalls;
          const std::int64_t result = reinterpret_cast<const struct rh_call*>(&head)->result;
          if (result < 0 && result >= -4095) ++process->failed;
        }
        record.each_attachment([&](const Attachment& attachment) {
          if (attachment.kind != RH_CREDS) return;
          if (const auto* creds = attachment.as<struct rh_creds>()) acts_as(*process, *creds, head.time_ns);
        });
      }
      return;
    case RH_FORK:
      if (const auto* found = record.as<struct rh_fork>()) fork(*found);
      return;
    case RH_EXEC:
      if (const auto* found = record.as<struct rh_exec>()) exec(record, *found);
      return;
    case RH_IMAGE:
      if (const auto* found = record.as<struct rh_image>()) image(*found);
      return;
    case RH_ARGV:
      if (const auto* found = record.as<struct rh_chunk>()) words(*found);
      return;
    case RH_DEATH:
      if (const auto* found = record.as<struct rh_death>()) death(*found);
      return;
    case RH_NAME:
      if (const auto* found = record.as<struct rh_name>()) {
        if (Process* process = find(head.tid); process != nullptr && process->pid == head.tid)
          process->comm = comm_of(found->comm);
      }
      return;
    default:
      return;
  }
}

void ProcessTree::fork(const struct rh_fork& fork) {
  if (inner_.size() < kMostPids) inner_.insert(fork.inner_tid);
  if (fork.child_tid != fork.child_tgid) {
    if (const Process* owner = find(fork.child_tgid)) {
      ++processes_[owner->id].threads;
      threads_[fork.child_tid] = {owner->id, fork.inner_tid};
    }
    return;
  }
  if (processes_.size() >= kMostProcesses) {
    ++unlisted_;
    if (const Process* maker = find(fork.head.tid)) threads_[fork.child_tid] = {maker->id, fork.inner_tid};
    return;
  }
  Process process;
  process.id = static_cast<std::uint32_t>(processes_.size());
  if (const Process* parent = find(fork.parent_tgid)) {
    process.parent = parent->id;
    process.creds = parent->creds;
    if (!parent->uids.empty()) process.uids.push_back({fork.head.time_ns, parent->uids.back().euid});
  }
  const Process* maker = find(fork.head.tid);
  process.maker = maker == nullptr ? process.parent : maker->id;
  if (maker != nullptr) process.inherited = maker->images.empty() ? maker->inherited : maker->images.back();
  process.pid = fork.child_tid;
  process.inner_pid = fork.inner_tid;
  process.start_ns = fork.head.time_ns;
  process.comm = comm_of(fork.comm);
  threads_[fork.child_tid] = {process.id, fork.inner_tid};
  processes_.push_back(std::move(process));
}

void ProcessTree::exec(const Record& record, const struct rh_exec& exec) {
  // Whoever called it has the number of the process now, whose first thread has ended like all others.
  Process* process = find(exec.old_tid);
  if (process == nullptr) return;
  if (exec.old_tid != exec.tgid) {
    threads_.erase(exec.old_tid);
    threads_[exec.tgid] = {process->id, process->inner_pid};
    process->exit.reset();
    process->signal.reset();
  }
  Image image;
  image.time_ns = exec.head.time_ns;
  image.secure = exec.secure != 0;
  std::string interpreter;
  record.each_attachment([&](const Attachment& attachment) {
    if (attachment.kind == RH_KTEXT) {
      (attachment.arg == 0 ? image.asked : interpreter) = attachment.bytes;
    } else if (attachment.arg != RH_OPENED) {
      return;
    } else if (attachment.kind == RH_FILE) {
      if (const auto* file = attachment.as<struct rh_file>()) image.file = *file;
    } else if (attachment.kind == RH_PATH) {
      image.path = path_of(attachment.bytes);
    } else if (attachment.kind == RH_CREDS) {
      if (const auto* creds = attachment.as<struct rh_creds>()) acts_as(*process, *creds, exec.head.time_ns);
    }
  });
  if (image.asked != interpreter) image.script = image.asked;
  process->comm = comm_of(exec.comm);
  // A process that executes without end keeps its first programs and its last.
  if (process->images.size() >= kMostImages) process->images.pop_back();
  process->images.push_back(std::make_shared<Image>(std::move(image)));
}

void ProcessTree::image(const struct rh_image& image) {
  const Process* process = find(image.head.tid);
  if (process == nullptr || process->images.empty()) return;
  Image& executed = *process->images.back();
  if (executed.file.ino != image.ino || executed.file.ctime_ns != image.ctime_ns) return;
  std::ranges::copy(image.sha256, executed.sha256.emplace().begin());
}

void ProcessTree::words(const struct rh_chunk& chunk) {
  Process* process = find(chunk.head.tid);
  if (process == nullptr || process->images.empty()) return;
  Image& image = *process->images.back();
  const std::size_t there = chunk.head.size - sizeof chunk;
  const std::size_t length = std::min<std::size_t>(chunk.length, there);
  if ((chunk.flags & RH_REDACTED) != 0) image.redacted = true;
  if ((chunk.flags & RH_FAULT) != 0 || chunk.head.nr != image.argv.size() ||
      argv_bytes_ + length > kMostArgv) {
    image.argv_cut = true;
    return;
  }
  argv_bytes_ += length;
  image.argv.append(reinterpret_cast<const char*>(&chunk + 1), length);
}

void ProcessTree::death(const struct rh_death& death) {
  Process* process = find(death.head.tid);
  if (process == nullptr) return;
  process->user_ns += death.user_ns;
  process->system_ns += death.system_ns;
  process->max_rss_bytes = std::max<std::uint64_t>(process->max_rss_bytes, death.max_rss_bytes);
  threads_.erase(death.head.tid);
  if (process->pid != death.tgid) return;  // of one that is not listed
  if (death.head.tid == death.tgid || death.last != 0) {
    const int signal = death.status & 0x7f;
    if (signal != 0) {
      process->signal = signal;
      process->exit.reset();
    } else {
      process->exit = (death.status >> 8) & 0xff;
      process->signal.reset();
    }
  }
  if (death.last != 0) process->end_ns = death.head.time_ns;
}

}  // namespace rehearse::trace
