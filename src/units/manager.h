// The service manager that an action meets inside: answers as the host's would, changes nothing on the host,
// and keeps account of what it was asked for.
//
// Source: org.freedesktop.systemd1(5), and what systemctl, systemd-run and sd-bus of systemd 252 to 257 say
// on /run/systemd/private. A state machine without I/O of its own: bytes of clients come in, bytes for them
// and records come out. What it needs to know it asks three interfaces that its owner implements.
//
// What it is not: nothing is started or stopped, no generator but that of init scripts is played, no drop-in
// of set-property is written; a unit always starts well. A client that wants the system bus (loginctl,
// systemd-run --wait) is not served.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "units/dbus_auth.h"
#include "units/dbus_message.h"
#include "units/file_edit.h"
#include "units/host_units.h"
#include "units/transaction.h"
#include "units/unit_file.h"
#include "units/unit_table.h"

namespace rehearse::units {

enum class Answered {
  kMocked,      ///< as if it had been done
  kRefused,     ///< with an error, as the host's manager would
  kCarriedOut,  ///< really done, in the clone
};
/// "mocked", "refused", "carried-out": CONVENTIONS 4a.
std::string_view to_string(Answered answered);

/// One request of the action. Texts are the action's: escape them.
struct UnitRequest {
  std::string unit;     ///< as it was named; empty if the request is for the manager itself
  std::string request;  ///< start, restart, enable, kill, daemon-reload, query, ...
  std::string mode;     ///< job mode ("replace"), signal of kill, names of set properties; or empty
  Answered answered = Answered::kMocked;
  std::string detail;             ///< the error's text, or the command of a transient unit
  std::vector<std::string> also;  ///< what it would mean for other units: "stop app.service"
  pid_t process = 0;              ///< the client's, in its own pid namespace; 0: not known
};

/// Whether the host would be another one after it.
inline bool changes_host(const UnitRequest& asked) {
  return asked.request != "query" && asked.answered != Answered::kRefused;
}

/// Who is at the other end of a connection.
struct Peer {
  pid_t process = 0;
  std::uint32_t uid = 0;  ///< as the client itself sees it
};

/// A longer message ends its connection.
inline constexpr std::size_t kMaxRequest = 128U << 10U;
/// With as much unsent output no further request of that client is looked at.
inline constexpr std::size_t kMaxPendingOutput = 256U << 10U;
inline constexpr std::size_t kMaxConnections = 64;
/// Edits on their way, those of clients that are gone included.
inline constexpr std::size_t kMaxTickets = 64;
/// Records of one run, and their texts; what comes after is counted only.
inline constexpr std::size_t kMaxRecords = 10'000;
inline constexpr std::size_t kMaxRecordBytes = 16U << 20U;
/// Of these, what is left to requests that change something: questions do not use it up.
inline constexpr std::size_t kReservedRecords = kMaxRecords / 4;
inline constexpr std::size_t kReservedRecordBytes = kMaxRecordBytes / 4;

/// Not thread safe. Memory is bounded by the limits above, by the host's units, and by kMaxOwnUnits.
class Manager {
 public:
  /// The three interfaces outlive it.
  Manager(HostUnits host, PropertySource& source, UnitFileFinder& finder, UnitFileEditor& editor);
  ~Manager();
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  using ConnectionId = std::uint64_t;
  /// kTryLater if there are kMaxConnections already.
  Result<ConnectionId> connect(Peer peer);
  /// What it has sent before still counts.
  void disconnect(ConnectionId id);
  /// Edits that have not been answered will not be: they are recorded as refused, with `why`.
  void abandon_edits(const std::string& why);

  /// Whether more of this client's bytes should be read now.
  [[nodiscard]] bool wants_input(ConnectionId id) const;
  /// Takes what the client has sent, up to kMaxRequest at once.
  void receive(ConnectionId id, std::string_view bytes);
  /// What is to be sent to the client; sent() takes the first `size` bytes off it.
  [[nodiscard]] std::string_view output(ConnectionId id) const;
  void sent(ConnectionId id, std::size_t size);
  /// Of all clients together.
  [[nodiscard]] std::size_t pending_output() const;
  /// Whether the client's next answer needs the editor's.
  [[nodiscard]] bool waits_for_edit(ConnectionId id) const;
  /// Whether the connection is to be closed once its output has been sent.
  [[nodiscard]] bool finished(ConnectionId id) const;

  /// The editor's answer. May give output to connections and new work to the editor.
  void answer(std::uint64_t ticket, const EditAnswer& answer);

  /// The records since the last call, in the order of their answers.
  std::vector<UnitRequest> take_requests() { return std::exchange(requests_, {}); }
  /// Requests that were answered but not recorded.
  [[nodiscard]] std::uint64_t unrecorded() const { return unrecorded_; }
  /// The units as the run sees them.
  [[nodiscard]] const UnitTable& table() const { return table_; }

 private:
  struct Connection;
  struct Method;
  struct JobKind;
  using Continuation = std::function<void(Connection*, const EditAnswer&)>;
  struct Ticket {
    ConnectionId connection;
    Continuation continuation;
  };

  void process(Connection& connection);
  void finish_gone(Connection& connection);
  std::optional<Message> next_message(Connection& connection);
  void dispatch(Connection& connection, const Message& call);
  void manager_call(Connection& connection, const Message& call);
  void unit_call(Connection& connection, const Message& call, const std::string& name);
  void property_call(Connection& connection, const Message& call, const std::string& unit);
  void peer_call(Connection& connection, const Message& call);

  void get_unit(Connection& connection, const Message& call);
  void load_unit(Connection& connection, const Message& call);
  void unit_by_pid(Connection& connection, const Message& call);
  void list_units(Connection& connection, const Message& call);
  void list_units_by_names(Connection& connection, const Message& call);
  void unit_processes(Connection& connection, const Message& call);
  void reset_all_failed(Connection& connection, const Message& call);
  void enqueue_job(Connection& connection, const Message& call);
  void start_transient(Connection& connection, const Message& call);
  void daemon_reload(Connection& connection, const Message& call);
  void daemon_reexec(Connection& connection, const Message& call);
  void end_system(Connection& connection, const Message& call);
  void list_nothing(Connection& connection, const Message& call);
  void no_such_job(Connection& connection, const Message& call);
  void done(Connection& connection, const Message& call);
  void change_environment(Connection& connection, const Message& call);
  void set_property(Connection& connection, const Message& call, const std::string& unit,
                    const std::string& name, DbusReader& value);
  void note_and_done(Connection& connection, const Message& call);
  void enqueue_marked(Connection& connection, const Message& call);
  void file_state(Connection& connection, const Message& call);
  void file_links(Connection& connection, const Message& call);
  void list_files(Connection& connection, const Message& call);
  void default_target(Connection& connection, const Message& call);
  void edit_files(Connection& connection, const Message& call);

  /// Methods that a unit's object has too: the name has been read off.
  void queue_job(Connection& connection, const Message& call, const std::string& name, const JobKind& kind,
                 const std::string& mode);
  void kill(Connection& connection, const Message& call, const std::string& name, DbusReader& arguments);
  void reset_failed(Connection& connection, const Message& call, const std::string& name);
  void set_properties(Connection& connection, const Message& call, const std::string& name,
                      DbusReader& arguments);

  BusResult<Unit*> loaded(const std::string& name);
  BusResult<Unit*> load(const std::string& name);
  void ask(Connection& connection, const Message& call, std::vector<std::string> words,
           Continuation continuation);
  /// Finds out whether `unit` is enabled in the clone, then takes up `call` again.
  void ask_file_state(Connection& connection, const Message& call, const std::string& unit);
  void write_unit(DbusWriter& out, const Unit& unit) const;
  [[nodiscard]] std::string system_state() const;
  std::vector<Property> manager_properties() const;

  void send(Connection& connection, Message message);
  void reply(Connection& connection, const Message& call, std::string signature, std::string body);
  void signal(Connection& connection, std::string_view member, std::string signature, std::string body);
  /// Sends the error and records the request as refused.
  void refuse_request(Connection& connection, const Message& call, UnitRequest request,
                      const BusError& error);
  /// One that this manager has not, though the host's may have it.
  void refuse_method(Connection& connection, const Message& call, const std::string& unit);
  void error(Connection& connection, const Message& call, const BusError& error);
  void record(const Connection* connection, UnitRequest request);
  /// From now on the client's reading of that unit is no question of its own.
  static bool mention(Connection& connection, const std::string& unit);
  void note_query(Connection& connection, const std::string& unit);

  HostUnits host_;
  UnitTable table_;
  UnitFileFinder& finder_;
  UnitFileEditor& editor_;
  std::map<ConnectionId, std::unique_ptr<Connection>> connections_;
  std::map<std::uint64_t, Ticket> tickets_;
  ConnectionId last_connection_ = 0;
  std::uint64_t last_ticket_ = 0;
  std::uint32_t last_job_ = 0;
  std::vector<Property> changed_;  ///< of the manager's own properties, in this run
  bool ending_ = false;            ///< a reboot or the like has been asked for
  std::vector<UnitRequest> requests_;
  std::size_t recorded_ = 0;
  std::size_t recorded_bytes_ = 0;
  std::uint64_t unrecorded_ = 0;
};

}  // namespace rehearse::units
