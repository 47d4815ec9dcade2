#include "trace/filter.h"

#include <catch2/catch.hpp>

#include "event.h"
#include "trace/filter_parser.h"

using namespace rehearse;
using namespace rehearse::trace;
using namespace std::string_view_literals;

namespace {

constexpr std::int64_t kStart = 1'795'514'400'000'000'000;  // 2026-11-24T10:00:00Z

MapEvent open_event() {
  MapEvent event;
  event.set(Field::kEvtNum, std::uint64_t{7})
      .set(Field::kEvtTime, kStart + 1'500'000'000)
      .set(Field::kEvtRawtime, static_cast<std::uint64_t>(kStart) + 1'500'000'000)
      .set(Field::kEvtReltime, std::int64_t{1'500'000'000})
      .set(Field::kEvtLatency, std::uint64_t{12'000'000})
      .set(Field::kEvtType, "openat"sv)
      .set(Field::kEvtDir, "<"sv)
      .set(Field::kEvtRes, "ENOENT"sv)
      .set(Field::kEvtRawres, std::int64_t{-2})
      .set(Field::kEvtFailed, true)
      .set(Field::kEvtArg, "0", std::int64_t{-100})
      .set(Field::kEvtArg, "path", "/etc/Shadow"sv)
      .set(Field::kEvtArg, "mode", std::uint64_t{0644})
      .set(Field::kEvtArg, "size", "500"sv)
      .set(Field::kEvtIsOpenWrite, false)
      .set(Field::kProcPid, std::int64_t{42})
      .set(Field::kProcName, "cat"sv)
      .set(Field::kProcPname, "bash"sv)
      .set(Field::kProcExepath, "/usr/bin/cat"sv)
      .set(Field::kProcCmdline, "cat \"/etc/Shadow\" a=b"sv)
      .set(Field::kProcAname, "0", "cat"sv)
      .set(Field::kProcAname, "1", "bash"sv)
      .set(Field::kProcAname, "2", "sshd"sv)
      .set(Field::kProcApid, "1", std::int64_t{40})
      .set(Field::kProcApid, "2", std::int64_t{1})
      .set(Field::kProcId, std::uint64_t{9})
      .set(Field::kUserUid, std::uint64_t{0})
      .set(Field::kThreadVtid, std::int64_t{-1})
      .set(Field::kFdName, "/etc/Shadow"sv)
      .set(Field::kFdCip, IpAddress::v4({10, 1, 2, 3}))
      .set(Field::kFdSip, IpAddress::v4({192, 168, 0, 1}))
      .set(Field::kFdCport, std::uint64_t{50000})
      .set(Field::kFdSport, std::uint64_t{443});
  return event;
}

bool matches(std::string_view text, const Event& event) {
  const auto filter = Filter::parse(text);
  INFO(text);
  if (!filter) FAIL(filter.error().what << " (" << filter.error().fix << ")");
  return filter->matches(event);
}
bool matches(std::string_view text) {
  return matches(text, open_event());
}

std::string error(std::string_view text) {
  const auto filter = Filter::parse(text);
  INFO(text);
  REQUIRE_FALSE(filter.has_value());
  CHECK(filter.error().exit == ExitCode::kUsage);
  CHECK_FALSE(filter.error().fix.empty());
  return filter.error().what;
}

std::string fix(std::string_view text) {
  const auto filter = Filter::parse(text);
  REQUIRE_FALSE(filter.has_value());
  return filter.error().fix;
}

std::string types(std::string_view text) {
  const auto filter = Filter::parse(text);
  INFO(text);
  REQUIRE(filter.has_value());
  const auto required = filter->required_types();
  if (!required) return "any";
  std::string result;
  for (const std::string& name : *required) result += name + " ";
  return result;
}

std::string numbers(std::string_view text, Field field) {
  const auto filter = Filter::parse(text);
  REQUIRE(filter.has_value());
  const auto required = filter->required_numbers(field);
  if (!required) return "any";
  std::string result;
  for (const std::int64_t n : *required) result += std::to_string(n) + " ";
  return result;
}

}  // namespace

TEST_CASE("and binds tighter than or, not tighter than both") {
  const std::string t = "proc.pid = 42";
  const std::string f = "proc.pid = 1";
  for (const bool a : {false, true}) {
    for (const bool b : {false, true}) {
      for (const bool c : {false, true}) {
        const std::string x = a ? t : f;
        const std::string y = b ? t : f;
        const std::string z = c ? t : f;
        CHECK(matches(x + " or " + y + " and " + z) == (a || (b && c)));
        CHECK(matches(x + " and " + y + " or " + z) == ((a && b) || c));
        CHECK(matches("(" + x + " or " + y + ") and " + z) == ((a || b) && c));
        CHECK(matches("not " + x + " and " + y) == (!a && b));
        CHECK(matches("not (" + x + " and " + y + ")") == !(a && b));
        CHECK(matches("not(" + x + " or " + y + ") or not not " + z) == (!(a || b) || c));
        CHECK(matches(x + " and(" + y + ")or(" + z + ")") == ((a && b) || c));
        CHECK(matches("not " + x + " or not " + y + " and not " + z) == (!a || (!b && !c)));
      }
    }
  }
}

TEST_CASE("every operator on text") {
  CHECK(matches("fd.name = /etc/Shadow"));
  CHECK(matches("fd.name == '/etc/Shadow'"));
  CHECK_FALSE(matches("fd.name = /etc/shadow"));
  CHECK(matches("fd.name != /etc/shadow"));
  CHECK(matches("fd.name contains Shad"));
  CHECK(matches("fd.name contains \"\""));
  CHECK_FALSE(matches("fd.name contains shad"));
  CHECK(matches("fd.name icontains sHAD"));
  CHECK_FALSE(matches("fd.name icontains sHADE"));
  CHECK(matches("fd.name bcontains 536861"));
  CHECK_FALSE(matches("fd.name bcontains 00"));
  CHECK(matches("fd.name startswith /etc/"));
  CHECK_FALSE(matches("fd.name startswith etc"));
  CHECK(matches("fd.name bstartswith 2F65"));
  CHECK_FALSE(matches("fd.name bstartswith 65"));
  CHECK(matches("fd.name endswith dow"));
  CHECK_FALSE(matches("fd.name endswith do"));
  CHECK(matches("fd.name glob /e*dow"));
  CHECK(matches("fd.name glob '/etc/[A-Z]*'"));
  CHECK_FALSE(matches("fd.name glob /etc"));
  CHECK(matches("fd.name iglob /ETC/s*"));
  CHECK(matches("fd.name regex '/etc/.*'"));
  CHECK_FALSE(matches("fd.name regex etc"));  // the whole value, as libsinsp
  CHECK(matches("fd.name regex '^/(etc|usr)/[[:alpha:]]{6}$'"));
  CHECK(matches("fd.name in (/x, \"/etc/Shadow\" , y)"));
  CHECK_FALSE(matches("fd.name in (/etc, /etc/Shado, /etc/Shadows)"));
  CHECK_FALSE(matches("fd.name in ()"));
  CHECK(matches("proc.name in cat"));
  CHECK(matches("proc.name intersects(dog,cat)"));
  CHECK(matches("fd.name pmatch (/var, /etc)"));
  CHECK(matches("fd.name pmatch (/)"));
  CHECK(matches("fd.name pmatch (/e*)"));
  CHECK_FALSE(matches("fd.name pmatch (/et, /etc/Shadow/x, /usr)"));
  CHECK(matches("fd.name exists"));
  CHECK_FALSE(matches("fd.directory exists"));
  CHECK(matches("proc.name < cau and proc.name > cas and proc.name <= cat and proc.name >= cat"));
  CHECK(matches("evt.dir=<"));
  CHECK_FALSE(matches("evt.dir=>"));
  CHECK(matches("proc.cmdline = 'cat \"/etc/Shadow\" a=b'"));
  CHECK(matches(R"(proc.cmdline = "cat \"/etc\/Shadow\" a\x3db")"));
}

TEST_CASE("numbers, times, addresses, flags") {
  CHECK(matches("proc.pid=42 and proc.pid = 0x2a and proc.pid = 052 and proc.pid=+42"));
  CHECK(matches("proc.pid != 43 and proc.pid < 43 and proc.pid <= 42 and proc.pid > -1 and proc.pid >= 42"));
  CHECK_FALSE(matches("proc.pid < 42 or proc.pid > 42 or proc.pid != 42"));
  CHECK(matches("evt.rawres < 0 and evt.rawres = -2 and evt.rawres in (1, -2, 0x10)"));
  CHECK_FALSE(matches("evt.rawres in (1, 2)"));
  CHECK(matches("thread.vtid = -1 and evt.num < 18446744073709551615"));
  CHECK(matches("evt.rawres >= -9223372036854775808"));
  CHECK(matches("evt.failed = true and evt.is_open_write=false and evt.failed != false"));
  CHECK(matches("evt.failed in (true, false)"));

  CHECK(matches("evt.latency = 12ms and evt.latency > 11999999 and evt.latency < 0.5s"));
  CHECK(matches("evt.reltime = 1.5s"));
  CHECK(matches("evt.time > 1 and evt.time < 2 and evt.time = 1.5 and evt.time = 1500ms"));
  CHECK(matches("evt.time in (1.5, 2)"));
  CHECK(matches("evt.time >= 2026-11-24T10:00:00Z and evt.time < 2026-11-24T10:00:01.500000001Z"));
  CHECK(matches("evt.time = '2026-11-24 11:00:01.5+01:00' and evt.time = 2026-11-24t05:30:01.5-04:30"));
  CHECK(matches("evt.rawtime = 1795514401500000000"));

  CHECK(matches("fd.cip = 10.1.2.3 and fd.cip = 10.0.0.0/8 and fd.cip != 10.2.0.0/16"));
  CHECK(matches("fd.cip = ::ffff:10.1.2.3 and fd.cip in (::1, 10.1.2.0/30)"));
  CHECK_FALSE(matches("fd.cip = ::/0"));
  CHECK(matches("fd.cip = 0.0.0.0/0"));
  MapEvent six;
  six.set(Field::kFdSip, *parse_ip("2001:db8:1::5"));
  CHECK(matches("fd.sip = 2001:db8::/32 and fd.ip=2001:db8:1::5 and fd.sip != 2001:db8:1::/127", six));
  CHECK(matches("fd.ip = ::/0 and not fd.ip = 0.0.0.0/0", six));
}

TEST_CASE("either end, as libsinsp: any for all operators but !=") {
  CHECK(matches("fd.ip = 10.1.2.3 and fd.ip = 192.168.0.1"));
  CHECK_FALSE(matches("fd.ip != 10.1.2.3"));
  CHECK(matches("fd.ip != 10.1.2.4"));
  CHECK(matches("fd.port = 443 and fd.port in (1, 50000) and fd.port > 49999 and fd.port < 444"));
  CHECK_FALSE(matches("fd.port != 443"));
  CHECK(matches("fd.port != 444 and fd.port exists"));
  MapEvent bound;
  bound.set(Field::kFdPort, std::uint64_t{80});
  CHECK(matches("fd.port = 80 and fd.port != 81 and not fd.port = 81", bound));
}

TEST_CASE("ancestors") {
  CHECK(matches("proc.aname = sshd and proc.aname=bash and proc.aname[2] = sshd and proc.aname[0]=cat"));
  CHECK_FALSE(matches("proc.aname = cat or proc.aname[3] exists or proc.aname[1] = sshd"));
  CHECK(matches("proc.apid in (1) and proc.apid[1] = 40 and proc.aname != bash"));
  CHECK_FALSE(matches("proc.apid = 42"));
}

TEST_CASE("arguments are text or numbers, as the event has them") {
  CHECK(matches("evt.arg[0] = -100 and evt.arg[0] != 5 and evt.arg[0] in (x, -100) and evt.arg[0] < 0"));
  CHECK(matches("evt.arg.mode = 0644 and evt.arg[mode] = 420 and evt.arg['mode'] contains 42"));
  CHECK_FALSE(matches("evt.arg.mode = x"));
  CHECK(matches("evt.arg.mode != x"));
  CHECK(matches("evt.arg.size < 4096 and evt.arg.size = 500 and evt.arg.size > 0x10"));
  CHECK(matches("evt.arg.path startswith /etc and evt.arg.path > /e and not evt.arg[1] exists"));
}

TEST_CASE("a field that is missing matches nothing, != included") {
  MapEvent empty;
  for (const char* check :
       {"fd.name = x", "fd.name != x", "fd.name contains \"\"", "fd.num < 5", "fd.num != 5", "fd.name in (x)",
        "fd.name exists", "fd.ip != 10.0.0.1", "fd.port != 1", "fd.name regex .*", "fd.name pmatch (/)",
        "evt.failed = false", "proc.aname != x", "len(fd.name) = 0", "fd.name = val(proc.name)",
        "evt.arg.path != y", "evt.type != open"}) {
    CHECK_FALSE(matches(check, empty));
    CHECK(matches("not " + std::string(check), empty));
  }
}

TEST_CASE("functions and fields on the right") {
  CHECK(matches("tolower(fd.name) = /etc/shadow and toupper(proc.name)=CAT and len(proc.name) = 3"));
  CHECK(matches("basename(fd.name) = Shadow and tolower( basename( fd.name ) ) in (shadow)"));
  CHECK(matches("len(tolower(basename(fd.name))) > 5"));
  CHECK(matches("basename(proc.exepath) = val(proc.name) and proc.name != val( proc.pname )"));
  CHECK(matches("fd.name = val(evt.arg.path) and evt.num < val(proc.pid) and evt.arg[0] < val(proc.pid)"));
  CHECK(matches("proc.name = basename(proc.exepath) and proc.cmdline contains val(proc.name)"));
  CHECK(matches("proc.name in val(proc.aname[0]) and fd.cip != val(fd.sip)"));
  CHECK(matches("tolower(evt.arg[0]) = -100 and tolower(proc.aname) = bash"));
  MapEvent encoded;
  encoded.set(Field::kProcArgs, "aGVsbG8="sv).set(Field::kProcName, "aGVsbG8"sv).set(Field::kProcExe, "!"sv);
  CHECK(matches("b64(proc.args) = hello and b64(proc.name) = hello", encoded));
  CHECK_FALSE(matches("b64(proc.exe) exists or b64(proc.exe) != x", encoded));
}

TEST_CASE("hostile names hide from no pattern") {
  MapEvent event;
  event.set(Field::kFdName, "/tmp/a\nb\xff"sv);
  CHECK(matches("fd.name regex '/tmp/.*' and fd.name regex '/tmp/a.b.' and fd.name glob /tmp/*", event));
  CHECK(matches("fd.name glob '/tmp/a?b?' and fd.name contains b", event));
  CHECK_FALSE(matches("fd.name regex '/tmp/a'", event));
  event.set(Field::kFdName, "/a\0b"sv);
  CHECK(matches(R"(fd.name = "/a\x00b" and fd.name endswith b and not fd.name = /a)", event));
}

TEST_CASE("a type that no event has is an error that names the nearest") {
  for (const auto* good :
       {"evt.type = openat", "evt.type in (procexec, 'i386 open', 'x32 getpid', syscall_0x258)",
        "evt.type startswith opne", "evt.type = 'i386 syscall_0x1f4'",
        "evt.type != 'x32 syscall_0x40000200'"})
    CHECK(Filter::parse(good));
  const auto wrong = Filter::parse("evt.failed = true and evt.type in (read, opnat)");
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().exit == ExitCode::kUsage);
  CHECK(wrong.error().what.find("column 42: there is no system call or event 'opnat'") != std::string::npos);
  CHECK(wrong.error().fix.find("openat") != std::string::npos);
  for (const auto* bad :
       {"evt.type = exec", "evt.type = 'i386 opne'", "evt.type = 'syscall_0x'", "evt.type != unknown"})
    CHECK_FALSE(Filter::parse(bad));
}

TEST_CASE("types are compared by id where there are ids") {
  auto filter = *Filter::parse("evt.type in (openat, close, 'i386 open') or evt.type = 'read'");
  const auto id_of = [](std::string_view name) -> std::uint32_t {
    return name == "openat" ? 3 : name == "close" ? 900 : name == "read" ? 0 : Event::kNoTypeId;
  };
  filter.bind_types(id_of);
  for (const std::uint32_t id : {3U, 900U, 0U}) CHECK(filter.matches(MapEvent().type(id)));
  for (const std::uint32_t id : {1U, 4U, 901U, 70000U}) CHECK_FALSE(filter.matches(MapEvent().type(id)));
  CHECK(filter.matches(MapEvent().set(Field::kEvtType, "i386 open"sv)));
  CHECK_FALSE(filter.matches(MapEvent()));
  auto unequal = *Filter::parse("evt.type != close");
  unequal.bind_types(id_of);
  CHECK(unequal.matches(MapEvent().type(3)));
  CHECK_FALSE(unequal.matches(MapEvent().type(900)));
  auto large = *Filter::parse("evt.type = close");
  large.bind_types([](std::string_view) { return 4'000'000'000U; });
  CHECK(large.matches(MapEvent().type(4'000'000'000U).set(Field::kEvtType, "close"sv)));
}

TEST_CASE("what a match requires") {
  CHECK(types("evt.type = open") == "open ");
  CHECK(types("evt.type in (open, close, open) and proc.pid = 1") == "close open ");
  CHECK(types("evt.type = open or proc.pid = 1") == "any");
  CHECK(types("evt.type = open or (evt.type = close and proc.pid = 1)") == "close open ");
  CHECK(types("evt.type in (access, bind) and evt.type in (bind, chdir)") == "bind ");
  CHECK(types("evt.type = access and evt.type = bind") == "");
  CHECK(types("evt.type in ()") == "");
  CHECK(types("not evt.type = access") == "any");
  CHECK(types("evt.type != access") == "any");
  CHECK(types("not evt.type != access") == "any");  // an event without a type matches it too
  CHECK(types("not not evt.type = access") == "access ");
  CHECK(types("not (not evt.type = access or proc.pid = 1)") == "access ");
  CHECK(types("not (not evt.type = access and not evt.type = bind)") == "access bind ");
  CHECK(types("not (not evt.type = access and proc.pid = 1)") == "any");
  CHECK(types("tolower(evt.type) = a") == "any");
  CHECK(types("evt.type startswith a") == "any");
  CHECK(types("evt.type = val(proc.name)") == "any");
  CHECK(numbers("proc.pid in (3, 1) and evt.type = read", Field::kProcPid) == "1 3 ");
  CHECK(numbers("proc.id = 9 or proc.id = 4", Field::kProcId) == "4 9 ");
  CHECK(numbers("proc.id > 9", Field::kProcId) == "any");
  CHECK(numbers("proc.id = 18446744073709551615", Field::kProcId) == "any");
  CHECK(numbers("proc.apid = 1", Field::kProcApid) == "any");
  CHECK(numbers("fd.port = 1", Field::kFdPort) == "any");
}

TEST_CASE("the fields a filter asks for") {
  const auto filter = *Filter::parse("fd.ip = ::1 or proc.name = val(proc.pname) or proc.name exists");
  const std::vector<Field> fields(filter.fields_used().begin(), filter.fields_used().end());
  CHECK(fields ==
        std::vector{Field::kProcName, Field::kProcPname, Field::kFdIp, Field::kFdCip, Field::kFdSip});
}

TEST_CASE("errors name the column and the thing") {
  CHECK(error("") == "filter, column 1: the filter is empty");
  CHECK(error("  ") == "filter, column 1: the filter is empty");
  CHECK(error("proc.pid contains 4") ==
        "filter, column 10: 'contains' cannot compare proc.pid, which is a whole number");
  CHECK(error("evt.failed > true") ==
        "filter, column 12: '>' cannot compare evt.failed, which is true or false");
  CHECK(error("proc.nmae = x") == "filter, column 1: there is no field 'proc.nmae'");
  CHECK(fix("proc.nmae = x") == "did you mean proc.name? rehearse trace --fields lists all");
  CHECK(fix("pname = x") == "did you mean proc.pname? rehearse trace --fields lists all");
  CHECK(fix("zzz.yyyyyyyy = x") == "rehearse trace --fields lists the fields");
  CHECK(error("'ä' = x") == "filter, column 1: expected a field, found '''");
  CHECK(error("fd.name = 'ä' xor proc.pid = 1") ==
        "filter, column 15: expected 'and', 'or' or the end, found 'xor'");
  CHECK(error("proc.pid = 1)") == "filter, column 13: expected 'and', 'or' or the end, found ')'");
  CHECK(error("(proc.pid = 1") == "filter, column 14: expected ')', found the end");
  CHECK(fix("(proc.pid = 1") == "close the parenthesis of column 1");
  CHECK(error("proc.pid") == "filter, column 9: expected an operator after proc.pid, found the end");
  CHECK(fix("evt.failed and proc.pid = 1") == "write evt.failed = true");
  CHECK(error("proc.pid =") == "filter, column 11: expected a value after '=', found the end");
  CHECK(error("proc.pid = (1, 2)") == "filter, column 12: expected one value after '=', found '('");
  CHECK(error("proc.pid = x1") == "filter, column 12: proc.pid is a whole number, not 'x1'");
  CHECK(error("proc.pid = 08") == "filter, column 12: proc.pid is a whole number, not '08'");
  CHECK(error("proc.pid = 9223372036854775808") ==
        "filter, column 12: proc.pid is a whole number, not '9223372036854775808'");
  CHECK(error("user.uid in (0, -1)") == "filter, column 17: user.uid is a whole number from 0 up, not '-1'");
  CHECK(error("fd.port = 65536") == "filter, column 11: fd.port is a port number, not '65536'");
  CHECK(error("evt.failed = yes") == "filter, column 14: evt.failed is true or false, not 'yes'");
  CHECK(error("fd.ip = 10.0.0.1/33") == "filter, column 9: '10.0.0.1/33' is not an internet address");
  CHECK(error("evt.latency > 5parsecs") == "filter, column 15: evt.latency is a duration, not '5parsecs'");
  CHECK(error("evt.time > 2026-02-30T00:00:00Z") ==
        "filter, column 12: evt.time is a time, not '2026-02-30T00:00:00Z'");
  error("evt.time in (1.5, 2026-02-03T00:00:00Z)");
  CHECK(error("fd.name = \"abc") == "filter, column 11: the quoted text does not end");
  CHECK(error(R"(fd.name regex "\d+")") == "filter, column 16: '\\d' is no escape");
  CHECK(error("fd.name regex '(a'") == "filter, column 15: not a regular expression: 'missing ): (a'");
  CHECK(error("fd.name bcontains xyz") ==
        "filter, column 19: 'bcontains' takes bytes in hexadecimal, not 'xyz'");
  CHECK(error("fd.name in (a, b") == "filter, column 17: expected ',' or ')' in the list, found the end");
  CHECK(error("fd.name in (a b)") == "filter, column 15: expected ',' or ')' in the list, found 'b'");
  CHECK(error("fd.name in (a,)") == "filter, column 15: expected a value in the list, found ')'");
  CHECK(error("evt.arg = x") == "filter, column 8: evt.arg needs an argument");
  CHECK(error("evt.arg.falgs contains x") == "filter, column 1: no system call has an argument 'falgs'");
  CHECK(fix("evt.arg.falgs contains x") == "did you mean evt.arg.flags?");
  CHECK(error("evt.type = open and evt.arg[nosuch_argument] = 1") ==
        "filter, column 21: no system call has an argument 'nosuch_argument'");
  CHECK(error("proc.name = val(evt.arg.nosuch)") ==
        "filter, column 17: no system call has an argument 'nosuch'");
  CHECK(error("evt.arg[6] exists") == "filter, column 1: no system call has an argument 6");
  CHECK(error("proc.aname[x] = x") == "filter, column 12: 'x' is no argument for proc.aname");
  CHECK(error("proc.name[1] = x") == "filter, column 10: proc.name takes no argument");
  CHECK(error("evt.arg[1 = x") == "filter, column 10: expected ']', found ' '");
  CHECK(error("upper(fd.name) = x") == "filter, column 1: there is no function 'upper'");
  CHECK(error("val(fd.name) = x") == "filter, column 1: there is no function 'val'");
  CHECK(error("tolower(proc.pid) = 1") ==
        "filter, column 9: tolower() takes text, proc.pid is a whole number");
  CHECK(error("len(len(fd.name)) = 1") ==
        "filter, column 5: len() takes text, len(fd.name) is a whole number from 0 up");
  CHECK(error("proc.name = proc.pname") == "filter, column 13: 'proc.pname' is a field, not a value");
  CHECK(matches("proc.name != 'proc.pname'"));
  CHECK(error("proc.name = val(proc.pid)") ==
        "filter, column 13: proc.name is text, proc.pid is a whole number");
  CHECK(error("proc.name regex val(fd.name)") == "filter, column 17: 'regex' takes no field on its right");
  CHECK(error("proc.name = val(proc.aname)") == "filter, column 13: proc.aname can be several values");
  CHECK(error("fd.cip = val(fd.ip)") == "filter, column 10: fd.ip can be several values");
  CHECK(error("proc.name like x") == "filter, column 11: expected an operator after proc.name, found 'like'");
  CHECK(error("not") == "filter, column 4: expected a field, found the end");
  CHECK(error("proc.pid = 1 and") == "filter, column 17: expected a field, found the end");
}

TEST_CASE("hostile filters end in an error, not in the stack or the memory") {
  const auto repeat = [](std::string_view part, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += part;
    return text;
  };
  const std::string check = "proc.pid = 42";
  CHECK(matches(repeat("(", 100) + check + repeat(")", 100)));
  CHECK(error(repeat("(", 101) + check + repeat(")", 101)) ==
        "filter, column 102: parentheses are nested too deep");
  error(repeat("(", 60000));
  error(repeat("not(", 16000));
  error(repeat("tolower(", 8000));
  error(repeat("not ", 16000));
  CHECK(matches(repeat("not ", 16000) + check));
  error(std::string(70000, ' ') + check);
  CHECK(matches(repeat("proc.pid=42 or ", 4000) + check));
  error(repeat("proc.id=1 or ", 4500) + check);
  error(repeat("fd.name regex a or ", 65) + check);
  error("fd.name regex '" + std::string(5000, 'a') + "'");
  error("fd.name regex '((a{1000}){1000}){1000}'");
  CHECK(matches("fd.name in (" + repeat("a,", 30000) + "/etc/Shadow)"));

  MapEvent event;
  const std::string path(100'000, 'a');
  event.set(Field::kFdName, std::string_view(path));
  CHECK_FALSE(matches("fd.name regex '(a*)*(a*)*b'", event));
  CHECK_FALSE(matches("fd.name regex '(a|aa)+$b'", event));
  CHECK_FALSE(matches("fd.name glob '" + repeat("*a", 50) + "*b'", event));
}

TEST_CASE("the fields are listed with type and meaning") {
  CHECK(all_fields().size() == 60);
  for (const FieldInfo& field : all_fields()) {
    CHECK(find_field(field.name) == &field);
    CHECK_FALSE(field.about.empty());
    CHECK_FALSE(type_name(field.type).empty());
    const std::string argument = field.argument == ArgumentRule::kRequired ? "[0]" : "";
    CHECK(Filter::parse(std::string(field.name) + argument + " exists").has_value());
  }
}
