#include "trace/program_writes.h"

#include <sys/stat.h>

#include "trace/open_call.h"

namespace rehearse::trace {
namespace {

constexpr std::size_t kMost = 10'000;
constexpr std::uint32_t kExecutable = S_IXUSR | S_IXGRP | S_IXOTH;

}  // namespace

void ProgramWrites::add(const TraceEvent& event) {
  if (event.type != EventType::kCall || event.unfinished || event.failed() || written_.size() >= kMost)
    return;
  if (event.fd == nullptr || !event.fd->known_file) return;
  const struct rh_file& file = event.fd->file;
  if ((file.flags & RH_ON_OVERLAY) == 0 || !S_ISREG(file.mode) || (file.mode & kExecutable) == 0) return;
  const auto flags = open_flags(*event.record, event.entry);
  if (flags && opens_for_writing(*flags)) written_.insert(paths_.origin(event.fd->name));
}

}  // namespace rehearse::trace
