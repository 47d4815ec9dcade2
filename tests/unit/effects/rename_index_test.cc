// On a real upper and lower, with the xattrs that overlayfs writes: trusted.* needs root.
#include "effects/rename_index.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "effects/overlay.h"

using namespace rehearse;
using namespace rehearse::effects;

namespace {

struct RealLayer {
  std::string path;
  Layer layer;
  RealLayer() {
    char name[] = "/tmp/rehearse-renames-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
    for (const char* side : {"/upper", "/lower"}) std::filesystem::create_directory(path + side);
    layer.mountpoint = "/";
    layer.upper = UniqueFd(::open((path + "/upper").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    layer.lower = UniqueFd(::open((path + "/lower").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~RealLayer() { std::filesystem::remove_all(path); }
  void directory(const std::string& name) const { std::filesystem::create_directories(path + '/' + name); }
  void file(const std::string& name) const { std::ofstream(path + '/' + name) << name; }
  void whiteout(const std::string& name) const {
    REQUIRE(::mknod((path + '/' + name).c_str(), S_IFCHR, 0) == 0);
  }
  void xattr(const std::string& name, const char* key, const std::string& value) const {
    REQUIRE(::lsetxattr((path + '/' + name).c_str(), key, value.data(), value.size(), 0) == 0);
  }
  /// struct ovl_fb as fs/overlayfs/overlayfs.h has it: where the file was copied up from.
  [[nodiscard]] std::string origin(const std::string& name) const {
    alignas(struct file_handle) char buffer[sizeof(struct file_handle) + MAX_HANDLE_SZ] = {};
    auto* handle = reinterpret_cast<struct file_handle*>(buffer);
    handle->handle_bytes = MAX_HANDLE_SZ;
    int mount = 0;
    REQUIRE(::name_to_handle_at(AT_FDCWD, (path + '/' + name).c_str(), handle, &mount, 0) == 0);
    std::string value(21, '\0');
    value[1] = '\xfb';
    value[2] = static_cast<char>(21 + handle->handle_bytes);
    value[4] = static_cast<char>(handle->handle_type);
    return value.append(buffer + offsetof(struct file_handle, f_handle), handle->handle_bytes);
  }
};

bool is_root() {
  if (::geteuid() == 0) return true;
  WARN("needs root");
  return false;
}

}  // namespace

TEST_CASE("a redirect is a path from the layer's root, or one name beside") {
  CHECK(redirect_target("/a/b", "etc") == "a/b");
  CHECK(redirect_target("old", "etc/sub") == "etc/sub/old");
  CHECK(redirect_target("old", "") == "old");
  for (const char* bad :
       {"", "/", "//", "/a//b", "/a/", "/a/../b", "..", ".", "/..", "/a/.", "a/b", "../x"}) {
    INFO(bad);
    CHECK(redirect_target(bad, "etc") == "");
  }
  CHECK(redirect_target(std::string("/a\0b", 4), "") == "");
  CHECK(redirect_target("/..a/...", "") == "..a/...");  // odd names, no way up
}

TEST_CASE("a moved directory is known by its redirect, with what moved inside it") {
  if (!is_root()) return;
  const RealLayer place;
  place.directory("lower/old/inner");
  place.directory("upper/new/moved");
  place.xattr("upper/new", kRedirectXattr, "/old");
  place.xattr("upper/new/moved", kRedirectXattr, "inner");
  const RenameIndex index = RenameIndex::build(place.layer);
  CHECK(index.moved_from == std::unordered_set<std::string>{"old", "old/inner"});
  CHECK(index.files.empty());
}

TEST_CASE("a forged redirect is no rename") {
  if (!is_root()) return;
  const RealLayer place;
  place.directory("upper/new");
  place.xattr("upper/new", kRedirectXattr, "/../../etc");
  CHECK(RenameIndex::build(place.layer).moved_from.empty());
}

TEST_CASE("a moved file is known by its origin, if its old name is gone") {
  if (!is_root()) return;
  const RealLayer place;
  place.directory("lower/d");
  place.file("lower/d/old");
  place.file("lower/kept");
  place.directory("upper/d");
  place.file("upper/new");
  place.xattr("upper/new", kOriginXattr, place.origin("lower/d/old"));
  place.file("upper/copy");  // of a file that is still there
  place.xattr("upper/copy", kOriginXattr, place.origin("lower/kept"));
  CHECK(RenameIndex::build(place.layer).files.empty());  // nothing is gone yet
  place.whiteout("upper/d/old");
  const RenameIndex index = RenameIndex::build(place.layer);
  REQUIRE(index.files.size() == 1);
  CHECK(index.files.at("new") == "d/old");
  CHECK(index.moved_from == std::unordered_set<std::string>{"d/old"});
}

TEST_CASE("a file moved out of a directory that was deleted or replaced is found too") {
  if (!is_root()) return;
  for (const bool replaced : {false, true}) {
    const RealLayer place;
    place.directory("lower/gone/deep");
    place.file("lower/gone/deep/old");
    if (replaced) {
      place.directory("upper/gone");
      place.xattr("upper/gone", kOpaqueXattr, "y");
    } else {
      place.whiteout("upper/gone");
    }
    place.file("upper/new");
    place.xattr("upper/new", kOriginXattr, place.origin("lower/gone/deep/old"));
    const RenameIndex index = RenameIndex::build(place.layer);
    REQUIRE(index.files.size() == 1);
    CHECK(index.files.at("new") == "gone/deep/old");
  }
}

TEST_CASE("a damaged origin is no origin") {
  if (!is_root()) return;
  const RealLayer place;
  place.file("upper/f");
  const std::string good = [&] {
    place.file("lower/f");
    return place.origin("lower/f");
  }();
  const auto inode = [&](const std::string& value) {
    place.xattr("upper/f", kOriginXattr, value);
    return origin_stat(place.layer.lower.get(), place.layer.upper.get(), "f");
  };
  CHECK(inode(good).has_value());
  CHECK(!inode("").has_value());
  CHECK(!inode(good.substr(0, 21)).has_value());
  CHECK(!inode(good.substr(0, 23)).has_value());
  CHECK(!inode(good + std::string(500, 'x')).has_value());
  std::string other = good;
  other[1] = '\xfa';
  CHECK(!inode(other).has_value());
}
