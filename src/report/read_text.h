// One path that an action read, for people and for programs.
#pragma once

#include <string>

#include "effects/read_list.h"

namespace rehearse::report {

/// "opened,attributes  /etc/hosts"; one escaped line without its end.
std::string read_line(const effects::HostRead& read);
/// One JSON object.
std::string read_json(const effects::HostRead& read);

}  // namespace rehearse::report
