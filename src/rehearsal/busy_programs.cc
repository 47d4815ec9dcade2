#include "rehearsal/busy_programs.h"

#include <sys/stat.h>

#include <map>
#include <utility>

#include "base/sys.h"
#include "host/open_files.h"
#include "rehearsal/host_root.h"

namespace rehearse {

std::vector<verdict::Gap> busy_programs(const std::set<std::string>& written) {
  std::vector<verdict::Gap> gaps;
  const auto host = HostRoot::open();
  if (!host) return gaps;
  std::map<std::pair<dev_t, ino_t>, const std::string*> objects;
  for (const std::string& path : written) {
    const auto object = host->find(path);
    const auto st = object ? sys::stat_fd(object->get()) : tl::make_unexpected(object.error());
    if (st) objects.emplace(std::pair(st->st_dev, st->st_ino), &path);
  }
  if (objects.empty()) return gaps;
  for (const host::Holder& holder : host::find_executing([&](dev_t dev, ino_t ino) {
         return objects.contains({dev, ino});
       })) {
    const auto found = objects.find({holder.dev, holder.ino});
    if (found == objects.end()) continue;  // it is said of another process
    gaps.push_back({*found->second + " is being executed by " + host::name_of(holder),
                    "the command opened it to write to it: there, the kernel refuses that (ETXTBSY)",
                    verdict::Level::kYellow});
    objects.erase(found);
  }
  return gaps;
}

}  // namespace rehearse
