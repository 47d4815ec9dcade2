// Names of errors and signals.
#include <array>

#include "syscalls/call.h"
#include "syscalls/names.h"

namespace rehearse::syscalls {
namespace {

// 41 and 58 are not used on x86.
constexpr std::string_view kErrors[] = {"",
                                        "EPERM",
                                        "ENOENT",
                                        "ESRCH",
                                        "EINTR",
                                        "EIO",
                                        "ENXIO",
                                        "E2BIG",
                                        "ENOEXEC",
                                        "EBADF",
                                        "ECHILD",
                                        "EAGAIN",
                                        "ENOMEM",
                                        "EACCES",
                                        "EFAULT",
                                        "ENOTBLK",
                                        "EBUSY",
                                        "EEXIST",
                                        "EXDEV",
                                        "ENODEV",
                                        "ENOTDIR",
                                        "EISDIR",
                                        "EINVAL",
                                        "ENFILE",
                                        "EMFILE",
                                        "ENOTTY",
                                        "ETXTBSY",
                                        "EFBIG",
                                        "ENOSPC",
                                        "ESPIPE",
                                        "EROFS",
                                        "EMLINK",
                                        "EPIPE",
                                        "EDOM",
                                        "ERANGE",
                                        "EDEADLK",
                                        "ENAMETOOLONG",
                                        "ENOLCK",
                                        "ENOSYS",
                                        "ENOTEMPTY",
                                        "ELOOP",
                                        "",
                                        "ENOMSG",
                                        "EIDRM",
                                        "ECHRNG",
                                        "EL2NSYNC",
                                        "EL3HLT",
                                        "EL3RST",
                                        "ELNRNG",
                                        "EUNATCH",
                                        "ENOCSI",
                                        "EL2HLT",
                                        "EBADE",
                                        "EBADR",
                                        "EXFULL",
                                        "ENOANO",
                                        "EBADRQC",
                                        "EBADSLT",
                                        "",
                                        "EBFONT",
                                        "ENOSTR",
                                        "ENODATA",
                                        "ETIME",
                                        "ENOSR",
                                        "ENONET",
                                        "ENOPKG",
                                        "EREMOTE",
                                        "ENOLINK",
                                        "EADV",
                                        "ESRMNT",
                                        "ECOMM",
                                        "EPROTO",
                                        "EMULTIHOP",
                                        "EDOTDOT",
                                        "EBADMSG",
                                        "EOVERFLOW",
                                        "ENOTUNIQ",
                                        "EBADFD",
                                        "EREMCHG",
                                        "ELIBACC",
                                        "ELIBBAD",
                                        "ELIBSCN",
                                        "ELIBMAX",
                                        "ELIBEXEC",
                                        "EILSEQ",
                                        "ERESTART",
                                        "ESTRPIPE",
                                        "EUSERS",
                                        "ENOTSOCK",
                                        "EDESTADDRREQ",
                                        "EMSGSIZE",
                                        "EPROTOTYPE",
                                        "ENOPROTOOPT",
                                        "EPROTONOSUPPORT",
                                        "ESOCKTNOSUPPORT",
                                        "EOPNOTSUPP",
                                        "EPFNOSUPPORT",
                                        "EAFNOSUPPORT",
                                        "EADDRINUSE",
                                        "EADDRNOTAVAIL",
                                        "ENETDOWN",
                                        "ENETUNREACH",
                                        "ENETRESET",
                                        "ECONNABORTED",
                                        "ECONNRESET",
                                        "ENOBUFS",
                                        "EISCONN",
                                        "ENOTCONN",
                                        "ESHUTDOWN",
                                        "ETOOMANYREFS",
                                        "ETIMEDOUT",
                                        "ECONNREFUSED",
                                        "EHOSTDOWN",
                                        "EHOSTUNREACH",
                                        "EALREADY",
                                        "EINPROGRESS",
                                        "ESTALE",
                                        "EUCLEAN",
                                        "ENOTNAM",
                                        "ENAVAIL",
                                        "EISNAM",
                                        "EREMOTEIO",
                                        "EDQUOT",
                                        "ENOMEDIUM",
                                        "EMEDIUMTYPE",
                                        "ECANCELED",
                                        "ENOKEY",
                                        "EKEYEXPIRED",
                                        "EKEYREVOKED",
                                        "EKEYREJECTED",
                                        "EOWNERDEAD",
                                        "ENOTRECOVERABLE",
                                        "ERFKILL",
                                        "EHWPOISON"};

// What the kernel uses inside; a tracer may see them (include/linux/errno.h).
constexpr std::string_view kInternalErrors[] = {"ERESTARTSYS",
                                                "ERESTARTNOINTR",
                                                "ERESTARTNOHAND",
                                                "ENOIOCTLCMD",
                                                "ERESTART_RESTARTBLOCK",
                                                "EPROBE_DEFER",
                                                "EOPENSTALE",
                                                "ENOPARAM",
                                                "",
                                                "EBADHANDLE",
                                                "ENOTSYNC",
                                                "EBADCOOKIE",
                                                "ENOTSUPP",
                                                "ETOOSMALL",
                                                "ESERVERFAULT",
                                                "EBADTYPE",
                                                "EJUKEBOX",
                                                "EIOCBQUEUED",
                                                "ERECALLCONFLICT",
                                                "ENOGRACE"};

constexpr std::string_view kSignals[] = {
    "",          "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
    "SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
    "SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
    "SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS"};

// strace counts real-time signals from the kernel's 32, not from the C library's SIGRTMIN.
constexpr std::string_view kRealTimeSignals[] = {
    "SIGRT_0",  "SIGRT_1",  "SIGRT_2",  "SIGRT_3",  "SIGRT_4",  "SIGRT_5",  "SIGRT_6",
    "SIGRT_7",  "SIGRT_8",  "SIGRT_9",  "SIGRT_10", "SIGRT_11", "SIGRT_12", "SIGRT_13",
    "SIGRT_14", "SIGRT_15", "SIGRT_16", "SIGRT_17", "SIGRT_18", "SIGRT_19", "SIGRT_20",
    "SIGRT_21", "SIGRT_22", "SIGRT_23", "SIGRT_24", "SIGRT_25", "SIGRT_26", "SIGRT_27",
    "SIGRT_28", "SIGRT_29", "SIGRT_30", "SIGRT_31", "SIGRT_32"};

}  // namespace

std::string_view errno_name(int error) {
  if (error >= 0 && error < static_cast<int>(std::size(kErrors))) return kErrors[error];
  if (error >= 512 && error < 512 + static_cast<int>(std::size(kInternalErrors))) {
    return kInternalErrors[error - 512];
  }
  return {};
}

std::string_view signal_name(int signal) {
  if (signal >= 0 && signal < 32) return kSignals[signal];
  if (signal >= 32 && signal <= 64) return kRealTimeSignals[signal - 32];
  return {};
}

}  // namespace rehearse::syscalls
