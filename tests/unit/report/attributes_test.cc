#include "report/attributes.h"

#include <catch2/catch.hpp>

using namespace rehearse::report;

namespace {
std::string le(std::initializer_list<std::pair<std::uint32_t, int>> numbers) {
  std::string out;
  for (const auto& [value, bytes] : numbers) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xffU);
  }
  return out;
}
}  // namespace

TEST_CASE("ACL text is that of getfacl") {
  const std::string acl = le({{2, 4},
                              {1, 2},
                              {6, 2},
                              {~0U, 4},
                              {2, 2},
                              {7, 2},
                              {1000, 4},
                              {4, 2},
                              {4, 2},
                              {~0U, 4},
                              {8, 2},
                              {1, 2},
                              {33, 4},
                              {16, 2},
                              {7, 2},
                              {~0U, 4},
                              {32, 2},
                              {0, 2},
                              {~0U, 4}});
  CHECK(acl_text(acl) == "user::rw-,user:1000:rwx,group::r--,group:33:--x,mask::rwx,other::---");
  CHECK(acl_of({{"system.posix_acl_default", le({{2, 4}, {1, 2}, {7, 2}, {~0U, 4}})}}) ==
        "default:user::rwx");
  CHECK(!acl_of({}));
}

TEST_CASE("Malformed ACLs and capabilities are said to be so") {
  for (const std::string& bad : {std::string(), std::string("\x02"), std::string(5, '\x02'), le({{3, 4}}),
                                 le({{2, 4}, {99, 2}, {0, 2}, {0, 4}}), std::string(70000, 'x')}) {
    CHECK(acl_text(bad).starts_with("malformed:"));
    CHECK(acl_text(bad).size() < 300);
  }
  CHECK(caps_text("").starts_with("malformed:"));
  CHECK(caps_text(le({{0x02000001, 4}, {1, 4}})).starts_with("malformed:"));
  CHECK(caps_text(le({{0x04000000, 4}, {0, 4}, {0, 4}, {0, 4}, {0, 4}})).starts_with("malformed:"));
}

TEST_CASE("Capability text is that of getcap") {
  CHECK(caps_text(le({{0x02000001, 4}, {1U << 13U, 4}, {0, 4}, {0, 4}, {0, 4}})) == "cap_net_raw=ep");
  CHECK(caps_text(le({{0x02000000, 4}, {1U << 12U | 1U << 13U, 4}, {0, 4}, {0, 4}, {0, 4}})) ==
        "cap_net_admin,cap_net_raw=p");
  CHECK(caps_text(le({{0x02000001, 4}, {0, 4}, {0, 4}, {1U << 7U, 4}, {0, 4}})) == "cap_bpf=ep");
  CHECK(caps_text(le({{0x02000000, 4}, {0, 4}, {1, 4}, {0, 4}, {0, 4}})) == "cap_chown=i");
  CHECK(caps_text(le({{0x03000001, 4}, {1U << 7U, 4}, {0, 4}, {0, 4}, {0, 4}, {100000, 4}})) ==
        "cap_setuid=ep [rootid=100000]");
  CHECK(caps_text(le({{0x02000000, 4}, {0, 4}, {0, 4}, {1U << 31U, 4}, {0, 4}})) == "63=p");
}

TEST_CASE("Modes are octal") {
  CHECK(mode_text(0644) == "0644");
  CHECK(mode_text(04755) == "4755");
  CHECK(mode_text(0) == "0000");
}
