// Whether this host has what the action looked for in vain, because the clone does not show it: on the host
// the action may do something else then.
#pragma once

#include <string_view>
#include <vector>

#include "rehearsal/host_root.h"
#include "trace/hidden_looks.h"
#include "verdict/finding.h"

namespace rehearse {

/// Asks by descriptors that open nothing but directories.
std::vector<verdict::Gap> hidden_objects(const trace::HiddenLooks& looks, const HostRoot& host);

/// Libraries, or this program, look for it whatever they do, and do without.
bool is_asked_by_habit(const std::string& path, std::string_view program);

/// The pure part: what is asked after in a table of /proc/sysvipc (proc(5)), as the host has it; how many of
/// its objects that concerns.
std::size_t count_hidden_ipc(const trace::IpcLooks& looks, std::string_view table);

}  // namespace rehearse
