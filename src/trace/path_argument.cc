#include "trace/path_argument.h"

#include <fcntl.h>

namespace rehearse::trace {

static_assert(PathArgument().directory == AT_FDCWD);

std::optional<PathArgument> path_argument(const syscalls::Syscall& call, const Record& record, unsigned arg) {
  std::optional<PathArgument> name;
  record.each_attachment([&](const Attachment& attachment) {
    if (attachment.kind == RH_TEXT && attachment.arg == arg && (attachment.flags & (RH_FAULT | RH_CUT)) == 0)
      name.emplace().path = attachment.bytes;
  });
  if (name && arg > 0 && call.args[arg - 1U] == syscalls::Arg::kAtFd)
    name->directory = static_cast<std::int32_t>(record.argument(arg - 1U));
  return name;
}

}  // namespace rehearse::trace
