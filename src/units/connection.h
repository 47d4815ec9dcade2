// One client of the manager inside, and what the parts of the manager share.
#pragma once

#include <fmt/core.h>

#include <set>
#include <string>
#include <string_view>

#include "units/manager.h"

namespace rehearse::units {

inline constexpr std::string_view kManagerInterface = "org.freedesktop.systemd1.Manager";
inline constexpr std::string_view kLogControlPath = "/org/freedesktop/LogControl1";
inline constexpr std::string_view kOwnUnitPath = "/org/freedesktop/systemd1/unit/self";
/// Texts of a record.
inline constexpr std::size_t kMaxRecordText = 4096;
/// Units a client may name before its questions are no longer told from what belongs to its requests.
inline constexpr std::size_t kMaxMentioned = 256;

struct Manager::Connection {
  ConnectionId id;
  Peer peer;
  AuthServer auth;
  std::string input = {};
  std::string output = {};
  std::uint32_t serial = 0;
  bool waiting = false;  ///< for the editor
  bool closing = false;
  bool gone = false;  ///< the client; what it had asked for is still worked off
  std::set<std::string> mentioned = {};
  std::string scope = {};  ///< the one the client has put itself into
};

/// What a request for a job means.
struct Manager::JobKind {
  std::string_view request;  ///< as in the record
  JobType type;
  bool reload_if_possible = false;
  bool verbose = false;  ///< EnqueueUnitJob's reply
};

inline BusError unknown_method(const Message& call) {
  return {std::string(bus_error::kUnknownMethod),
          fmt::format("Unknown method {} or interface {}.", call.member, call.interface)};
}

}  // namespace rehearse::units
