#include "promote/package_owners.h"

#include <fcntl.h>

#include <string>
#include <string_view>

#include "base/sys.h"
#include "effects/package_index.h"

namespace rehearse::promote {

void name_package_owners(const ledger::StateDir& state, Staleness& staleness) {
  if (staleness.moved.empty()) return;
  const auto root = sys::open("/", O_RDONLY | O_DIRECTORY);
  if (!root) return;
  auto packages = effects::PackageIndex::load(root->get(), -1, state.fd());
  for (Moved& moved : staleness.moved) {
    const std::string_view package = packages.owner(moved.path);
    if (!package.empty()) moved.owner = "package " + std::string(package);
  }
}

}  // namespace rehearse::promote
