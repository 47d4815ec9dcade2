#include "trace/device_names.h"

#include <algorithm>
#include <array>

#include "trace/directories.h"

namespace rehearse::trace {
namespace {

/// Directories of devices that hold no data of a host.
constexpr auto kHarmlessDirectories = std::to_array<std::string_view>(
    {"/dev/input", "/dev/snd", "/dev/dri", "/dev/net", "/dev/bus", "/dev/serial", "/dev/v4l", "/dev/dma_heap",
     "/dev/misc", "/dev/usb", "/dev/virtio-ports"});
constexpr auto kHarmless = std::to_array<std::string_view>(
    {"null",     "zero",        "full",         "random",        "urandom",     "console",
     "kmsg",     "hwrng",       "hpet",         "fuse",          "kvm",         "ptmx",
     "uinput",   "uhid",        "rfkill",       "autofs",        "vga_arbiter", "cpu_dma_latency",
     "udmabuf",  "userfaultfd", "loop-control", "btrfs-control", "vhost-net",   "vhost-vsock",
     "xconsole", "mcelog",      "ppp",          "initctl"});
/// With a number behind them.
constexpr auto kHarmlessNumbered = std::to_array<std::string_view>(
    {"tty", "ttyS", "ttyUSB", "ttyACM", "ttyAMA", "hvc",    "vcs",      "vcsa",     "vcsu", "rtc", "ptp",
     "pps", "tpm",  "tpmrm",  "video",  "media",  "hidraw", "watchdog", "gpiochip", "i2c-", "lp",  "fb"});

bool is_number(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool is_device(std::string_view path) {
  if (!is_within(path, "/dev") || path == "/dev") return false;
  const auto below = [&](std::string_view directory) { return is_within(path, directory); };
  return !below("/dev/shm") && !below("/dev/mqueue") && !below("/dev/pts") && !below("/dev/fd") &&
         path != "/dev/stdin" && path != "/dev/stdout" && path != "/dev/stderr" && path != "/dev/tty" &&
         path != "/dev/log";
}

std::string_view device_kind(std::string_view path) {
  const auto below = [&](std::string_view directory) { return is_within(path, directory); };
  if (std::ranges::any_of(kHarmlessDirectories, below)) return "device";
  constexpr std::string_view kDirectory = "/dev/";
  if (!path.starts_with(kDirectory)) return "raw device";
  const std::string_view name = path.substr(kDirectory.size());
  const auto numbered = [&](std::string_view word) {
    return name.starts_with(word) && is_number(name.substr(word.size()));
  };
  const bool harmless = std::ranges::find(kHarmless, name) != kHarmless.end() ||
                        std::ranges::any_of(kHarmlessNumbered, numbered);
  return harmless ? "device" : "raw device";
}

std::string_view device_kind(bool block, std::uint32_t major, std::uint32_t minor) {
  // Of the first, what is neither memory nor ports; terminals; /dev/net/tun and /dev/fuse. Not 0, 0:
  // overlayfs says by it that there is nothing, and who makes one may mean to forge a deletion.
  constexpr std::uint32_t kMemory = 1, kMemoryHarmless[] = {3, 5, 7, 8, 9, 11}, kTerminals[] = {4, 5},
                          kPseudoTerminals = 136, kLastPseudoTerminals = 143, kMisc = 10,
                          kMiscHarmless[] = {200, 229};
  const auto among = [](const auto& list, std::uint32_t number) {
    return std::ranges::find(list, number) != std::end(list);
  };
  const bool harmless =
      !block && (among(kTerminals, major) || (major == kMemory && among(kMemoryHarmless, minor)) ||
                 (major == kMisc && among(kMiscHarmless, minor)) ||
                 (major >= kPseudoTerminals && major <= kLastPseudoTerminals));
  return harmless ? "device" : "raw device";
}

}  // namespace rehearse::trace
