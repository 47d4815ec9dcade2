// The policy of a run, read while its sandbox is built: taking it in costs as much as half of a small run.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "sandbox/sandbox.h"
#include "verdict/policy.h"

namespace rehearse {

class PolicyLoad final : public sandbox::Meanwhile {
 public:
  /// `sources`: as load_policy() takes them.
  explicit PolicyLoad(std::vector<std::string> sources) : sources_(std::move(sources)) {}
  ~PolicyLoad() override;

  void start() override;
  /// What is wrong with the policy, if something is: kConfig.
  Result<void> finish() override;

  /// After finish().
  [[nodiscard]] const verdict::Policy& policy() const { return *policy_; }
  /// The same, once there is no more use for it here.
  verdict::Policy take_policy() { return std::move(*policy_); }

 private:
  std::vector<std::string> sources_;
  Result<verdict::Policy> policy_;
  std::thread thread_;
};

}  // namespace rehearse
