// The builder's place: a private copy of the host's mount namespace that the calling thread enters and
// leaves.
#pragma once

#include <cstdint>
#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace rehearse::sandbox {

/// While it lives, the calling thread is in a mount namespace of its own, all mounts private, working
/// directory the one given. `leave` (or destruction) puts back namespace, root and working directory. The
/// thread must not share its filesystem state with others that matter meanwhile.
class PrivateNamespace {
 public:
  static Result<PrivateNamespace> enter(int working_directory);
  PrivateNamespace(PrivateNamespace&& other) noexcept = default;
  PrivateNamespace(const PrivateNamespace&) = delete;
  PrivateNamespace& operator=(const PrivateNamespace&) = delete;
  PrivateNamespace& operator=(PrivateNamespace&&) = delete;
  ~PrivateNamespace();
  Result<void> leave();

 private:
  PrivateNamespace() = default;
  UniqueFd namespace_;
  UniqueFd root_;
  UniqueFd directory_;
};

/// While it lives, files are made as id `shift` and the effective capabilities are those an overlay's mounter
/// needs: all but CAP_SYS_RESOURCE, which would let layers eat the filesystem's reserved blocks.
class MounterIdentity {
 public:
  static Result<MounterIdentity> assume(std::uint32_t shift);
  MounterIdentity(MounterIdentity&& other) noexcept : active_(std::exchange(other.active_, false)) {}
  MounterIdentity(const MounterIdentity&) = delete;
  MounterIdentity& operator=(const MounterIdentity&) = delete;
  MounterIdentity& operator=(MounterIdentity&&) = delete;
  ~MounterIdentity() { (void)drop(); }
  Result<void> drop();

 private:
  MounterIdentity() = default;
  bool active_ = true;
};

}  // namespace rehearse::sandbox
