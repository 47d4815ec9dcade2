// What overlayfs keeps in extended attributes: redirects and origins. The kernel writes them, but a damaged
// upper or a forged one must lead nowhere else.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/sys.h"
#include "effects/overlay.h"
#include "effects/rename_index.h"
#include "fuzz.h"

using namespace rehearse;
using namespace rehearse::effects;

namespace {

/// upper/moved (a directory), upper/file, lower/a/b, lower/gone; kept for the life of the process.
struct Place {
  std::string path = "/tmp/fuzz-overlay-XXXXXX";
  Layer layer;
  bool has_xattrs = false;

  Place() {
    FUZZ_REQUIRE(::mkdtemp(path.data()) != nullptr);
    const UniqueFd root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    for (const char* name : {"upper", "upper/moved", "lower", "lower/a", "lower/a/b"})
      FUZZ_REQUIRE(::mkdirat(root.get(), name, 0700) == 0);
    for (const char* name : {"upper/file", "lower/gone", "lower/a/inner"})
      FUZZ_REQUIRE(UniqueFd(::openat(root.get(), name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)).valid());
    (void)::mknodat(root.get(), "upper/gone", S_IFCHR, 0);
    layer.mountpoint = "/";
    layer.upper = UniqueFd(::openat(root.get(), "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    layer.lower = UniqueFd(::openat(root.get(), "lower", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    FUZZ_REQUIRE(layer.upper.valid() && layer.lower.valid());
    has_xattrs = ::lsetxattr((path + "/upper/file").c_str(), kOriginXattr, "x", 1, 0) == 0;
  }
  ~Place() {
    const UniqueFd root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    for (const char* name : {"upper/file", "upper/gone", "lower/gone", "lower/a/inner"})
      (void)::unlinkat(root.get(), name, 0);
    for (const char* name : {"upper/moved", "upper", "lower/a/b", "lower/a", "lower"})
      (void)::unlinkat(root.get(), name, AT_REMOVEDIR);
    (void)::rmdir(path.c_str());
  }
};

/// Relative, normal, and without anything that ends a path early.
void check_path(const std::string& path) {
  FUZZ_REQUIRE(path.empty() || (path.front() != '/' && path.back() != '/'));
  FUZZ_REQUIRE(path.find('\0') == std::string::npos);
  const std::string framed = '/' + path + '/';
  for (const char* part : {"//", "/./", "/../"})
    FUZZ_REQUIRE(path.empty() || framed.find(part) == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes in(data, size);
  const std::string origin(in.view());
  const std::string redirect(in.rest().substr(0, 4000));

  check_path(redirect_target(redirect, ""));
  const std::string below = redirect_target(redirect, "etc/sub");
  check_path(below);
  // A relative redirect stays beside what it renames: the kernel writes a name without slash there.
  if (!redirect.empty() && redirect.front() != '/' && !below.empty()) {
    FUZZ_REQUIRE(below.starts_with("etc/sub/") && below.find('/', 8) == std::string::npos);
  }

  static const Place place;
  if (!place.has_xattrs) return 0;
  const std::string file = place.path + "/upper/file";
  const std::string moved = place.path + "/upper/moved";
  if (::lsetxattr(file.c_str(), kOriginXattr, origin.data(), origin.size(), 0) != 0) return 0;
  if (::lsetxattr(moved.c_str(), kRedirectXattr, redirect.data(), redirect.size(), 0) != 0) return 0;
  FUZZ_REQUIRE(overlay_xattr(place.layer.upper.get(), "file", kOriginXattr) == origin);
  FUZZ_REQUIRE(overlay_xattr(place.layer.upper.get(), "moved", kRedirectXattr) == redirect);
  (void)origin_stat(place.layer.lower.get(), place.layer.upper.get(), "file");
  const RenameIndex index = RenameIndex::build(place.layer);
  for (const std::string& path : index.moved_from) check_path(path);
  for (const auto& [upper, lower] : index.files) {
    FUZZ_REQUIRE(upper == "file" && lower == "gone");
    FUZZ_REQUIRE(sys::stat_at(place.layer.lower.get(), lower.c_str(), AT_SYMLINK_NOFOLLOW).has_value());
  }
  return 0;
}
