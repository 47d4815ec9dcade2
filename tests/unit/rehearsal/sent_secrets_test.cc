#include "rehearsal/sent_secrets.h"

#include <catch2/catch.hpp>

using namespace rehearse;

namespace {

constexpr const char* kShadow = "/etc/shadow";

/// The action (1), which lives to the end, and two that it started, from the second of these times to the
/// third.
report::RunRecord forked_run() {
  report::RunRecord record;
  const auto process = [&](std::uint32_t id, std::uint32_t parent, std::int64_t start, std::int64_t end) {
    report::ProcessRecord& one = record.processes.emplace_back();
    one.id = id;
    one.parent = parent;
    one.start_ns = start;
    one.end_ns = end;
  };
  process(1, 0, 0, 1000);
  process(2, 1, 100, 200);
  process(3, 1, 300, 400);
  return record;
}

void opens(report::RunRecord& record, std::uint32_t process, std::int64_t at,
           const char* exe = "/usr/bin/perl", const char* path = kShadow) {
  record.reads.openings.push_back({path, process, exe, at});
}

void connects(report::RunRecord& record, std::uint32_t process, std::int64_t at,
              const char* exe = "/usr/bin/curl") {
  report::NetworkRecord& to = record.network.emplace_back();
  to.verdict = "denied";
  to.proto = "tcp";
  to.dst = "192.0.2.1";
  to.port = 80;
  to.process = process;
  to.exe = exe;
  to.time_ns = at;
}

bool sent(const report::RunRecord& record, const char* path = kShadow) {
  return SentSecrets(record).may_be_sent(path);
}

}  // namespace

TEST_CASE("what was opened before something outside was to be reached may have been sent") {
  auto record = forked_run();
  opens(record, 2, 150);
  CHECK_FALSE(sent(record));
  connects(record, 3, 350);
  CHECK(sent(record));
}

TEST_CASE("what tried before and is gone has sent nothing of what was opened after") {
  auto record = forked_run();
  connects(record, 2, 150);
  opens(record, 3, 350);
  CHECK_FALSE(sent(record));
  // The reader of a pipeline connects before its writer opens anything.
  record.processes[2].start_ns = 180;
  CHECK(sent(record));
  // What connected leaves the connection to what it starts.
  record.processes[2].start_ns = 300;
  record.processes[2].parent = 2;
  CHECK(sent(record));
}

TEST_CASE("programs that log somebody in hand no password on") {
  auto record = forked_run();
  opens(record, 2, 150, "/usr/bin/su");
  connects(record, 3, 350);
  CHECK_FALSE(sent(record));
  // sudo executes the command in its own place.
  connects(record, 2, 180);
  CHECK_FALSE(sent(record));
  connects(record, 2, 180, "/usr/bin/su");
  CHECK(sent(record));
  record.network.pop_back();
  opens(record, 3, 320);
  CHECK(sent(record));
  auto key = forked_run();
  opens(key, 2, 150, "/usr/bin/su", "/root/.netrc");
  connects(key, 3, 350);
  CHECK(sent(key, "/root/.netrc"));
}

TEST_CASE("names that were looked up") {
  auto record = forked_run();
  opens(record, 2, 150);
  record.dns.push_back({"localhost", "A", "local", {}, {}, 160, 1});
  CHECK_FALSE(sent(record));
  record.dns.push_back({"b.example", "SRV", "nodata", {}, {}, 140, 1});
  CHECK_FALSE(sent(record));
  record.dns.push_back({"c.example", "A", "synthetic", {}, {}, 160, 1});
  CHECK(sent(record));
  record.dns.back() = {"c.example", "A", "synthetic", {}, {}, {}, 1};
  CHECK(sent(record));
  // Who was told that there is no such name would have gone on to connect.
  record.dns.back() = {"c.example", "A", "nxdomain", {}, {}, 140, 1};
  CHECK(sent(record));
}

TEST_CASE("an opening of which nothing is known counts, and so does an unknown process") {
  auto record = forked_run();
  connects(record, 2, 150);
  CHECK(sent(record));
  opens(record, 9, 350);
  CHECK(sent(record));
}

TEST_CASE("what stays on this host") {
  const auto local = [](const char* proto, const char* dst) {
    report::NetworkRecord to;
    to.proto = proto;
    to.dst = dst;
    return stays_local(to);
  };
  CHECK(local("unix", "/run/x"));
  CHECK(local("tcp", "127.0.0.2"));
  CHECK(local("other", "AF_INET, SOCK_DGRAM, IPPROTO_ICMP"));
  CHECK(local("other", "AF_BLUETOOTH, SOCK_RAW, 1"));
  CHECK_FALSE(local("icmp", "192.0.2.1"));
  CHECK_FALSE(local("other", "AF_BLUETOOTH, SOCK_STREAM, 3"));
  CHECK_FALSE(local("other", "AF_VSOCK, SOCK_STREAM, 0"));
}

TEST_CASE("a name below localhost says as much as any other to the server that is asked") {
  for (const char* name : {"c2VjcmV0.localhost", "67.66.65.127.in-addr.arpa"}) {
    auto record = forked_run();
    opens(record, 2, 150);
    record.dns.push_back({name, "A", "local", {}, {}, 160, 1});
    CHECK(sent(record));
  }
}
