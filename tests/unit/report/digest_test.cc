#include "report/digest.h"

#include "base/digest.h"
#include "base/json_writer.h"
#include "support.h"

using namespace rehearse;
using namespace rehearse::report;
using namespace rehearse::report::test;

TEST_CASE("The digest is stable") {
  // A change here breaks every approval ever given: only with a new schema name in the canonical form.
  CHECK(
      canonical_json(sample()) ==
      R"({"action":{"argv":["sh","-c","echo hi > /etc/x"],"cwd":"/","env":[["HOME","/root"],["PATH","/bin"]],)"
      R"("gid":0,"name":null,"uid":0},"gaps":[{"cap":"yellow","what":"the systemd manager is hidden",)"
      R"("why":"its mock is not built yet"}],"manifest_root":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",)"
      R"("mirror":{"host":"box","kernel":"6.1.0","layers":[{"aliases":["/mnt/again"],"fstype":"ext4","mountpoint":"/"},)"
      R"({"aliases":[],"fstype":"vfat","mountpoint":"/boot"}],"profile":"shifted"},"schema":"rehearse.digest/1"})");
  CHECK(run_digest(sample()) == "sha256:" + hex(sha256(canonical_json(sample()))));
}

TEST_CASE("Times, ids and the order of sets do not matter") {
  const std::string wanted = run_digest(sample());
  RunRecord r = sample();
  r.id = "other";
  r.created_ns = 1;
  r.command.wall_ns = 5;
  r.phases.run_ns = 99;
  r.host_boot_id = "after a reboot";
  r.requester.uid = 1000;
  std::swap(r.layers[0], r.layers[1]);
  std::swap(r.action.env[0], r.action.env[1]);
  CHECK(run_digest(r) == wanted);
}

TEST_CASE("Everything that an approval is about matters") {
  std::vector<std::string> seen = {run_digest(sample())};
  const auto differs = [&](auto change) {
    RunRecord r = sample();
    change(r);
    const std::string digest = run_digest(r);
    for (const std::string& other : seen) CHECK(digest != other);
    seen.push_back(digest);
  };
  differs([](RunRecord& r) { r.action.argv[2] += " "; });
  differs([](RunRecord& r) { r.action.argv = {"sh", "-c echo hi > /etc/x"}; });
  differs([](RunRecord& r) { r.action.cwd = "/tmp"; });
  differs([](RunRecord& r) { r.action.uid = 1; });
  differs([](RunRecord& r) { r.action.env.pop_back(); });
  differs([](RunRecord& r) { r.manifest_root[0] = 'b'; });
  differs([](RunRecord& r) { r.gaps.clear(); });
  differs([](RunRecord& r) { r.gaps[0].cap = verdict::Level::kInconclusive; });
  differs([](RunRecord& r) { r.profile = "root"; });
  differs([](RunRecord& r) { r.layers.pop_back(); });
  differs([](RunRecord& r) { r.host_kernel = "6.12"; });
  differs([](RunRecord& r) { r.action.cwd = "/\xff"; });
  differs(
      [](RunRecord& r) { r.action.cwd = "/\xef\xbf\xbd"; });  // what lossy UTF-8 would make of the one before
}

TEST_CASE("Strings are escaped as RFC 8785 has it") {
  std::string text;
  JsonWriter json(text, JsonWriter::Style::kCanonical);
  json.string("\xe2\x82\xac$\x0f\nA'\x42\x22\x5c\\\"/\x7f\xe2\x80\xae");
  CHECK(text == "\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\x7f\xe2\x80\xae\"");
}
