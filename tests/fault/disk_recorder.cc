// disk_recorder MOUNTPOINT LOG IMAGE...: shows each IMAGE as a file "0", "1", ... at MOUNTPOINT and writes
// down, in one order for all of them, what is written to them and when they are flushed. What is written to
// the file "mark" there becomes an entry of the log between the others. Runs until it is unmounted.
//
// With a loop device on such a file the log is what a disk with a volatile cache was told: power_cut.py makes
// disks of it that lost their power at some entry. No page cache lies between (direct_io), one thread
// answers, and a flush is answered when all writes before it are in the log.
//
// LOG: entries of {u32 kind, u32 image, u64 offset, u64 length} in the machine's byte order, writes and marks
// followed by `length` bytes.
#define FUSE_USE_VERSION 35
#include <fcntl.h>
#include <fuse.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view kMark = "mark";

enum class Kind : std::uint32_t { kWrite = 1, kFlush = 2, kMark = 3 };

struct Entry {
  Kind kind;
  std::uint32_t image;
  std::uint64_t offset;
  std::uint64_t length;
};
static_assert(sizeof(Entry) == 24);

struct Image {
  int fd;
  off_t size;
};

std::vector<Image> images;
int log_fd = -1;

/// Number of the image that `path` ("/0") stands for; -1: the mark; -2: nothing.
int number_of(const char* path) {
  const std::string_view name(path + 1);
  if (name == kMark) return -1;
  unsigned number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size() || number >= images.size())
    return -2;
  return static_cast<int>(number);
}

/// 0, or a negative errno. A torn entry would make the rest unreadable: then nothing is recorded any more.
int record(const Entry& entry, const char* data) {
  const std::size_t tail = data != nullptr ? entry.length : 0;
  const iovec pieces[2] = {{const_cast<Entry*>(&entry), sizeof entry}, {const_cast<char*>(data), tail}};
  const ssize_t written = ::writev(log_fd, pieces, data != nullptr ? 2 : 1);
  if (written == static_cast<ssize_t>(sizeof entry + tail)) return 0;
  std::perror("disk_recorder: cannot write the log");
  ::close(log_fd);
  log_fd = -1;
  return -EIO;
}

int get_attributes(const char* path, struct stat* st, fuse_file_info* /*file*/) {
  *st = {};
  if (std::string_view(path) == "/") {
    st->st_mode = S_IFDIR | 0700;
    st->st_nlink = 2;
    return 0;
  }
  const int number = number_of(path);
  if (number == -2) return -ENOENT;
  st->st_mode = S_IFREG | 0600;
  st->st_nlink = 1;
  st->st_size = number < 0 ? 0 : images[static_cast<std::size_t>(number)].size;
  return 0;
}

int open_file(const char* path, fuse_file_info* file) {
  if (number_of(path) == -2) return -ENOENT;
  file->direct_io = 1;
  return 0;
}

int truncate_file(const char* path, off_t /*size*/, fuse_file_info* /*file*/) {
  return number_of(path) == -1 ? 0 : -EPERM;
}

int list(const char* /*path*/, void* buffer, fuse_fill_dir_t fill, off_t /*offset*/, fuse_file_info* /*file*/,
         fuse_readdir_flags /*flags*/) {
  fill(buffer, kMark.data(), nullptr, 0, fuse_fill_dir_flags{});
  for (std::size_t i = 0; i < images.size(); ++i)
    fill(buffer, std::to_string(i).c_str(), nullptr, 0, fuse_fill_dir_flags{});
  return 0;
}

int read_file(const char* path, char* buffer, std::size_t size, off_t offset, fuse_file_info* /*file*/) {
  const int number = number_of(path);
  if (number < 0) return 0;
  const ssize_t n = ::pread(images[static_cast<std::size_t>(number)].fd, buffer, size, offset);
  return n < 0 ? -errno : static_cast<int>(n);
}

int write_file(const char* path, const char* data, std::size_t size, off_t offset, fuse_file_info* /*file*/) {
  const int number = number_of(path);
  if (number == -1) {
    const int failed = record({Kind::kMark, 0, 0, size}, data);
    return failed != 0 ? failed : static_cast<int>(size);
  }
  if (number < 0) return -ENOENT;
  const Image& image = images[static_cast<std::size_t>(number)];
  if (offset < 0 || offset > image.size || static_cast<off_t>(size) > image.size - offset) return -ENOSPC;
  const ssize_t n = ::pwrite(image.fd, data, size, offset);
  if (n < 0) return -errno;
  const Entry entry{Kind::kWrite, static_cast<std::uint32_t>(number), static_cast<std::uint64_t>(offset),
                    static_cast<std::uint64_t>(n)};
  const int failed = record(entry, data);
  return failed != 0 ? failed : static_cast<int>(n);
}

int sync_file(const char* path, int /*data_only*/, fuse_file_info* /*file*/) {
  const int number = number_of(path);
  return number < 0 ? 0 : record({Kind::kFlush, static_cast<std::uint32_t>(number), 0, 0}, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: disk_recorder MOUNTPOINT LOG IMAGE...\n");
    return 64;
  }
  log_fd = ::open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (log_fd < 0) {
    std::perror(argv[2]);
    return 73;
  }
  for (int i = 3; i < argc; ++i) {
    struct stat st = {};
    const int fd = ::open(argv[i], O_RDWR | O_CLOEXEC);
    if (fd < 0 || ::fstat(fd, &st) != 0) {
      std::perror(argv[i]);
      return 66;
    }
    images.push_back({fd, st.st_size});
  }
  fuse_operations operations = {};
  operations.getattr = get_attributes;
  operations.open = open_file;
  operations.truncate = truncate_file;
  operations.readdir = list;
  operations.read = read_file;
  operations.write = write_file;
  operations.fsync = sync_file;
  char foreground[] = "-f";
  char one_thread[] = "-s";
  char options[] = "-ofsname=disk_recorder,attr_timeout=3600,entry_timeout=3600";
  char* arguments[] = {argv[0], foreground, one_thread, options, argv[1], nullptr};
  return fuse_main(5, arguments, &operations, nullptr);
}
