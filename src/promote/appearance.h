// What an object looks like beside its content: by this an edit is noticed that moves neither its size nor
// its modification time, of an object whose change time a rename has moved anyway.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "base/result.h"

namespace rehearse::promote {

struct Appearance {
  std::uint32_t mode = 0;  ///< with the type
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string xattrs;  ///< names and values as the filesystem lists them, ACLs and capabilities included
  bool operator==(const Appearance&) const = default;
};

/// `st` is of what is called `name` in the directory `dir`.
Result<Appearance> appearance_of(int dir, const std::string& name, const struct stat& st);

}  // namespace rehearse::promote
