#include "trace/event_fields.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "records.h"
#include "trace/event_stream.h"
#include "trace/filter.h"

using namespace rehearse::trace;

namespace {

/// Whether the filter finds a call of these arguments.
bool finds(const std::string& text, std::uint32_t nr, std::vector<std::uint64_t> args,
           std::int64_t result = 0, const std::vector<std::pair<std::uint8_t, std::string>>& texts = {}) {
  INFO(text);
  const auto filter = Filter::parse(text);
  REQUIRE(filter);
  bool found = false;
  EventStream* stream = nullptr;
  EventStream events([&](const TraceEvent& event) {
    found = found || filter->matches(EventFields(event, *stream, 0, 0));
    return true;
  });
  stream = &events;
  RecordMaker make;
  for (const auto& [maker, child] : {std::pair{1U, 10U}, std::pair{10U, 20U}}) {
    struct rh_fork body = {};
    body.parent_tgid = maker;
    body.child_tid = child;
    body.child_tgid = child;
    body.inner_tid = child - 9;
    events.add(make.begin(body, RH_FORK, maker).done());
  }
  struct rh_exec program = {};
  program.tgid = 20;
  program.old_tid = 20;
  events.add(make.begin(program, RH_EXEC, 20).done());
  make.call(RH_EXIT, 20, nr, std::move(args), result);
  for (const auto& [arg, bytes] : texts) make.attach(RH_TEXT, arg, bytes);
  events.add(make.done());
  return found;
}

bool in_open(const std::string& text) {
  return finds(text, SYS_openat, {0xffffff9c, 0x1000, O_WRONLY | O_CREAT | O_TRUNC, 0666}, -2,
               {{1, "/etc/x"}});
}

}  // namespace

TEST_CASE("arguments by name are what trace prints, and numbers") {
  CHECK(in_open("evt.arg.flags contains O_TRUNC"));
  CHECK(in_open("evt.arg[2] contains O_TRUNC"));
  CHECK(in_open("evt.arg.flags = O_WRONLY|O_CREAT|O_TRUNC"));
  CHECK(in_open("evt.arg.flags = 577 and evt.arg.flags = 0x241 and evt.arg.flags in (1, 577)"));
  CHECK(in_open("evt.arg.flags in (O_RDONLY, O_WRONLY|O_CREAT|O_TRUNC)"));
  CHECK(in_open("evt.arg.flags != O_RDONLY and evt.arg.flags != 0 and evt.arg.flags > 500"));
  CHECK_FALSE(in_open("evt.arg.flags != 577 or evt.arg.flags != O_WRONLY|O_CREAT|O_TRUNC"));
  CHECK_FALSE(in_open("evt.arg.flags contains O_EXCL"));
  CHECK(in_open("evt.arg.flags regex '.*O_CREAT.*' and tolower(evt.arg.flags) startswith o_wronly"));
  CHECK(in_open("evt.arg.mode exists and evt.arg.mode = 0666 and evt.arg.mode = 438"));
  CHECK(in_open("evt.arg.dirfd = AT_FDCWD and evt.arg[0] = -100"));
  CHECK(in_open("evt.arg.pathname = /etc/x and evt.arg.path = /etc/x and evt.arg.filename endswith x"));
  CHECK(in_open("evt.arg.flags = val(evt.arg.flags)"));
  CHECK(in_open("evt.arg.res = ENOENT and evt.arg.res < 0"));
  CHECK_FALSE(in_open("evt.arg.request exists"));
  CHECK_FALSE(finds("evt.arg.mode exists", SYS_openat, {0xffffff9c, 0x1000, O_RDONLY, 0666}));
  CHECK(finds("evt.arg.fd = 3 and evt.arg.size >= 5", SYS_write, {3, 0x1000, 5}, 5));
}
