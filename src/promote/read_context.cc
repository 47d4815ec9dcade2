#include "promote/read_context.h"

#include <cstddef>
#include <set>
#include <string>

namespace rehearse::promote {
namespace {

using effects::Change;
using effects::ChangeKind;
using effects::FileType;

/// Where the host has what the change was about before, absolute.
std::string origin_of(const Change& change, const std::string& origin, const Plan& plan) {
  for (const LayerPlan& layer : plan.layers) {
    if (layer.layer == change.layer) return (layer.mountpoint == "/" ? "" : layer.mountpoint) + '/' + origin;
  }
  return change.path;
}

}  // namespace

ReadContext read_context(const FrozenBundle& frozen, const Plan& plan,
                         std::span<const std::optional<Facts>> facts, std::span<const Moved> moved) {
  ReadContext context;
  context.since_ns = frozen.record.created_ns;
  for (const report::LayerRecord& layer : frozen.record.layers) {
    context.roots.push_back(layer.mountpoint);
    context.roots.insert(context.roots.end(), layer.aliases.begin(), layer.aliases.end());
  }
  std::set<std::string> paths;
  for (const Moved& one : moved) paths.insert(one.path);
  for (std::size_t i = 0; i < frozen.changes.size(); ++i) {
    const Change& change = frozen.changes[i];
    const std::string& path = change.from.empty() ? change.path : change.from;
    if (change.before && facts[i] && plan.taken[i] && !paths.contains(path)) {
      const std::string origin = origin_of(change, plan.origins[i], plan);
      context.unmoved.insert({path, origin});
      if (change.type == FileType::kDir &&
          (change.kind == ChangeKind::kMetadata || change.kind == ChangeKind::kIdentical))
        context.staying.insert({path, origin});
      context.compared.emplace(change.before->dev, change.before->ino);
    }
    if (change.after && change.type == FileType::kSymlink && change.kind != ChangeKind::kMetadata)
      context.links.emplace_back(change.path, change.after->target);
    if (!change.from.empty()) context.renamed.emplace_back(change.path, change.from);
  }
  return context;
}

}  // namespace rehearse::promote
