// What git's configuration files (git-config(1)) may start.
#pragma once

#include <string_view>

namespace rehearse::effects {

/// True: every setting is known, and none of them names a program, a hook or another file of settings. The
/// text may be hostile; what is not understood is not believed.
bool git_config_starts_nothing(std::string_view text);

/// A path that git reads settings from, of a repository or of a user.
bool is_git_config(std::string_view path);

}  // namespace rehearse::effects
