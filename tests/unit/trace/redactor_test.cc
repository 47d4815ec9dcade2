#include "trace/redactor.h"

#include <sys/syscall.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "records.h"

using namespace rehearse::trace;

namespace {

/// The list as it is kept, cut into pieces of `piece` bytes (the kernel's program cuts at RH_CHUNK_BYTES).
std::string kept(Redactor& redactor, const std::string& list, std::size_t piece, bool* marked = nullptr) {
  std::string result;
  for (std::size_t at = 0; at < list.size(); at += piece) {
    const std::string part = list.substr(at, piece);
    std::vector<std::uint64_t> memory((sizeof(struct rh_chunk) + part.size() + 7) / 8 + 1);
    auto& chunk = *reinterpret_cast<struct rh_chunk*>(memory.data());
    chunk.head.size = static_cast<std::uint32_t>((sizeof chunk + part.size() + 7) & ~std::size_t{7});
    chunk.head.kind = RH_ARGV;
    chunk.head.tid = 7;
    chunk.head.nr = static_cast<std::uint32_t>(at);
    chunk.length = static_cast<std::uint32_t>(part.size());
    std::memcpy(&chunk + 1, part.data(), part.size());
    redactor.redact(chunk.head);
    result.append(reinterpret_cast<const char*>(&chunk + 1), part.size());
    if (marked != nullptr) *marked = *marked || (chunk.flags & RH_REDACTED) != 0;
  }
  return result;
}

std::string list(const std::vector<std::string>& words) {
  std::string bytes;
  for (const std::string& word : words) bytes += word + '\0';
  return bytes;
}

}  // namespace

TEST_CASE("Secrets are overwritten, byte for byte") {
  Redactor redactor;
  const auto same = [&](const std::vector<std::string>& words) { return kept(redactor, list(words), 4096); };
  CHECK(same({"x", "--password=abc", "y"}) == list({"x", "--password=***", "y"}));
  CHECK(same({"x", "--DB-Token", "abc", "y"}) == list({"x", "--DB-Token", "***", "y"}));
  CHECK(same({"MYSQL_PASSWD=a=b", "y"}) == list({"MYSQL_PASSWD=***", "y"}));
  CHECK(same({"-H", "Authorization: Bearer x"}) == list({"-H", "Authorization: ****** *"}));
  CHECK(same({"https://me:abc@host/p"}) == list({"https://me:***@host/p"}));
}

TEST_CASE("Passwords among the options of mount are overwritten") {
  const auto kept_options = [](const std::string& options) {
    Redactor redactor;
    std::vector<std::uint64_t> memory(64);
    auto& call = *reinterpret_cast<struct rh_call*>(memory.data());
    auto& data = *reinterpret_cast<struct rh_attachment*>(reinterpret_cast<char*>(&call) + RH_CALL_BYTES(5));
    call.head.kind = RH_EXIT;
    call.head.nr = SYS_mount;
    call.head.args = 5;
    data.kind = RH_TEXT;
    data.arg = 4;
    data.length = static_cast<std::uint32_t>(options.size());
    std::memcpy(&data + 1, options.data(), options.size());
    call.head.size =
        static_cast<std::uint32_t>((RH_CALL_BYTES(5) + sizeof data + options.size() + 7) & ~std::size_t{7});
    redactor.redact(call.head);
    return std::string(reinterpret_cast<const char*>(&data + 1), options.size());
  };
  CHECK(kept_options("user=me,password=abc,vers=3") == "user=me,password=***,vers=3");
  CHECK(kept_options("PASS=a=b") == "PASS=***");
  CHECK(kept_options("lowerdir=/a,upperdir=/b") == "lowerdir=/a,upperdir=/b");
  CHECK(kept_options("password=") == "password=");
}

TEST_CASE("Words of a program that was not executed") {
  RecordMaker make;
  const Record record = make.call(RH_EXIT, 1, SYS_execve, {1, 2, 3}, -2)
                            .attach(RH_TEXT, 0, "/bin/absent")
                            .attach(RH_WORDS, 1, list({"absent", "--password=abc", "x"}))
                            .done();
  Redactor().redact(const_cast<struct rh_head&>(record.head()));
  std::string words;
  bool marked = false;
  record.each_attachment([&](const Attachment& attachment) {
    if (attachment.kind != RH_WORDS) return;
    words = attachment.bytes;
    marked = (attachment.flags & RH_REDACTED) != 0;
  });
  CHECK(words == list({"absent", "--password=***", "x"}));
  CHECK(marked);
}

TEST_CASE("A password within the name of a program, or of what is asked for") {
  const auto kept_name = [](rh_kind kind, std::uint32_t nr, std::uint8_t arg) {
    RecordMaker make;
    const Record record =
        make.call(kind, 1, nr, {1, 2, 3, 4, 5}, -2).attach(RH_TEXT, arg, "ssh://me:abc@host").done();
    Redactor().redact(const_cast<struct rh_head&>(record.head()));
    std::string name;
    record.each_attachment([&](const Attachment& attachment) { name = attachment.bytes; });
    return name;
  };
  for (const rh_kind kind : {RH_ENTER, RH_EXIT}) {
    CHECK(kept_name(kind, SYS_execve, 0) == "ssh://me:***@host");
    CHECK(kept_name(kind, SYS_execveat, 1) == "ssh://me:***@host");
    CHECK(kept_name(kind, SYS_newfstatat, 1) == "ssh://me:***@host");
    CHECK(kept_name(kind, SYS_unlink, 0) == "ssh://me:abc@host");
  }
}

TEST_CASE("What is no secret stays") {
  Redactor redactor;
  bool marked = false;
  const std::string words = list(
      {"--token-file=/x", "--passwords-path", "/y", "http://host:80/a@b", "a=b", "token", "abc", "--", "-p"});
  CHECK(kept(redactor, words, 4096, &marked) == words);
  CHECK_FALSE(marked);
}

TEST_CASE("A secret that goes on in the next piece") {
  const std::string words = list({"--password=abcdefghij", "--secret", "klmnop", "z"});
  const std::string wanted = list({"--password=**********", "--secret", "******", "z"});
  // Pieces as long as the kernel's, the cut at each place of the secrets.
  for (std::size_t pad = RH_CHUNK_BYTES - 50; pad < RH_CHUNK_BYTES; ++pad) {
    Redactor redactor;
    const std::string before = list({std::string(pad, 'x')});
    CHECK(kept(redactor, before + words, RH_CHUNK_BYTES) == before + wanted);
  }
}
