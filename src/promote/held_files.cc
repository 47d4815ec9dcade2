#include "promote/held_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <optional>

#include "base/ignored_signal.h"
#include "base/share_out.h"
#include "effects/directory.h"
#include "host/open_files.h"
#include "promote/kernel_holders.h"

namespace rehearse::promote {
namespace {

class HeldFiles {
 public:
  explicit HeldFiles(const HeldQuestion& question) : question_(question) {}

  Result<HeldAnswer> ask() {
    {
      const IgnoredSignal of_leases(SIGIO);
      for (const Going& going : question_.going) RH_CHECK(collect(going));
      RH_CHECK(ask_the_kernel());
    }
    if (files_.empty()) return std::move(answer_);
    const auto wanted = [&](dev_t dev, ino_t ino) { return files_.contains(std::pair(dev, ino)); };
    for (const host::Holder& holder : host::find_holders(wanted)) RH_CHECK(judge(holder));
    for (const host::Holder& holder : find_loop_devices(wanted)) RH_CHECK(judge(holder));
    for (const auto& [id, file] : files_) {
      if (!file.written || file.writer_known) continue;
      RH_CHECK(
          judge({id.first, id.second, 0, "the kernel or somebody not found", {}, host::Holder::Use::kWrite}));
    }
    answer_.in_place.assign(in_place_.begin(), in_place_.end());
    return std::move(answer_);
  }

 private:
  struct File {
    std::string shown;
    std::size_t rewrite = Going::kNotInPlace;
    std::size_t volume = 0;
    std::string path;      ///< relative
    bool written = false;  ///< by the kernel's word
    bool writer_known = false;
  };

  /// The file itself, or every file below the directory that stays in it.
  Result<void> collect(const Going& going) {
    Volume& volume = *question_.volumes[going.volume];
    std::vector<std::string> waiting = {going.path};
    while (!waiting.empty()) {
      const std::string at = std::move(waiting.back());
      waiting.pop_back();
      const auto found = volume.find({Area::kHost, at});
      if (!found) {
        if (leads_nowhere(found.error().err)) continue;  // that is stale
        return tl::make_unexpected(found.error());
      }
      const std::optional<struct stat>& st = *found;
      if (!st) continue;
      if (S_ISREG(st->st_mode)) {
        const auto [file, fresh] = files_.try_emplace(
            {st->st_dev, st->st_ino}, File{volume.shown({Area::kHost, at}), going.rewrite, going.volume, at});
        if (fresh) as_found_.push_back(&file->second);
      } else if (S_ISDIR(st->st_mode)) {
        RH_CHECK(enter(going.volume, at, waiting));
      }
    }
    return {};
  }

  Result<void> enter(std::size_t v, const std::string& at, std::vector<std::string>& waiting) {
    const auto directory = open_below(question_.volumes[v]->root(), at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory && leads_nowhere(directory.error().err)) return {};
    if (!directory) return tl::make_unexpected(directory.error());
    RH_TRY(const auto names, effects::Listing::read(directory->get()));
    for (const effects::Listed& entry : names) {
      if (entry.type != DT_REG && entry.type != DT_DIR && entry.type != DT_UNKNOWN) continue;
      std::string below = at + '/' + std::string(entry.name);
      if (question_.apart == nullptr || !question_.apart->contains({v, below}))
        waiting.push_back(std::move(below));
    }
    return {};
  }

  Result<void> ask_the_kernel() {
    std::vector<Result<void>> asked(as_found_.size());
    share_out(as_found_.size(), [&] {
      return [&, parents = std::vector<ParentCache>(question_.volumes.size())](std::size_t i) mutable {
        File& file = *as_found_[i];
        const auto dir =
            parents[file.volume].open(question_.volumes[file.volume]->root(), parent_of(file.path));
        if (dir)
          file.written = ask_for_writers(*dir, std::string(leaf_of(file.path))) == Writers::kSome;
        else if (!leads_nowhere(dir.error().err))  // what is gone is stale
          asked[i] = tl::make_unexpected(dir.error());
      };
    });
    for (Result<void>& one : asked) RH_CHECK(std::move(one));
    return {};
  }

  Result<void> judge(const host::Holder& holder) {
    File& file = files_.at({holder.dev, holder.ino});
    switch (holder.use) {
      case host::Holder::Use::kExecute:
        note(file, " is being executed by " + host::name_of(holder) +
                       ", which keeps the old program until it is started again");
        return {};
      case host::Holder::Use::kMap:
        note(file, " is mapped by " + host::name_of(holder) +
                       ", which keeps the old file until it is started again");
        return {};
      case host::Holder::Use::kRead:
        note(file, " is held open by " + host::name_of(holder) + ", which goes on reading the old file");
        return {};
      case host::Holder::Use::kWrite:
        file.writer_known = true;
        return judge_writer(file, " is held open for writing by " + host::name_of(holder));
    }
    return {};
  }

  Result<void> judge_writer(const File& file, const std::string& held) {
    if (question_.how == HeldOpen::kRefuse)
      return fail_for(ETXTBSY, file.shown + held + ": what it writes from now on would be lost",
                      ExitCode::kTryLater, std::string("stop it first, or: ") + question_.fix);
    if (question_.how == HeldOpen::kInPlace && file.rewrite != Going::kNotInPlace) {
      in_place_.insert(file.rewrite);
      note(file, held + ": rewritten in place");
    } else {
      note(file, held + ": it keeps writing to the old file");
    }
    return {};
  }

  void note(const File& file, const std::string& what) { answer_.notes.push_back(file.shown + what); }

  const HeldQuestion& question_;
  std::map<std::pair<dev_t, ino_t>, File> files_;
  std::vector<File*> as_found_;  ///< of files_; neighbours share a directory
  std::set<std::size_t> in_place_;
  HeldAnswer answer_;
};

}  // namespace

Result<HeldAnswer> ask_who_holds(const HeldQuestion& question) {
  return HeldFiles(question).ask();
}

}  // namespace rehearse::promote
