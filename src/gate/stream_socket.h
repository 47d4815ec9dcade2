// A TCP socket that does not block, and what is known of it: whether reading or writing is worth trying.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "gate/event_loop.h"

namespace rehearse::gate {

class StreamSocket final : public EventLoop::Watcher {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    /// Something may be possible now that was not.
    virtual void on_socket() = 0;
  };
  enum class Io : std::uint8_t {
    kDone,
    kBlocked,  ///< on_socket() follows when it is worth trying again
    kEnd,      ///< the peer sends no more
    kBroken,   ///< the connection is over; error() says why
  };

  StreamSocket(EventLoop& loop, Owner& owner) : loop_(loop), owner_(owner) {}

  /// A socket that is connected.
  Result<void> take(UniqueFd fd);
  /// One that connects: on_socket() comes when it has, or has failed.
  Result<void> take_connecting(UniqueFd fd);

  /// Of kDone, `count` bytes, at least one.
  Io read(std::span<char> buffer, std::size_t& count);
  Io write(std::string_view bytes, std::size_t& count);

  /// The kernel holds about so many bytes, or as many as it allows, that were written and have not come to
  /// the peer.
  void limit_unsent(int bytes);
  /// SHUT_WR: the peer sees the end.
  void shut_down();
  /// Ends with a FIN behind what was sent; with unread bytes, or with reset(), a RST.
  void close();
  void reset();
  /// on_socket() in the loop's next turn.
  void again() { loop_.again(*this); }

  [[nodiscard]] bool open() const { return fd_.valid(); }
  [[nodiscard]] bool readable() const { return readable_; }
  [[nodiscard]] bool writable() const { return writable_; }
  /// Both directions are over, or there was an error.
  [[nodiscard]] bool hung_up() const { return hung_up_; }
  [[nodiscard]] int error() const { return error_; }
  /// Of a connect; 0 if it has worked.
  [[nodiscard]] int connect_error() const;
  /// Something that was written has not come to the peer yet.
  [[nodiscard]] bool sends() const;

 private:
  void on_ready(std::uint32_t events) override;
  Io judge(std::ptrdiff_t result, bool& possible, std::size_t& count);
  void watch_room();

  EventLoop& loop_;
  Owner& owner_;
  UniqueFd fd_;
  bool readable_ = false;
  bool writable_ = true;
  bool watches_room_ = false;
  bool hung_up_ = false;
  int error_ = 0;
};

}  // namespace rehearse::gate
