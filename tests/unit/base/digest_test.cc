#include "base/digest.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "base/fd.h"

using namespace rehearse;

namespace {

UniqueFd file_of(off_t size) {
  UniqueFd file(::memfd_create("digest", MFD_CLOEXEC));
  REQUIRE(::ftruncate(file.get(), size) == 0);
  return file;
}

void write_at(const UniqueFd& file, off_t at, const std::string& text) {
  REQUIRE(::pwrite(file.get(), text.data(), text.size(), at) == static_cast<ssize_t>(text.size()));
}

}  // namespace

TEST_CASE("The digest of a sparse file is of its content, however the zeros are stored") {
  static constexpr off_t kSize = (1 << 20) + 100;
  const auto digest = [](const UniqueFd& file) { return hex(*sparse_sha256_fd(file.get(), kSize)); };
  const UniqueFd hole = file_of(kSize);
  const UniqueFd zeros = file_of(kSize);
  write_at(zeros, 0, std::string(kSize, '\0'));
  CHECK(digest(hole) == digest(zeros));
  CHECK(digest(hole) ==
        hex(sha256(std::string("rehearse.sparse/1\n") + std::string("\x64\0\x10\0\0\0\0\0", 8))));
  // Where, what, and how large the whole is.
  for (const off_t at : {off_t{0}, off_t{4095}, off_t{500'000}, kSize - 1}) {
    write_at(hole, at, "x");
    CHECK(digest(hole) != digest(zeros));
    write_at(zeros, at, "x");
    CHECK(digest(hole) == digest(zeros));
  }
  const UniqueFd moved = file_of(kSize);
  write_at(moved, 4096, "x");
  const UniqueFd there = file_of(kSize);
  write_at(there, 8192, "x");
  CHECK(digest(moved) != digest(there));
  CHECK(hex(*sparse_sha256_fd(file_of(10).get(), 10)) != hex(*sparse_sha256_fd(file_of(11).get(), 11)));
  // One that has become shorter is an error where it has bytes.
  write_at(there, kSize - 1, "x");
  CHECK_FALSE(sparse_sha256_fd(there.get(), kSize + 4096).has_value());
}
