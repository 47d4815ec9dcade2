// What a masked file shows in place of its content: as many bytes as the host's has, all of them line breaks.
// Whoever asks how long it is gets the host's answer, and what parses it finds nothing in it.
#pragma once

#include <cstdint>

#include "base/digest.h"
#include "base/result.h"

namespace rehearse {

/// Fills the empty file `fd`; what is larger than a secret is (1 MiB) ends in a hole.
Result<void> write_masked_content(int fd, std::uint64_t size);

/// Whether a file of `size` bytes with this digest shows what was written for it.
bool is_masked_content(const Sha256& digest, std::uint64_t size);

}  // namespace rehearse
