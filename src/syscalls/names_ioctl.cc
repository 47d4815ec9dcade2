// Requests of ioctl(2).
#include <algorithm>
#include <functional>
#include <iterator>

#include "syscalls/names.h"

namespace rehearse::syscalls::names {
namespace {

constexpr Name kRequests[] = {
#define REQUEST(number, name) {number, #name},
#include "syscalls/ioctl_requests.def"
#undef REQUEST
};

static_assert(std::ranges::adjacent_find(kRequests, std::ranges::greater_equal(), &Name::value) ==
              std::end(kRequests));

}  // namespace

const NameSet IoctlRequest = {kRequests, ~std::uint64_t{0}, {}, "_IOC", false, true};

}  // namespace rehearse::syscalls::names
