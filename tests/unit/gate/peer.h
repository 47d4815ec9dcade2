// Real programs as peers of the code under test.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace rehearse::gate::testing {

struct Ran {
  int status = -1;
  std::string output;
};

/// Runs a shell command; standard error goes where the command says.
inline Ran run(const std::string& command) {
  Ran ran;
  FILE* const pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> buffer{};
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    ran.output.append(buffer.data(), n);
  const int status = ::pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

/// False, with the reason printed, if the program is not on this machine.
inline bool have(const std::string& program) {
  if (run("command -v " + program).status == 0) return true;
  WARN("skipped: there is no " << program << " here");
  return false;
}

inline bool contains(const std::string& text, std::string_view part) {
  INFO(text);
  INFO(part);
  return text.find(part) != std::string::npos;
}

/// A socket bound to a free port of 127.0.0.1.
class LocalSocket {
 public:
  /// `type` as socket(2) has it; `port` 0 takes any.
  explicit LocalSocket(int type, std::uint16_t port = 0)
      : socket_(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    struct sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(socket_.get(), reinterpret_cast<struct sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    if (type == SOCK_STREAM) REQUIRE(::listen(socket_.get(), 16) == 0);
  }
  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  UniqueFd socket_;
  std::uint16_t port_ = 0;
};

}  // namespace rehearse::gate::testing
