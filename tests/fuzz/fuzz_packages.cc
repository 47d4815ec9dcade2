// dpkg's file lists, which a rehearsed action may have written: a label names a package whose list says so.
#include <fcntl.h>
#include <sys/stat.h>

#include "effects/package_index.h"
#include "fuzz.h"

using namespace rehearse;

namespace {

constexpr const char* kLists[] = {"var/lib/dpkg/info/alpha.list", "var/lib/dpkg/info/beta:amd64.list"};
constexpr const char* kDirectories[] = {"var", "var/lib", "var/lib/dpkg", "var/lib/dpkg/info"};

struct Place {
  std::string path = "/tmp/fuzz-packages-XXXXXX";
  UniqueFd root;
  UniqueFd empty;

  Place() {
    FUZZ_REQUIRE(::mkdtemp(path.data()) != nullptr);
    root = UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (const char* name : kDirectories) FUZZ_REQUIRE(::mkdirat(root.get(), name, 0700) == 0);
    empty = UniqueFd(::openat(root.get(), "var", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~Place() {
    for (const char* name : kLists) (void)::unlinkat(root.get(), name, 0);
    for (std::size_t i = std::size(kDirectories); i > 0; --i)
      (void)::unlinkat(root.get(), kDirectories[i - 1], AT_REMOVEDIR);
    (void)::rmdir(path.c_str());
  }
};

bool has_line(std::string_view text, std::string_view line) {
  const std::string framed = '\n' + std::string(text) + '\n';
  return framed.find('\n' + std::string(line) + '\n') != std::string::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place place;
  fuzz::Bytes in(data, size);
  const std::string_view wanted = in.view();
  const std::string_view rest = in.rest();
  const std::size_t middle = std::min(rest.find('\0'), rest.size());
  const std::string_view texts[] = {rest.substr(0, middle), rest.substr(std::min(middle + 1, rest.size()))};
  for (std::size_t i = 0; i < 2; ++i) {
    const UniqueFd file(
        ::openat(place.root.get(), kLists[i], O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600));
    FUZZ_REQUIRE(::write(file.get(), texts[i].data(), texts[i].size()) ==
                 static_cast<ssize_t>(texts[i].size()));
  }
  auto index = effects::PackageIndex::load(place.root.get(), place.empty.get());
  const auto check = [&](std::string_view path) {
    if (path.size() < 2 || path.find('\n') != std::string_view::npos) return;
    const bool alpha = has_line(texts[0], path);
    const bool beta = has_line(texts[1], path);
    const std::string_view owner = index.owner(path);
    FUZZ_REQUIRE(owner == (alpha == beta ? "" : alpha ? "alpha" : "beta"));
  };
  check(wanted);
  for (std::string_view text : texts) {
    for (unsigned n = 0; n < 64 && !text.empty(); ++n) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      check(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }
  return 0;
}
