// Filesystems whose objects are the kernel's word of the moment.
#pragma once

namespace rehearse {

/// By the type that statfs(2) tells.
bool is_kernel_filesystem(long type);
/// The one that the object of `fd` lies on; false also where that is not known.
bool is_on_kernel_filesystem(int fd);

}  // namespace rehearse
