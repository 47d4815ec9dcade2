// Makes system calls whose trace is known beforehand. Static; prints nothing unless something goes wrong.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

template <class... Args>
long call(long number, Args... args) {
  return ::syscall(number, args...);
}

/// One of each kind of argument, successes and failures.
int basic() {
  // mkdtemp(3) now and then draws random bits a second time: one run would make a call that another does not.
  char directory[64];
  std::snprintf(directory, sizeof directory, "/tmp/rehearse-calls-%d", ::getpid());
  if (::mkdir(directory, 0700) != 0 || ::chdir(directory) != 0) return 1;
  const int file = ::open("file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  (void)!::write(file, "hello\n", 6);
  ::lseek(file, 0, SEEK_SET);
  char buffer[16];
  (void)!::read(file, buffer, sizeof buffer);
  (void)!::pread(file, buffer, 4, 2);
  (void)!::ftruncate(file, 3);
  ::fsync(file);
  ::fchmod(file, 0600);
  call(SYS_access, "file", R_OK | W_OK);
  call(SYS_access, "no such file", F_OK);
  call(SYS_open, "no such file", O_RDONLY);
  call(SYS_mkdir, "directory", 0755);
  call(SYS_mkdir, "directory", 0755);
  call(SYS_rename, "file", "directory/file");
  call(SYS_symlink, "directory/file", "link");
  call(SYS_link, "directory/file", "second");
  (void)!::readlink("link", buffer, sizeof buffer);
  call(SYS_unlink, "link");
  call(SYS_unlink, "second");
  call(SYS_unlinkat, AT_FDCWD, "directory", AT_REMOVEDIR);
  call(SYS_chmod, "directory", 0700);
  const int copy = ::dup(file);
  ::fcntl(copy, F_SETFD, FD_CLOEXEC);
  ::fcntl(copy, F_GETFL);
  ::close(copy);
  ::close(copy);
  int pipes[2];
  call(SYS_pipe2, pipes, O_CLOEXEC);
  (void)!::write(pipes[1], "x", 1);
  struct pollfd ready = {pipes[0], POLLIN, 0};
  ::poll(&ready, 1, 0);
  ::close(pipes[0]);
  ::close(pipes[1]);
  void* memory = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ::mprotect(memory, 4096, PROT_READ);
  ::madvise(memory, 8192, MADV_DONTNEED);
  ::munmap(memory, 8192);
  const int peer = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, "socket");
  ::connect(peer, reinterpret_cast<struct sockaddr*>(&address), sizeof address);
  ::bind(peer, reinterpret_cast<struct sockaddr*>(&address), sizeof address);
  ::listen(peer, 5);
  ::close(peer);
  ::close(::eventfd(3, EFD_NONBLOCK));
  ::umask(022);
  ::getppid();
  ::kill(::getpid(), 0);
  ::setpriority(PRIO_PROCESS, 0, 19);
  ::sched_yield();
  call(SYS_prctl, 15, "renamed", 0, 0, 0);
  call(SYS_openat, AT_FDCWD, "a\nb\"c\\d\x01\xff", O_RDONLY);
  ::close(file);
  ::unlink("directory/file");
  ::rmdir("directory");
  ::unlink("socket");
  ::chdir("/");
  ::rmdir(directory);
  return 0;
}

/// A thread that is not the first becomes /bin/true: its number changes to that of the process.
/// Whose words lie in pages of the program that the child has never touched.
int fork_exec() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/true", "true", nullptr);
    ::_exit(1);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}

/// Stops for a tracer that it has not.
int traced_by_nobody() {
  ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  ::raise(SIGCHLD);
  return 3;
}

int exec_from_thread() {
  std::thread thread([] { ::execl("/bin/true", "true", "from-a-thread", nullptr); });
  thread.join();
  return 1;
}

/// Children by vfork, fork, clone with CLONE_PARENT and threads, each with a mark of its own.
int families() {
  if (::vfork() == 0) {
    call(SYS_access, "/mark-vfork", F_OK);
    ::_exit(11);
  }
  if (::fork() == 0) {
    call(SYS_access, "/mark-fork", F_OK);
    ::_exit(12);
  }
  if (call(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, nullptr) == 0) {
    call(SYS_access, "/mark-clone-parent", F_OK);
    ::_exit(13);
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([i] { call(SYS_access, ("/mark-thread-" + std::to_string(i)).c_str(), F_OK); });
  for (std::thread& thread : threads) thread.join();
  while (::wait(nullptr) > 0) {
  }
  return 0;
}

/// Children that die in the middle of a call.
int killed() {
  int pipes[2];
  if (::pipe(pipes) != 0) return 1;
  for (int kind = 0; kind < 3; ++kind) {
    const pid_t child = ::fork();
    if (child == 0) {
      char byte = 0;
      if (kind == 0) (void)!::read(pipes[0], &byte, 1);
      if (kind == 1) ::pause();
      if (kind == 2) ::poll(nullptr, 0, -1);
      ::_exit(0);
    }
    ::usleep(100'000);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  return 0;
}

/// As many processes as words make calls as fast as they can, `number` each.
int flood(int processes, long number) {
  for (int i = 0; i < processes; ++i) {
    if (::fork() != 0) continue;
    for (long n = 0; n < number; ++n) call(SYS_getppid);
    ::_exit(0);
  }
  while (::wait(nullptr) > 0) {
  }
  return 0;
}

/// One thread opens a name, another changes it all the time.
int flip(long number) {
  static char name[32] = "/etc/passwd";
  std::atomic<bool> done = false;
  std::thread other([&done] {
    while (!done) {
      std::memcpy(name, "/etc/shadow", 12);
      std::atomic_thread_fence(std::memory_order_seq_cst);
      asm volatile("" ::: "memory");
      std::memcpy(name, "/etc/passwd", 12);
      asm volatile("" ::: "memory");
    }
  });
  for (long i = 0; i < number; ++i) {
    const int fd = ::open(name, O_RDONLY);
    if (fd >= 0) ::close(fd);
  }
  done = true;
  other.join();
  return 0;
}

/// Opens a name in a page that is not there when the call begins, so that the kernel alone brings it in; the
/// call waits, and before it returns the page is taken away: for whoever asks for it again, or for good.
int absent(bool for_good) {
  char directory[] = "/tmp/rehearse-calls-XXXXXX";
  if (::mkdtemp(directory) == nullptr) return 1;
  const std::string fifo = std::string(directory) + "/fifo";
  const std::string names = std::string(directory) + "/names";
  const int fd = ::open(names.c_str(), O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ::ftruncate(fd, 4096) != 0 || ::mkfifo(fifo.c_str(), 0600) != 0) return 1;
  if (::pwrite(fd, fifo.c_str(), fifo.size() + 1, 64) < 0) return 1;
  auto* page = static_cast<char*>(::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
  if (page == MAP_FAILED) return 1;
  std::thread other([&] {
    ::usleep(20'000);
    if (for_good)
      ::munmap(page, 4096);
    else
      ::madvise(page, 4096, MADV_DONTNEED);
    ::open(fifo.c_str(), O_WRONLY);
  });
  const int opened = static_cast<int>(call(SYS_open, page + 64, O_RDONLY));
  other.join();
  ::usleep(300'000);
  return opened < 0 ? 1 : 0;
}

/// A sleep that is interrupted and goes on by itself, one that a handler ends, and threads that die in calls
/// with their process.
int restarts() {
  static std::atomic<int> sleeping;
  const auto sleep_a_while = [] {
    const struct timespec while_ = {0, 300'000'000};
    return static_cast<int>(call(SYS_nanosleep, &while_, nullptr));
  };
  pid_t child = ::fork();
  if (child == 0) ::_exit(sleep_a_while() == 0 ? 21 : 1);
  ::usleep(100'000);
  ::kill(child, SIGSTOP);
  ::usleep(50'000);
  ::kill(child, SIGCONT);
  ::waitpid(child, nullptr, 0);
  child = ::fork();
  if (child == 0) {
    ::signal(SIGUSR1, [](int) {});
    ::_exit(sleep_a_while() == -1 && errno == EINTR ? 22 : 1);
  }
  ::usleep(100'000);
  ::kill(child, SIGUSR1);
  ::waitpid(child, nullptr, 0);
  child = ::fork();
  if (child == 0) {
    for (int i = 0; i < 3; ++i) {
      std::thread([] {
        ++sleeping;
        ::pause();
      }).detach();
    }
    while (sleeping < 3) ::usleep(1000);
    ::usleep(50'000);
    call(SYS_exit_group, 23);
  }
  ::waitpid(child, nullptr, 0);
  return 0;
}

/// A number once and again: processes that live for an instant.
int storm(int number) {
  for (int i = 0; i < number; ++i) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    if (child > 0) ::waitpid(child, nullptr, 0);
  }
  return 0;
}

/// One file by many names, none of which says which it is.
int places() {
  char directory[] = "/tmp/rehearse-calls-XXXXXX";
  if (::mkdtemp(directory) == nullptr) return 1;
  const int made = ::open(directory, O_RDONLY | O_DIRECTORY);
  ::dup2(made, 50);
  ::openat(50, "../../etc/passwd", O_RDONLY);
  ::open("/proc/self/fd/50/../../etc/passwd", O_RDONLY);
  ::open("/proc/self/root/etc/passwd", O_RDONLY);
  if (::symlink("/etc/passwd", (std::string(directory) + "/link").c_str()) != 0) return 1;
  ::openat(50, "link", O_RDONLY);
  if (::chdir("/etc") != 0) return 1;
  ::open("passwd", O_RDONLY);
  ::open("/proc/self/cwd/passwd", O_RDONLY);
  if (::chroot("/etc") != 0) return 1;
  ::open("/passwd", O_RDONLY);
  ::open("/../../passwd", O_RDONLY);
  return 0;
}

/// Becomes a program in memory under a false name.
int memfd() {
  const int from = ::open("/bin/true", O_RDONLY | O_CLOEXEC);
  const int to = ::memfd_create("hidden", MFD_CLOEXEC);
  struct stat st = {};
  if (::fstat(from, &st) != 0 ||
      ::sendfile(to, from, nullptr, static_cast<std::size_t>(st.st_size)) != st.st_size)
    return 1;
  char name[] = "/usr/bin/innocent";
  char* argv[] = {name, nullptr};
  char* none = nullptr;
  ::fexecve(to, argv, &none);
  return 1;
}

/// Threads that open and close as fast as they can.
int open_flood(int threads, long number) {
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i)
    all.emplace_back([number] {
      for (long n = 0; n < number; ++n) ::close(::open("/etc/passwd", O_RDONLY));
    });
  for (std::thread& thread : all) thread.join();
  return 0;
}

/// A process that shares memory and descriptors with its maker and is no thread of it.
int share() {
  static char stack[65536];
  const int own = ::open("/etc/group", O_RDONLY);
  const pid_t child = ::clone(
      [](void*) {
        call(SYS_access, "/mark-shares", F_OK);
        ::dup2(::open("/etc/passwd", O_RDONLY), 60);
        return 14;
      },
      stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD, nullptr);
  ::waitpid(child, nullptr, 0);
  char byte = 0;
  (void)!::read(60, &byte, 1);
  (void)!::read(own, &byte, 1);
  return 0;
}

/// A descriptor that comes with a message, under a number that stood for something else.
int pass() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return 1;
  if (::fork() == 0) {
    const int secret = ::open("/etc/hostname", O_RDONLY);
    char byte = 'x';
    struct iovec part = {&byte, 1};
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof secret)] = {};
    struct msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    struct cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof secret);
    std::memcpy(CMSG_DATA(head), &secret, sizeof secret);
    ::_exit(::sendmsg(ends[0], &message, 0) == 1 ? 0 : 1);
  }
  const int before = ::open("/etc/passwd", O_RDONLY);
  ::close(before);
  char byte = 0;
  struct iovec part = {&byte, 1};
  alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof before)] = {};
  struct msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(ends[1], &message, 0) != 1) return 1;
  (void)!::pread(before, &byte, 1, 0);
  ::wait(nullptr);
  return 0;
}

/// Processes one after the other, each with a mark of its own.
int marks(int number) {
  for (int i = 0; i < number; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      call(SYS_access, ("/mark-" + std::to_string(i)).c_str(), F_OK);
      ::_exit(i % 100);
    }
    ::waitpid(child, nullptr, 0);
  }
  return 0;
}

/// One thread has descriptor 200 listen while another makes a harmless socket of it. The ports that really
/// listen are printed.
int listen_flip(int ports) {
  const auto bound = [](std::uint32_t address, int port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(address);
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::bind(fd, reinterpret_cast<struct sockaddr*>(&to), sizeof to) != 0) std::exit(1);
    return fd;
  };
  const int harmless = bound(INADDR_LOOPBACK, 9);
  if (::listen(harmless, 1) != 0) return 1;
  std::atomic<bool> going = true;
  std::thread flipper([&] {
    while (going) ::dup2(harmless, 200);
  });
  for (int port = 10000; port < 10000 + ports; ++port) {
    const int fd = bound(INADDR_ANY, port);
    ::dup2(fd, 200);
    (void)!::listen(200, 5);
    int listens = 0;
    socklen_t length = sizeof listens;
    ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length);
    if (listens != 0) std::printf("%d\n", port);
    ::close(fd);
  }
  going = false;
  flipper.join();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const auto number = [&](int i, long otherwise) { return argc > i ? std::atol(argv[i]) : otherwise; };
  if (what == "basic") return basic();
  if (what == "exec") return exec_from_thread();
  if (what == "fork-exec") return fork_exec();
  if (what == "traceme") return traced_by_nobody();
  if (what == "families") return families();
  if (what == "killed") return killed();
  if (what == "flood") return flood(static_cast<int>(number(2, 4)), number(3, 100'000));
  if (what == "flip") return flip(number(2, 20'000));
  if (what == "absent") return absent(argc > 2);
  if (what == "restarts") return restarts();
  if (what == "storm") return storm(static_cast<int>(number(2, 500)));
  if (what == "places") return places();
  if (what == "memfd") return memfd();
  if (what == "open-flood") return open_flood(static_cast<int>(number(2, 4)), number(3, 50'000));
  if (what == "share") return share();
  if (what == "pass") return pass();
  if (what == "listen-flip") return listen_flip(static_cast<int>(number(2, 200)));
  if (what == "marks") return marks(static_cast<int>(number(2, 100)));
  std::fprintf(stderr,
               "usage: calls "
               "basic|exec|fork-exec|traceme|families|killed|flood|flip|absent|restarts|storm|places|memfd|"
               "open-flood|share|"
               "pass|marks|listen-flip\n");
  return 2;
}
