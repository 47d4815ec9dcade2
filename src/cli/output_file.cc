#include "cli/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/sys.h"

namespace rehearse::cli {
namespace {

constexpr int kTries = 16;

}  // namespace

Result<void> OutputFile::check_existing() const {
  struct stat found = {};
  if (::fstatat(dir_.get(), name_.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) return {};
  if (!S_ISREG(found.st_mode))
    return fail(path_ + ": exists and is no regular file", ExitCode::kCantCreate, "write to another one");
  if (existing_ == Existing::kRefuse)
    return fail(path_ + ": exists", ExitCode::kCantCreate, "name another file, or add --force to replace it");
  return {};
}

Result<OutputFile> OutputFile::create(const std::string& path, Existing existing) {
  OutputFile made(path, existing);
  const std::size_t slash = path.rfind('/');
  made.directory_ = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  made.name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  if (made.name_.empty() || made.name_ == "." || made.name_ == "..")
    return fail("\"" + path + "\" names no file", ExitCode::kUsage);
  const int dir = ::open(made.directory_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0)
    return fail_errno(errno, "cannot write " + path + ": " + made.directory_, ExitCode::kCantCreate,
                      "name a file in a directory that is there");
  made.dir_.reset(dir);
  RH_CHECK(made.check_existing());
  for (int tries = 0; !made.file_.valid(); ++tries) {
    std::uint64_t random = 0;
    if (::getrandom(&random, sizeof random, 0) != static_cast<ssize_t>(sizeof random))
      return fail_errno(errno, "getrandom");
    std::string name = fmt::format(".rehearse-export-{:016x}", random);
    const int file =
        ::openat(dir, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0 && (errno != EEXIST || tries >= kTries))
      return fail_errno(errno, "cannot write " + path, ExitCode::kCantCreate, "name a file that can be made");
    if (file < 0) continue;
    made.file_.reset(file);
    made.temporary_ = std::move(name);
  }
  return made;
}

OutputFile::~OutputFile() {
  if (!temporary_.empty() && dir_.valid()) ::unlinkat(dir_.get(), temporary_.c_str(), 0);
}

std::string OutputFile::temporary_path() const {
  return directory_ + "/" + temporary_;
}

Result<void> OutputFile::keep() {
  RH_CHECK(check_existing());
  const unsigned flags = existing_ == Existing::kRefuse ? RENAME_NOREPLACE : 0;
  if (::renameat2(dir_.get(), temporary_.c_str(), dir_.get(), name_.c_str(), flags) != 0)
    return fail_errno(errno, path_, ExitCode::kCantCreate);
  temporary_.clear();
  return {};
}

}  // namespace rehearse::cli
