// What the host's own service manager says about its units, read before an action runs.
//
// Read-only calls on /run/systemd/private (systemd 240 and newer; root only): the manager's properties and
// the list of loaded units at the beginning, a unit's properties when something asks for them. A unit that
// the host has not loaded is never asked for: the question would load it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/json_writer.h"
#include "base/result.h"
#include "units/dbus_message.h"

namespace rehearse::units {

inline constexpr std::string_view kHostManagerSocket = "/run/systemd/private";

/// One line of ListUnits.
struct HostUnit {
  std::string id;
  std::string description;
  std::string load_state;    ///< loaded, not-found, masked, ...
  std::string active_state;  ///< active, inactive, failed, ...
  std::string sub_state;     ///< running, exited, dead, ...
  std::string following;     ///< the unit whose state this one shows, or empty
};

/// All at one moment.
struct HostUnits {
  std::string version;          ///< "252.39-1~deb12u1"
  std::string system_state;     ///< running, degraded, ...
  std::string properties;       ///< the manager's, marshalled as a{sv}, little-endian
  std::vector<HostUnit> units;  ///< in the manager's order
  std::int64_t read_at_ns = 0;  ///< CLOCK_REALTIME; unit files that are younger the manager has not read
  std::int64_t took_ns = 0;
};

void print_json(JsonWriter& json, const HostUnits& units);

/// Where a unit's properties come from when they are needed.
class PropertySource {
 public:
  virtual ~PropertySource() = default;
  /// All properties of `interface` ("" for all interfaces) of a unit that the host has loaded, marshalled as
  /// a{sv}, little-endian.
  virtual Result<std::string> unit_properties(const std::string& unit, const std::string& interface) = 0;
  /// The processes of such a unit, marshalled as a(sus).
  virtual Result<std::string> unit_processes(const std::string& unit) = 0;
};

/// A connection to the host's manager. Not thread safe. Every call ends within its time; after one that did
/// not, or whose answer was no D-Bus message, the connection is closed and every later call fails at once.
class HostManager final : public PropertySource {
 public:
  /// kUnavailable, naming the reason, where no systemd answers at `socket` within `deadline_ns`
  /// (CLOCK_MONOTONIC).
  static Result<HostManager> connect(std::string_view socket, std::int64_t deadline_ns);

  Result<HostUnits> read(std::int64_t deadline_ns);
  /// False once a call has not been answered.
  [[nodiscard]] bool answers() const { return socket_.valid(); }
  Result<std::string> unit_properties(const std::string& unit, const std::string& interface) override;
  Result<std::string> unit_processes(const std::string& unit) override;

 private:
  explicit HostManager(UniqueFd socket) : socket_(std::move(socket)) {}
  Result<void> send(std::string_view bytes, std::int64_t deadline_ns);
  Result<void> receive(std::int64_t deadline_ns);
  Result<Message> answer(std::uint32_t serial, std::int64_t deadline_ns);
  Result<Message> call(Message message, std::string_view signature);
  Result<void> wait(short events, std::int64_t deadline_ns);

  UniqueFd socket_;
  std::string input_;
  bool authenticated_ = false;
  std::uint32_t serial_ = 0;
};

}  // namespace rehearse::units
