// Which kind of filesystem a type is, for the plan.
#pragma once

#include <string_view>

namespace rehearse::sandbox {

enum class FilesystemKind {
  kReal,      ///< files on a disk or in memory: shown through a layer
  kReadOnly,  ///< an image format that nothing can write
  kRemote,    ///< requests would leave the host, or reach a host process: hidden
  kKernel,    ///< an interface of the kernel, not files: given afresh or absent
  kUnknown,
};

FilesystemKind filesystem_kind(std::string_view type);

/// Owners, modes, times, links and special files, as POSIX has them: what may be written there may be written
/// to a copy of it, and the other way round. Not so of FAT and NTFS.
bool takes_all_attributes(std::string_view type);

/// FAT: no pipes, sockets or devices, which would be the host's own on a mount of the host's.
bool holds_plain_files_only(std::string_view type);

}  // namespace rehearse::sandbox
