// One change as text for a person; everything escaped. Shared by the report and `diff`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "effects/change.h"
#include "report/link_names.h"

namespace rehearse::report {

/// "+", "~", "−", ">", "m", "t", "=".
const char* mark(effects::ChangeKind kind);

/// What differs besides content: "mode 0644→0600", "owner 0:0→33:33", "caps none→cap_net_raw=ep", ... without
/// times.
std::vector<std::string> metadata_differences(const effects::Attributes& before,
                                              const effects::Attributes& after);

/// The time of last change of something of which no more than attributes are other, where it was set to one
/// outside the run.
std::optional<std::string> set_time(const effects::Change& change);

/// What is allocated to a file of which no content differs, where that is another amount.
std::optional<std::string> allocation(const effects::Change& change);

/// Written or touched with no effect but a time of the run itself. One more name is an effect.
bool is_noise(const effects::Change& change);

/// Something that was there is gone: deleted, replaced by another type, or overwritten by a rename.
bool is_destructive(const effects::Change& change);

/// Size, type, target, attributes, and of what it is a hard link: what follows the path on a line. May be
/// empty.
std::string details(const effects::Change& change, const LinkNames& links = {});

}  // namespace rehearse::report
