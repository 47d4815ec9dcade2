// What the descriptors of the processes stand for, followed through the records of a run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "trace/record.h"
#include "trace/value.h"

namespace rehearse::trace {

/// One end of an internet connection.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
};
/// From a struct sockaddr; nothing for other families.
std::optional<Endpoint> endpoint_of(std::string_view sockaddr);

/// One descriptor. The path of an opened file is the kernel's own.
struct FdInfo {
  std::string name;
  char type =
      '?';  ///< f file, d directory, c device, p pipe, u local socket, 4 and 6 sockets, e event, m memory
  bool close_on_exec = false;
  bool known_file = false;  ///< `file` is filled in
  struct rh_file file = {};
  std::optional<Endpoint> server;  ///< that it was connected to, as the action asked for it
  std::optional<Endpoint> client;  ///< that was accepted
};

class FdTable {
 public:
  /// Takes a finished call of process `process`. `child` etc. come through fork and exec below.
  void call(std::uint32_t process, const Record& exit);
  /// A connection was asked for: `sockaddr` is what the call was given.
  void connected(std::uint32_t process, std::int32_t fd, std::string_view sockaddr);
  void fork(std::uint32_t parent, std::uint32_t child);
  void exec(std::uint32_t process, const Record& exec);
  void exit(std::uint32_t process);

  /// `fd` may be AT_FDCWD.
  [[nodiscard]] const FdInfo* find(std::uint32_t process, std::int32_t fd) const;
  /// The path that `process` names by `path`, relative to `directory` (AT_FDCWD: its working directory),
  /// within the run's mounts. Symlinks and ".." are kept. Nothing if the directory is not known.
  [[nodiscard]] std::optional<std::string> place(std::uint32_t process, std::int32_t directory,
                                                 std::string_view path) const;

 private:
  using Table = std::unordered_map<std::int32_t, FdInfo>;
  static void opened(Table& table, std::int32_t fd, const Record& exit, bool close_on_exec);
  static void copied(Table& table, std::int32_t from, std::int32_t to, bool close_on_exec);
  static void moved(Table& table, const Record& record);

  std::unordered_map<std::uint32_t, Table> tables_;
};

}  // namespace rehearse::trace
