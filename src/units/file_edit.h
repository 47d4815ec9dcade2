// Edits of unit files: what the manager is asked to do becomes a command for systemctl in the clone, and what
// that says becomes the manager's answer.
//
// Source: dbus-manager.c (install_error, reply_install_changes) and install.c (install_changes_dump) of
// systemd 252; 253 to 257 print the same lines. The output comes out of the clone: hostile input.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "units/bus_error.h"
#include "units/dbus_message.h"

namespace rehearse::units {

/// What systemctl said.
struct EditAnswer {
  int exit = -1;    ///< its exit status, -1 if it could not be run or was killed
  std::string out;  ///< standard output
  std::string err;  ///< standard error
};

/// Runs systemctl in the clone.
class UnitFileEditor {
 public:
  virtual ~UnitFileEditor() = default;
  /// Has `systemctl --root=/ WORDS...` run inside, as root, with LC_ALL=C and SYSTEMCTL_SKIP_SYSV=1 (the
  /// client has run the scripts of SysV services itself), and Manager::answer called with `ticket` when it
  /// has ended; never from within this call. Its output may be cut at kMaxEditOutput.
  virtual void run(std::uint64_t ticket, std::vector<std::string> words) = 0;
};

inline constexpr std::size_t kMaxEditOutput = 256U << 10U;

/// One edit, read from a call.
struct FileEdit {
  std::string request;                ///< enable, mask, ...: as in the record
  std::vector<std::string> files;     ///< unit names or paths
  std::vector<std::string> words;     ///< for the editor
  bool carries_install_info = false;  ///< whether the reply begins with that boolean
};

/// The edit that a call of the manager's interface asks for (EnableUnitFiles, SetDefaultTarget, ...); nothing
/// if its member is none of them. The signature has been checked.
std::optional<FileEdit> parse_file_edit(const Message& call);
/// D-Bus signature of that member's arguments, empty if it is none of them.
std::string_view file_edit_signature(std::string_view member);

/// The reply's signature and body, or the error the manager would give.
struct EditReply {
  std::string signature;
  std::string body;
};
BusResult<EditReply> edit_reply(const FileEdit& edit, const EditAnswer& answer);

/// is-enabled: the state's word.
BusResult<std::string> enabled_state(const EditAnswer& answer);
/// get-default.
BusResult<std::string> default_target(const EditAnswer& answer);

/// is-enabled --full: the symlinks below the state.
std::vector<std::string> installed_links(const EditAnswer& answer);

struct ListedFile {
  std::string name;
  std::string state;
  std::string preset;  ///< empty where none applies
};
/// list-unit-files --no-legend --full.
std::vector<ListedFile> listed_files(const EditAnswer& answer);

}  // namespace rehearse::units
