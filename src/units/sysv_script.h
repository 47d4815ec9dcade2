// Init scripts of System V: the unit that systemd's generator makes of one at a daemon-reload.
//
// Source: sysv-generator.c of systemd 252. The script comes out of the clone: hostile input.
#pragma once

#include <string>
#include <string_view>

namespace rehearse::units {

/// The generated unit's file. `path`: the script's ("/etc/init.d/NAME"), without line breaks.
std::string sysv_unit_text(std::string_view path, std::string_view script);

}  // namespace rehearse::units
