// Private ssh keys in a user's ~/.ssh, whatever they are called.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rehearse::sandbox {

/// The text is a private key's: OpenSSH's, PEM, PuTTY's. Its first 4 KiB are enough.
bool looks_like_private_key(std::string_view text);

/// Adds the real paths of the keys in `home`/.ssh (`home`: a real path below `root`) and two levels of
/// directories below it, of at most 1000 entries: known by their names or by their first bytes. Symlinks are
/// followed, .ssh itself among them, to what their owner owns.
void find_private_keys(int root, const std::string& home, std::vector<std::string>& found);

}  // namespace rehearse::sandbox
