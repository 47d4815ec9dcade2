// Whether the kernel loads modules by itself.
#pragma once

namespace rehearse::host {

/// It starts a helper when somebody asks for what is not there (a file system, a device kind, a protocol).
/// False: it has no modules, or they are switched off. Source: Documentation/admin-guide/sysctl/kernel.rst,
/// modprobe and modules_disabled.
bool loads_modules();

}  // namespace rehearse::host
