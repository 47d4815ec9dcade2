// Names of rehearse's own that more than one part must know.
#pragma once

namespace rehearse {

/// The directory in a mount's root that holds what promotions keep on that filesystem: one directory a run,
/// root's alone (0700). Nothing of it is shown to a run.
inline constexpr const char* kStoreDirectory = ".rehearse";

}  // namespace rehearse
