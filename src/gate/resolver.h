// Names as the host resolves them: its hosts file, then the name servers of its resolv.conf (c-ares).
// Neither NSS modules nor search lists: what was asked for inside is a whole name.
#pragma once

#include <ares.h>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "base/result.h"
#include "gate/event_loop.h"
#include "gate/hosts_file.h"

namespace rehearse::gate {

/// Keeps an answer for a minute at most. Not thread safe; the loop outlives it.
class Resolver : private Timer {
 public:
  struct Answer {
    std::vector<IpAddress> addresses;
    std::string error;  ///< why there are none
  };
  using Done = std::function<void(const Answer&)>;

  /// Reads the host's files: they need not be readable later.
  static Result<std::unique_ptr<Resolver>> create(EventLoop& loop);
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver() override;

  /// Calls `done` once, perhaps before it returns, unless the question is cancelled. Gives the question's
  /// number.
  std::uint64_t ask(const std::string& name, Done done);
  void cancel(std::uint64_t question);

 private:
  /// A socket of c-ares.
  class Socket;
  struct Entry {
    Resolver* resolver = nullptr;
    Answer answer;
    bool known = false;
    std::int64_t until_ns = 0;  ///< that the answer is kept
    std::map<std::uint64_t, Done> waiting;
  };

  explicit Resolver(EventLoop& loop);
  void on_time() override;
  static void on_socket(void* self, ares_socket_t fd, int readable, int writable);
  static void on_answer(void* entry, int status, int timeouts, struct ares_addrinfo* result);
  void process(ares_socket_t readable, ares_socket_t writable);
  void make_room();

  EventLoop& loop_;
  HostsFile hosts_;
  ares_channel channel_ = nullptr;
  std::map<std::string, Entry> entries_;
  std::map<ares_socket_t, std::unique_ptr<Socket>> sockets_;
  std::vector<std::unique_ptr<Socket>> closed_;  ///< may still be named in the loop's turn
  std::uint64_t questions_ = 0;
};

}  // namespace rehearse::gate
