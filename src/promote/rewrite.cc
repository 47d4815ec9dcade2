#include "promote/rewrite.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <string>

#include "base/fd.h"
#include "base/sys.h"
#include "promote/object_writer.h"

namespace rehearse::promote {

Result<void> rewrite(Site& site, const Operation& operation, const Place& source, std::uint64_t old_size) {
  RH_TRY(const int source_dir, site.volume(operation).parent(source));
  RH_TRY(const UniqueFd from, sys::open_beneath(source_dir, std::string(leaf_of(source.path)).c_str(),
                                                O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  RH_TRY(const Spot at, site.spot(operation, End::kTo));
  RH_TRY(const UniqueFd to,
         sys::open_beneath(at.dir, at.name.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  RH_TRY(const struct stat st, sys::stat_fd(to.get()));
  if (st.st_ino != operation.object.ino || !S_ISREG(st.st_mode))
    return fail(site.shown(operation, End::kTo) + " is another file by now", ExitCode::kStale,
                "rehearse again");
  return overwrite_content(from.get(), to.get(), old_size);
}

}  // namespace rehearse::promote
