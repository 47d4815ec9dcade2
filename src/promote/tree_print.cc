#include "promote/tree_print.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/codec.h"
#include "base/sys.h"
#include "effects/attributes.h"
#include "effects/directory.h"
#include "promote/object_print.h"
#include "promote/object_writer.h"
#include "promote/volume.h"

namespace rehearse::promote {
namespace {

Result<void> check_time(const struct stat& st, const std::string& path, std::int64_t before_ns) {
  if (before_ns == 0 || to_ns(st.st_ctim) < before_ns) return {};
  return fail_for(ESTALE, path, ExitCode::kStale);
}

Result<void> add_object(Encoder& out, int dir, const std::string& name, const struct stat& st,
                        const TouchedInodes& touched) {
  if (touched.rewritten.contains(st.st_ino)) return {};
  const bool set = touched.set.contains(st.st_ino);
  if (!set && !touched.renamed.contains(st.st_ino)) {
    out.signed_number(to_ns(st.st_ctim));
    out.signed_number(to_ns(st.st_mtim));
    out.number(static_cast<std::uint64_t>(st.st_size));
    return {};
  }
  std::optional<struct stat> opened = st;
  RH_TRY(const effects::Attributes now,
         effects::read_attributes(dir, name.c_str(), opened, effects::Content::kHash));
  if (now.sha256) out.raw({reinterpret_cast<const char*>(now.sha256->data()), now.sha256->size()});
  out.text(now.target);
  if (!set) encode_settings(out, effects::file_type(st), settings_of(now));
  return {};
}

}  // namespace

TouchedInodes touched_inodes(std::span<const Operation> operations, std::uint32_t volume) {
  TouchedInodes touched;
  for (const Operation& operation : operations) {
    if (operation.volume != volume) continue;
    auto& inodes = operation.kind == OperationKind::kAttributes ? touched.set
                   : operation.kind == OperationKind::kRewrite  ? touched.rewritten
                                                                : touched.renamed;
    inodes.insert(operation.object.ino);
    if (operation.kind == OperationKind::kExchange) inodes.insert(operation.displaced.ino);
  }
  return touched;
}

Result<Sha256> print_tree(int root, const std::string& path, const TreeScope& scope) {
  Sha256Hasher hasher;
  Encoder out;
  std::vector<std::string> waiting = {path};
  while (!waiting.empty()) {
    const std::string at = std::move(waiting.back());
    waiting.pop_back();
    RH_TRY(const UniqueFd directory, open_below(root, at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    RH_TRY(const auto names, effects::Listing::read(directory.get()));
    out.text(std::string_view(at).substr(path.size()));
    for (const effects::Listed& entry : names) {
      const std::string name(entry.name);
      std::string full = at;
      full.append(1, '/').append(name);
      if (scope.without.contains(full)) continue;
      RH_TRY(const struct stat st, sys::stat_at(directory.get(), name.c_str(), AT_SYMLINK_NOFOLLOW));
      out.text(name);
      out.number(st.st_ino);
      out.number(st.st_mode & S_IFMT);
      if (S_ISDIR(st.st_mode)) {
        RH_TRY(const Settings settings, read_settings(directory.get(), name, effects::FileType::kDir));
        encode_settings(out, effects::FileType::kDir, settings);
        waiting.push_back(std::move(full));
      } else {
        RH_CHECK(check_time(st, full, scope.before_ns));
        RH_CHECK(add_object(out, directory.get(), name, st, scope.touched));
      }
    }
    // After its entries: what has come or changed is named rather than what it is in.
    if (!scope.renamed || at.size() > path.size()) {
      RH_TRY(const struct stat self, sys::stat_fd(directory.get()));
      RH_CHECK(check_time(self, at, scope.before_ns));
    }
    hasher.update(out.bytes());
    out = Encoder();
  }
  return hasher.finish();
}

}  // namespace rehearse::promote
