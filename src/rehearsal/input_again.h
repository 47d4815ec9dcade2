// What an action was given to read, so that it can be given the same again: an action that was ended because
// it tried to write is rehearsed from its start.
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/relay.h"

namespace rehearse {

/// Of a file the place where it was begun; of a pipe or socket a copy, as far as Streams::kept_limit goes. Of
/// a terminal nothing: what is typed next is read next.
class InputAgain {
 public:
  /// `in`: borrowed.
  static Result<InputAgain> create(int in);

  /// Before the first run: keeps what it reads.
  void keep(sandbox::Streams& streams) const { streams.kept_in = copy_.get(); }
  /// Before the second: goes back. `cut`: the copy is not all of it; then an error.
  [[nodiscard]] Result<void> rewind(bool cut) const;
  void repeat(sandbox::Streams& streams) const { streams.again = copy_.get(); }

 private:
  int in_ = -1;
  std::optional<off_t> begun_at_;
  UniqueFd copy_;
};

}  // namespace rehearse
