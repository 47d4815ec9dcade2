#include "units/host_units.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/escape.h"
#include "base/sys.h"
#include "units/dbus_auth.h"
#include "units/property.h"
#include "units/unit_name.h"

namespace rehearse::units {
namespace {

constexpr std::string_view kManager = "org.freedesktop.systemd1.Manager";
constexpr std::string_view kProperties = "org.freedesktop.DBus.Properties";
/// A manager with ten thousand units answers ListUnits with about 3 MB.
constexpr std::size_t kMaxAnswer = 12U << 20U;
/// One question in the course of a run: an answer takes less than a millisecond, unless the host's manager is
/// at something else, such as reading its units anew.
constexpr std::int64_t kCallTimeout = 5'000'000'000;

Message call_of(std::string path, std::string_view interface, std::string_view member) {
  Message message;
  message.path = std::move(path);
  message.interface = interface;
  message.member = member;
  return message;
}

Message get_all(std::string path, const std::string& interface) {
  Message message = call_of(std::move(path), kProperties, "GetAll");
  message.signature = "s";
  message.body = DbusWriter().string(interface).take();
  return message;
}

Result<Message> checked(Message answer, std::string_view signature) {
  if (answer.type == MessageType::kError) {
    return fail(fmt::format("it answers {}", escape_text(answer.error_name)), ExitCode::kUnavailable);
  }
  if (answer.signature != signature) {
    return fail(
        fmt::format("it answers with \"{}\" instead of \"{}\"", escape_text(answer.signature), signature),
        ExitCode::kUnavailable);
  }
  return answer;
}

/// The one value of `message`, little-endian.
std::string little_endian(const Message& message) {
  if (message.order == ByteOrder::kLittle) return message.body;
  DbusWriter out;
  DbusReader reader = message.reader();
  reader.copy(out);
  return out.take();
}

std::vector<HostUnit> read_units(const Message& answer) {
  std::vector<HostUnit> units;
  DbusReader reader = answer.reader();
  reader.enter_array("(ssssssouso)");
  while (reader.more()) {
    reader.enter_struct();
    HostUnit unit;
    for (std::string* field : {&unit.id, &unit.description, &unit.load_state, &unit.active_state,
                               &unit.sub_state, &unit.following}) {
      *field = reader.string();
    }
    while (!reader.next_type().empty()) reader.skip();  // path and job
    reader.leave();
    units.push_back(std::move(unit));
  }
  return units;
}

}  // namespace

void print_json(JsonWriter& json, const HostUnits& units) {
  json.open_object().key("version").string(to_utf8_lossy(units.version));
  json.key("system_state").string(to_utf8_lossy(units.system_state)).key("took_s").seconds(units.took_ns);
  json.key("units").open_array();
  for (const HostUnit& unit : units.units) {
    json.open_object().bytes("unit", unit.id).bytes("description", unit.description);
    json.bytes("load", unit.load_state).bytes("active", unit.active_state).bytes("sub", unit.sub_state);
    if (!unit.following.empty()) json.bytes("following", unit.following);
    json.close_object();
  }
  json.close_array().close_object();
}

Result<HostManager> HostManager::connect(std::string_view path, std::int64_t deadline_ns) {
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(fmt::format("the path of the service manager's socket is too long: {}", path),
                ExitCode::kUsage);
  }
  std::memcpy(static_cast<char*>(address.sun_path), path.data(), path.size());
  HostManager manager(UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
  if (!manager.socket_.valid()) return sys::last_error("socket");
  if (::connect(manager.socket_.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address) !=
      0) {
    // EAGAIN: its backlog is full, which is as good as no answer.
    return fail_errno(errno, fmt::format("no systemd answers at {}", path), ExitCode::kUnavailable);
  }
  RH_CHECK(manager.send(client_handshake(), deadline_ns));
  return manager;
}

Result<void> HostManager::wait(short events, std::int64_t deadline_ns) {
  struct pollfd poll = {socket_.get(), events, 0};
  for (;;) {
    const std::int64_t left = deadline_ns - monotonic_ns();
    if (left <= 0) return fail("it does not answer in time", ExitCode::kUnavailable);
    const struct timespec timeout = {left / 1'000'000'000, left % 1'000'000'000};
    const int ready = ::ppoll(&poll, 1, &timeout, nullptr);
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return sys::last_error("ppoll");
  }
}

Result<void> HostManager::send(std::string_view bytes, std::int64_t deadline_ns) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      RH_CHECK(wait(POLLOUT, deadline_ns));
    } else if (errno != EINTR) {
      return fail_errno(errno, "it does not listen", ExitCode::kUnavailable);
    }
  }
  return {};
}

Result<void> HostManager::receive(std::int64_t deadline_ns) {
  // recv(2) without a control buffer: the kernel drops descriptors that might come along.
  std::string chunk(64U << 10U, '\0');
  for (;;) {
    const ssize_t n = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
    if (n > 0) {
      input_.append(chunk, 0, static_cast<std::size_t>(n));
      return {};
    }
    if (n == 0) return fail("it has closed the connection", ExitCode::kUnavailable);
    if (errno == EAGAIN) {
      RH_CHECK(wait(POLLIN, deadline_ns));
    } else if (errno != EINTR) {
      return fail_errno(errno, "its answer cannot be read", ExitCode::kUnavailable);
    }
  }
}

Result<Message> HostManager::answer(std::uint32_t serial, std::int64_t deadline_ns) {
  while (!authenticated_) {
    RH_CHECK(receive(deadline_ns));
    RH_TRY(authenticated_, accept_handshake(input_));
  }
  for (;;) {
    std::size_t size = kMessagePrefix;
    if (input_.size() >= size) {
      RH_TRY(size, message_size(input_, kMaxAnswer));
    }
    if (input_.size() < size || size == kMessagePrefix) {
      RH_CHECK(receive(deadline_ns));
      continue;
    }
    auto message = unmarshal(std::string_view(input_).substr(0, size));
    input_.erase(0, size);
    // Signals come in between.
    if (!message || message->reply_serial == serial) return message;
  }
}

Result<Message> HostManager::call(Message message, std::string_view signature) {
  if (!socket_.valid()) return fail("the service manager has stopped answering", ExitCode::kUnavailable);
  const std::int64_t deadline = monotonic_ns() + kCallTimeout;
  message.serial = ++serial_;
  auto done = send(marshal(message), deadline);
  auto reply = done ? answer(message.serial, deadline) : Result<Message>(tl::make_unexpected(done.error()));
  if (!reply) {
    socket_.reset();
    return with_context(reply.error(), "the host's service manager");
  }
  return checked(std::move(*reply), signature);
}

Result<HostUnits> HostManager::read(std::int64_t deadline_ns) {
  const std::int64_t begin = monotonic_ns();
  // One round trip.
  Message properties = get_all(std::string(kManagerPath), std::string(kManager));
  Message list = call_of(std::string(kManagerPath), kManager, "ListUnits");
  properties.serial = ++serial_;
  list.serial = ++serial_;
  const auto read_all = [&]() -> Result<HostUnits> {
    HostUnits units;
    units.read_at_ns = realtime_ns();
    RH_CHECK(send(marshal(properties) + marshal(list), deadline_ns));
    RH_TRY(Message first, answer(properties.serial, deadline_ns));
    RH_TRY(Message second, answer(list.serial, deadline_ns));
    RH_TRY(first, checked(std::move(first), "a{sv}"));
    RH_TRY(second, checked(std::move(second), "a(ssssssouso)"));
    units.properties = little_endian(first);
    units.version = as_text(find_property(units.properties, "Version"));
    units.system_state = as_text(find_property(units.properties, "SystemState"));
    units.units = read_units(second);
    units.took_ns = monotonic_ns() - begin;
    return units;
  };
  auto units = read_all();
  if (units) return units;
  socket_.reset();
  return with_context(units.error(), "the host's service manager");
}

Result<std::string> HostManager::unit_properties(const std::string& unit, const std::string& interface) {
  RH_TRY(const Message answer, call(get_all(unit_path(unit), interface), "a{sv}"));
  return little_endian(answer);
}

Result<std::string> HostManager::unit_processes(const std::string& unit) {
  Message message = call_of(std::string(kManagerPath), kManager, "GetUnitProcesses");
  message.signature = "s";
  message.body = DbusWriter().string(unit).take();
  RH_TRY(const Message answer, call(std::move(message), "a(sus)"));
  return little_endian(answer);
}

}  // namespace rehearse::units
