// The two memfds that PID 1 is made of: its program and its configuration.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/plan.h"

namespace rehearse::sandbox {

/// The init program in a sealed, executable, unreadable (0111) memfd. See init/init.cc for why unreadable.
Result<UniqueFd> make_init_image();

/// InitConfig with everything it points to, sealed.
/// `room`: what the action may take at most (room_program).
Result<UniqueFd> make_init_config(const Plan& plan, std::uint64_t room);

/// Paths execve(2) is to try for `program`, as execvp(3) makes them from `search_path`.
std::vector<std::string> exec_candidates(const std::string& program, const std::string& search_path);

}  // namespace rehearse::sandbox
