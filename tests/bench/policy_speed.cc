// How long judging takes: 10,000 rules against 1,000,000 changes, made up and from a manifest.
//   build/release/tests/policy_speed [RULES] [CHANGES]
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "base/clock.h"
#include "base/sys.h"
#include "effects/manifest.h"
#include "rehearsal/judgement.h"
#include "verdict/policy_file.h"

using namespace rehearse;

namespace {

/// As sites write them: mostly paths, some with names below any directory, some without a path.
std::string rules_text(int count) {
  std::string text = "schema = \"rehearse.policy/1\"\n";
  for (int i = 0; i < count; ++i) {
    text += fmt::format("[[rule]]\nid = \"site.rule-{}\"\nlevel = \"yellow\"\nwhy = \"w\"\n", i);
    switch (i % 10) {
      case 0:
        text += fmt::format("[rule.match.file]\npath = \"**/name{}.conf\"\n", i);
        break;
      case 1:
        text += fmt::format(
            "[rule.match.file]\npath = [\"/srv/app{}/*.conf\", \"/etc/app{}/**\"]\nchange = [\"created\", "
            "\"modified\"]\n",
            i % 977, i);
        break;
      case 2:
        text += fmt::format("[rule.match.net]\nname = \"host{}.example.com\"\n", i);
        break;
      default:
        text += fmt::format(
            "[rule.match.file]\npath = \"/srv/app{}/data/dir{}/**\"\nnot_path = \"/srv/**/*.tmp\"\nchange = "
            "\"modified\"\n",
            i % 977, i % 31);
    }
  }
  // What the built-in rules ask of every change.
  text +=
      "[[rule]]\nid = \"priv.setuid\"\nlevel = \"red\"\nwhy = \"w\"\n[rule.match.file]\nmode_gain = "
      "\"setuid\"\n";
  text +=
      "[[rule]]\nid = \"destroy.mass\"\nlevel = \"red\"\nwhy = \"w\"\n[rule.match.file]\nchange = "
      "\"deleted\"\nat_least = 1000\n";
  return text;
}

effects::Change change_number(int i) {
  effects::Change change;
  change.path = fmt::format("/srv/app{}/data/dir{}/sub{}/file{}.dat", i / 1024, i / 32 % 32, i / 8 % 4, i);
  change.kind = i % 3 == 0 ? effects::ChangeKind::kCreated : effects::ChangeKind::kModified;
  change.after.emplace();
  change.after->mode = 0644;
  change.after->size = 100;
  change.after->sha256 = sha256("x");
  if (change.kind == effects::ChangeKind::kModified) change.before = change.after;
  return change;
}

Result<UniqueFd> make_manifest(int count) {
  RH_TRY(auto file, sys::memfd("manifest", 0));
  RH_TRY(auto reading, sys::dup(file.get()));
  RH_TRY(auto writer, effects::ManifestWriter::create(std::move(file)));
  for (int i = 0; i < count; ++i) RH_CHECK(writer->add(change_number(i)));
  RH_TRY(const auto root, writer->finish());
  (void)root;
  return reading;
}

double seconds_since(std::int64_t begun) {
  return static_cast<double>(monotonic_ns() - begun) / 1e9;
}

long peak_mib() {
  struct rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

Result<void> measure(int rules, int changes) {
  RH_TRY(const auto manifest, make_manifest(changes));
  std::int64_t begun = monotonic_ns();
  verdict::PolicyMerge merge;
  RH_CHECK(merge.add(rules_text(rules), "rules.toml"));
  RH_TRY(const auto policy, merge.finish());
  std::printf("read %d rules             %6.2f s\n", rules, seconds_since(begun));
  report::RunRecord record;
  record.trace.emplace();
  begun = monotonic_ns();
  RH_CHECK(effects::read_manifest(manifest.get(), [](const effects::Change&) { return true; }));
  std::printf("read %d changes        %6.2f s\n", changes, seconds_since(begun));
  begun = monotonic_ns();
  const auto judgement = judge_record(record, policy, manifest.get(), -1);
  std::printf("judge, reading included     %6.2f s   (wanted: under 2)\n", seconds_since(begun));
  std::printf(
      "findings                    %6zu     peak %ld MiB, of which the made-up manifest is %ld (wanted: "
      "under 200)\n",
      judgement.verdict.findings.size(), peak_mib(),
      static_cast<long>(::lseek(manifest.get(), 0, SEEK_END) >> 20));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const auto done =
      measure(argc > 1 ? std::atoi(argv[1]) : 10'000, argc > 2 ? std::atoi(argv[2]) : 1'000'000);
  if (!done) std::fprintf(stderr, "%s\n", done.error().what.c_str());
  return done ? 0 : 1;
}
