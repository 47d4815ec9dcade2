// The kinds of structure that are decoded from captured bytes. A short one shows what is there.
#pragma once

#include <string>
#include <string_view>

namespace rehearse::syscalls {

/// {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}
void append_sockaddr(std::string& out, std::string_view bytes);

/// struct clone_args: {flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD, stack=NULL, stack_size=0}
void append_clone_args(std::string& out, std::string_view bytes);

/// struct open_how: {flags=O_WRONLY|O_CREAT, mode=0600, resolve=RESOLVE_BENEATH}
void append_open_how(std::string& out, std::string_view bytes);

}  // namespace rehearse::syscalls
