// Messages with descriptors between two processes: unix(7), SCM_RIGHTS.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace rehearse {

struct SocketPair {
  UniqueFd first;
  UniqueFd second;
};

/// `type`: SOCK_STREAM or SOCK_SEQPACKET; both ends close on exec.
Result<SocketPair> socket_pair(int type);

constexpr std::size_t kMostMessageFds = 16;

struct Message {
  std::string text;  ///< empty: the other side has closed
  std::vector<UniqueFd> fds;
};

/// One message of a SOCK_SEQPACKET socket; `text` is not empty, `fds` are at most kMostMessageFds. Waits for
/// room.
Result<void> send_message(int socket, std::string_view text, std::span<const int> fds);
/// Waits for one. Fails if it has more than `limit` bytes or kMostMessageFds descriptors.
Result<Message> receive_message(int socket, std::size_t limit);

}  // namespace rehearse
