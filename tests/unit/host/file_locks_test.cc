#include "host/file_locks.h"

#include <sys/sysmacros.h>

#include <catch2/catch.hpp>

using namespace rehearse::host;

TEST_CASE("The kernel's list of locks") {
  const auto locks = parse_locks(
      "1: FLOCK  ADVISORY  WRITE 4181 fe:00:11124992 0 EOF\n"
      "2: POSIX  ADVISORY  READ 4076 00:28:21937601 128 128\n"
      "2: -> POSIX  ADVISORY  WRITE 77 00:28:21937601 128 128\n"
      "3: OFDLCK ADVISORY  WRITE -1 fe:00:5 0 EOF\n"
      "4: LEASE  ACTIVE    READ 9 fe:00:6 0 EOF\n"
      "5: FLOCK  ADVISORY  WRITE 1 fe:00 0 EOF\n"
      "6: FLOCK  ADVISORY  WRITE x fe:00:1 0 EOF\n\nnothing\n7: POSIX");
  REQUIRE(locks.size() == 4);
  CHECK((locks[0].kind == FileLock::Kind::kFlock && locks[0].write && locks[0].pid == 4181));
  CHECK((locks[0].dev == makedev(0xfe, 0) && locks[0].ino == 11124992));
  CHECK((locks[1].kind == FileLock::Kind::kPosix && !locks[1].write && locks[1].dev == makedev(0, 0x28)));
  CHECK((locks[2].kind == FileLock::Kind::kPosix && locks[2].pid == 0 && locks[2].ino == 5));
  CHECK(locks[3].kind == FileLock::Kind::kLease);
  CHECK(parse_locks("").empty());
}
