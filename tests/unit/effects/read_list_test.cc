#include "effects/read_list.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/sys.h"

using namespace rehearse;
using namespace rehearse::effects;

namespace {

std::vector<HostRead> sample() {
  HostRead opened;
  opened.path = "/etc/hosts\n\xff";
  opened.uses = kReadOpened | kReadAttributes;
  opened.source = ReadSource::kKernel;
  opened.identity = {65024, 17, 4000000000U, -5, 1U << 20U, 0100644};
  HostRead executed;
  executed.path = "/usr/bin/true";
  executed.uses = kReadExecuted;
  executed.source = ReadSource::kHost;
  executed.moved = executed.link = true;
  executed.sha256 = sha256("true");
  HostRead absent;
  absent.path = "/usr/none";
  absent.uses = kReadAbsent;
  return {opened, executed, absent};
}

UniqueFd written(const std::vector<HostRead>& reads, Sha256* root = nullptr) {
  UniqueFd file(::memfd_create("reads", MFD_CLOEXEC));
  auto copy = sys::dup(file.get());
  REQUIRE(copy);
  const auto done = write_read_list(std::move(*copy), reads);
  REQUIRE(done);
  if (root != nullptr) *root = *done;
  return file;
}

Result<std::vector<HostRead>> read_back(int fd) {
  std::vector<HostRead> reads;
  RH_CHECK(read_read_list(fd, [&](const HostRead& read) {
    reads.push_back(read);
    return true;
  }));
  return reads;
}

}  // namespace

TEST_CASE("a read set is read back as it was written") {
  Sha256 root = {};
  const UniqueFd file = written(sample(), &root);
  const auto back = read_back(file.get());
  REQUIRE(back);
  REQUIRE(back->size() == 3);
  CHECK((*back)[0].path == "/etc/hosts\n\xff");
  CHECK((*back)[0].identity.generation == 4000000000U);
  CHECK((*back)[0].identity.ctime_ns == -5);
  CHECK((*back)[0].uses == (kReadOpened | kReadAttributes));
  CHECK((*back)[1].sha256 == sha256("true"));
  CHECK((*back)[1].moved);
  CHECK((*back)[1].link);
  CHECK((*back)[2].source == ReadSource::kNone);
  Sha256 again = {};
  written(*back, &again);
  CHECK(root == again);
}

TEST_CASE("every changed byte of a read set is noticed") {
  const UniqueFd file = written(sample());
  char byte = 0;
  off_t at = 0;
  for (; ::pread(file.get(), &byte, 1, at) == 1; ++at) {
    const char other = static_cast<char>(byte ^ 1);
    REQUIRE(::pwrite(file.get(), &other, 1, at) == 1);
    INFO("byte " << at);
    const auto back = read_back(file.get());
    REQUIRE_FALSE(back);
    CHECK(back.error().exit == ExitCode::kDataError);
    REQUIRE(::pwrite(file.get(), &byte, 1, at) == 1);
  }
  CHECK(at > 100);
  REQUIRE(read_back(file.get()));
  for (; at > 0; --at) {
    REQUIRE(::ftruncate(file.get(), at - 1) == 0);
    REQUIRE_FALSE(read_back(file.get()));
  }
}
