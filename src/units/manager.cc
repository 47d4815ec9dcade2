// Connections, requests to the editor, and what is said to clients. The methods are in manager_*.cc.
#include "units/manager.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/clock.h"
#include "units/connection.h"
#include "units/unit_name.h"

namespace rehearse::units {
namespace {

/// Names this server to its clients; any will do.
constexpr std::string_view kGuid = "72656865617273656d616e6167657200";

}  // namespace

std::string_view to_string(Answered answered) {
  switch (answered) {
    case Answered::kMocked:
      return "mocked";
    case Answered::kRefused:
      return "refused";
    case Answered::kCarriedOut:
      return "carried-out";
  }
  return "";
}

Manager::Manager(HostUnits host, PropertySource& source, UnitFileFinder& finder, UnitFileEditor& editor)
    : host_(std::move(host)), table_(host_, source, finder), finder_(finder), editor_(editor) {}

Manager::~Manager() = default;

Result<Manager::ConnectionId> Manager::connect(Peer peer) {
  // Those of clients that are gone wait for an edit each: there are kMaxTickets at most.
  const auto live = std::ranges::count_if(connections_, [](const auto& one) { return !one.second->gone; });
  if (static_cast<std::size_t>(live) >= kMaxConnections) {
    return fail(fmt::format("the service manager inside has {} connections already", kMaxConnections),
                ExitCode::kTryLater);
  }
  const ConnectionId id = ++last_connection_;
  connections_.emplace(id,
                       std::make_unique<Connection>(Connection{id, peer, {peer.uid, std::string(kGuid)}}));
  return id;
}

void Manager::disconnect(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  found->second->gone = true;
  finish_gone(*found->second);
}

/// Nobody hears the answers of what is left; an edit that it waits for calls again.
void Manager::finish_gone(Connection& connection) {
  std::size_t before = 0;
  do {
    before = connection.input.size();
    connection.output.clear();
    process(connection);
  } while (!connection.waiting && !connection.closing && connection.input.size() != before);
  if (!connection.waiting) connections_.erase(connection.id);
}

void Manager::abandon_edits(const std::string& why) {
  while (!tickets_.empty()) answer(tickets_.begin()->first, {-1, "", why});
}

bool Manager::wants_input(ConnectionId id) const {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return false;
  const Connection& connection = *found->second;
  return !connection.closing && connection.input.size() < kMaxRequest;
}

void Manager::receive(ConnectionId id, std::string_view bytes) {
  const auto found = connections_.find(id);
  if (found == connections_.end() || found->second->closing) return;
  Connection& connection = *found->second;
  connection.input += bytes.substr(0, kMaxRequest);
  process(connection);
}

std::string_view Manager::output(ConnectionId id) const {
  const auto found = connections_.find(id);
  return found == connections_.end() ? std::string_view() : std::string_view(found->second->output);
}

std::size_t Manager::pending_output() const {
  std::size_t size = 0;
  for (const auto& [id, connection] : connections_) size += connection->output.size();
  return size;
}

bool Manager::waits_for_edit(ConnectionId id) const {
  const auto found = connections_.find(id);
  return found != connections_.end() && found->second->waiting;
}

void Manager::sent(ConnectionId id, std::size_t size) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  found->second->output.erase(0, size);
  process(*found->second);  // what had to wait
}

bool Manager::finished(ConnectionId id) const {
  const auto found = connections_.find(id);
  return found == connections_.end() || found->second->closing;
}

std::optional<Message> Manager::next_message(Connection& connection) {
  if (connection.input.size() < kMessagePrefix) return std::nullopt;
  const auto size = message_size(connection.input, kMaxRequest);
  if (size && connection.input.size() < *size) return std::nullopt;
  auto message = size ? unmarshal(std::string_view(connection.input).substr(0, *size))
                      : Result<Message>(tl::make_unexpected(size.error()));
  if (!message) {
    // What follows cannot be told from it.
    connection.closing = true;
    connection.input.clear();
    return std::nullopt;
  }
  connection.input.erase(0, *size);
  return std::move(*message);
}

void Manager::process(Connection& connection) {
  if (!connection.auth.done() && !connection.auth.receive(connection.input, connection.output)) {
    connection.closing = true;
  }
  while (connection.auth.done() && !connection.closing && !connection.waiting &&
         connection.output.size() <= kMaxPendingOutput) {
    const auto message = next_message(connection);
    if (!message) break;
    if (message->type != MessageType::kMethodCall) continue;  // nothing was asked of a client
    table_.end_transient(realtime_ns());
    dispatch(connection, *message);
    table_.collect();
  }
}

void Manager::dispatch(Connection& connection, const Message& call) {
  if (call.interface == "org.freedesktop.DBus.Peer") return peer_call(connection, call);
  auto unit = unit_of_path(call.path);
  if (call.path == kOwnUnitPath && !connection.scope.empty()) unit = connection.scope;
  // The object of systemctl log-level has properties that are the manager's too.
  if (!unit && call.path != kManagerPath && call.path != kLogControlPath) {
    return error(connection, call,
                 {std::string(bus_error::kUnknownObject), fmt::format("Unknown object '{}'.", call.path)});
  }
  if (call.interface == "org.freedesktop.DBus.Properties")
    return property_call(connection, call, unit.value_or(""));
  unit ? unit_call(connection, call, *unit) : manager_call(connection, call);
}

void Manager::peer_call(Connection& connection, const Message& call) {
  if (call.member == "Ping") return reply(connection, call, "", "");
  error(connection, call, unknown_method(call));
}

void Manager::ask(Connection& connection, const Message& call, std::vector<std::string> words,
                  Continuation continuation) {
  if (tickets_.size() >= kMaxTickets) {
    return error(connection, call,
                 {std::string(bus_error::kLimitsExceeded), "Too many edits of unit files at once."});
  }
  const std::uint64_t ticket = ++last_ticket_;
  tickets_.emplace(ticket, Ticket{connection.id, std::move(continuation)});
  connection.waiting = true;
  editor_.run(ticket, std::move(words));
}

void Manager::answer(std::uint64_t ticket, const EditAnswer& answer) {
  const auto found = tickets_.find(ticket);
  if (found == tickets_.end()) return;
  const Ticket asked = std::move(found->second);
  tickets_.erase(found);
  const auto connection = connections_.find(asked.connection);
  if (connection == connections_.end()) return asked.continuation(nullptr, answer);
  connection->second->waiting = false;
  asked.continuation(connection->second.get(), answer);
  table_.collect();
  if (connection->second->gone) return finish_gone(*connection->second);
  process(*connection->second);
}

void Manager::send(Connection& connection, Message message) {
  message.serial = ++connection.serial;
  if (message.serial == 0) message.serial = ++connection.serial;
  connection.output += marshal(message);
}

void Manager::reply(Connection& connection, const Message& call, std::string signature, std::string body) {
  if (!call.wants_reply()) return;
  Message message = reply_to(call);
  message.signature = std::move(signature);
  message.body = std::move(body);
  send(connection, std::move(message));
}

void Manager::signal(Connection& connection, std::string_view member, std::string signature,
                     std::string body) {
  Message message;
  message.type = MessageType::kSignal;
  message.flags = kNoReplyExpected;
  message.path = kManagerPath;
  message.interface = kManagerInterface;
  message.member = member;
  message.signature = std::move(signature);
  message.body = std::move(body);
  send(connection, std::move(message));
}

void Manager::error(Connection& connection, const Message& call, const BusError& error) {
  if (call.wants_reply()) send(connection, error_to(call, error.name, error.text));
}

void Manager::refuse_request(Connection& connection, const Message& call, UnitRequest request,
                             const BusError& why) {
  request.answered = Answered::kRefused;
  request.detail = why.text;
  record(&connection, std::move(request));
  error(connection, call, why);
}

void Manager::record(const Connection* connection, UnitRequest request) {
  if (connection != nullptr) request.process = connection->peer.process;
  std::size_t bytes = 0;
  for (std::string* text : {&request.unit, &request.mode, &request.detail}) {
    if (text->size() > kMaxRecordText) text->resize(kMaxRecordText);
    bytes += text->size();
  }
  for (const std::string& also : request.also) bytes += also.size();
  const bool asks = request.request == "query";
  if (recorded_ >= kMaxRecords - (asks ? kReservedRecords : 0) ||
      recorded_bytes_ + bytes > kMaxRecordBytes - (asks ? kReservedRecordBytes : 0)) {
    ++unrecorded_;
    return;
  }
  ++recorded_;
  recorded_bytes_ += bytes;
  requests_.push_back(std::move(request));
}

bool Manager::mention(Connection& connection, const std::string& unit) {
  return connection.mentioned.size() < kMaxMentioned && connection.mentioned.insert(unit).second;
}

void Manager::note_query(Connection& connection, const std::string& unit) {
  // systemctl reads a unit's state after it has asked for something: that is no question of the action.
  if (!mention(connection, unit)) return;
  UnitRequest request;
  request.unit = unit;
  request.request = "query";
  record(&connection, std::move(request));
}

}  // namespace rehearse::units
