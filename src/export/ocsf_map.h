// Which OCSF class and activity a system call is (schema.ocsf.io 1.8.0).
#pragma once

#include <cstdint>
#include <optional>

#include "trace/event_stream.h"

namespace rehearse::exporting {

/// class_uid: category * 1000 + the class's own number.
enum class OcsfClass : std::uint32_t {
  kFile = 1001,
  kKernel = 1003,
  kModule = 1005,
  kProcess = 1007,
  kNetwork = 4001,
};

namespace ocsf {
// activity_id of each class
constexpr std::uint32_t kFileCreate = 1, kFileRead = 2, kFileUpdate = 3, kFileDelete = 4, kFileRename = 5,
                        kFileSetAttributes = 6, kFileGetAttributes = 8, kFileMount = 12, kFileUnmount = 13,
                        kFileOpen = 14;
constexpr std::uint32_t kKernelInvoke = 4;
constexpr std::uint32_t kModuleLoad = 1, kModuleUnload = 2;
constexpr std::uint32_t kProcessLaunch = 1, kProcessTerminate = 2, kProcessSetUser = 5;
constexpr std::uint32_t kNetworkOpen = 1, kNetworkFail = 4, kNetworkRefuse = 5, kNetworkTraffic = 6,
                        kNetworkListen = 7;
constexpr std::uint32_t kOther = 99;
}  // namespace ocsf

struct OcsfActivity {
  OcsfClass of = OcsfClass::kFile;
  std::uint32_t id = 0;
  /// Of a file activity: which of the call's paths is the file's, from 0.
  unsigned path = 0;
};

/// Nothing: OCSF has no class for the call, or it works on what is no file.
std::optional<OcsfActivity> ocsf_activity(const trace::TraceEvent& event);

}  // namespace rehearse::exporting
