// What the descriptors of the threads stand for, followed through the records of a run. What is not known is
// not there: descriptors that came with a message (SCM_RIGHTS), from another process (pidfd_getfd) or before
// the trace, and those beyond the most that are kept.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "trace/record.h"
#include "trace/shared_state.h"
#include "trace/value.h"

namespace rehearse::trace {

/// One end of an internet connection.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
};
/// From a struct sockaddr; nothing for other families.
std::optional<Endpoint> endpoint_of(std::string_view sockaddr);

/// What a descriptor stands for. The path of an opened file is the kernel's own.
struct FdInfo {
  std::string name;
  char type =
      '?';  ///< f file, d directory, c device, p pipe, u local socket, 4 and 6 sockets, e event, m memory
  std::string_view protocol;  ///< of a socket: tcp, udp, icmp, raw, packet
  bool known_file = false;    ///< `file` is filled in
  struct rh_file file = {};
  std::optional<Endpoint> server;        ///< that it was connected to, as the action asked for it
  std::optional<Endpoint> client;        ///< that was accepted
  std::optional<Endpoint> bound;         ///< what the action bound it to, or the socket it was accepted from
  std::optional<int> netlink;            ///< of a netlink socket: its protocol
  std::optional<std::uint32_t> process;  ///< that a pidfd stands for, as the run numbers it
  /// Device and inode of a pipe, once the kernel has told them of one of its ends. Both ends of a pipe and of
  /// a socket pair that the action made stand for the same.
  std::optional<std::pair<std::uint32_t, std::uint64_t>> pipe;
};

class FdTable {
 public:
  FdTable() = default;
  FdTable(const FdTable&) = delete;
  FdTable& operator=(const FdTable&) = delete;

  /// Takes a finished call of thread `tid`; `entry`, its begin, where there is one.
  void call(std::uint32_t tid, const Record& exit, const Record* entry);
  /// `shares`: CLONE_FILES.
  void fork(std::uint32_t maker, std::uint32_t child, bool shares) { tables_.fork(maker, child, shares); }
  /// Thread `old_tid` executes a program and is `tid` from now on.
  void exec(std::uint32_t old_tid, std::uint32_t tid);
  void exit(std::uint32_t tid) { tables_.erase(tid); }

  /// What is kept lives on when it is closed.
  [[nodiscard]] std::shared_ptr<const FdInfo> find(std::uint32_t tid, std::int32_t fd) const;
  /// The same, valid until the next call that changes descriptors.
  [[nodiscard]] const FdInfo* peek(std::uint32_t tid, std::int32_t fd) const;
  /// Whether a call of that number may change what descriptors stand for.
  [[nodiscard]] static bool changes(std::uint32_t nr);

 private:
  struct Descriptor {
    std::shared_ptr<FdInfo> info;  ///< copies of a descriptor stand for the same
    bool close_on_exec = false;
  };
  /// The descriptors of one process, and how many there are in all tables: a bound on what an action can make
  /// us hold.
  class Table {
   public:
    explicit Table(std::size_t& total) : total_(total) {}
    Table(const Table& other);
    Table& operator=(const Table&) = delete;
    ~Table() { total_ -= entries_.size(); }

    [[nodiscard]] const Descriptor* find(std::int32_t fd) const;
    void put(std::int32_t fd, Descriptor descriptor);
    void set_close_on_exec(std::int32_t fd, bool on);
    template <class Condition>
    void mark_close_on_exec(const Condition& condition);
    template <class Condition>
    void erase_if(const Condition& condition);
    void erase(std::int32_t fd) { total_ -= entries_.erase(fd); }

   private:
    std::unordered_map<std::int32_t, Descriptor> entries_;
    std::size_t& total_;
  };

  Table& table(std::uint32_t tid);
  /// `exit`: of a call that says what the copy stands for, or null.
  void copied(std::uint32_t tid, std::int32_t from, std::int32_t to, bool close_on_exec,
              const Record* exit = nullptr);
  void close_range(std::uint32_t tid, const Record& exit);
  /// pipe(2) and socketpair(2).
  void paired(std::uint32_t tid, const Record& exit);
  void addressed(std::uint32_t tid, std::int32_t fd, const Record& entry);
  /// What a call that returns a descriptor has made.
  [[nodiscard]] FdInfo made(std::uint32_t tid, const Record& exit) const;

  std::size_t total_ = 0;  ///< before the tables, which count in it
  SharedState<Table> tables_;
};

}  // namespace rehearse::trace
