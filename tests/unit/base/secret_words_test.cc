#include "base/secret_words.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace rehearse;

namespace {

std::string masked(const std::string& word) {
  std::vector<std::string> words = {word};
  const bool told = mask_words(words);
  CHECK(told == (words.front() != word));
  return words.front();
}

}  // namespace

TEST_CASE("What a script does is shown, whatever it calls its variables") {
  CHECK(masked("TOKEN=a; echo one > /dev/null; : rm -rf /") == "TOKEN=*; echo one > /dev/null; : rm -rf /");
  CHECK(masked("TOKEN=a;reboot") == "TOKEN=*;reboot");
  CHECK(masked("TOKEN=a&&reboot") == "TOKEN=*&&reboot");
  CHECK(masked("TOKEN=a\nreboot") == "TOKEN=*\nreboot");
  CHECK(masked("TOKEN=`reboot`") == "TOKEN=`reboot`");
  CHECK(masked("TOKEN=a$(reboot)b") == "TOKEN=**(reboot)b");
  CHECK(masked("TOKEN=a rm -rf /") == "TOKEN=* rm -rf /");
  CHECK(masked("TOKEN= rm -rf /") == "TOKEN= rm -rf /");
  CHECK(masked("# don't\nX='TOKEN=' ; rm -rf / ; : 'x'") == "# don't\nX='TOKEN=' ; rm -rf / ; : 'x'");
  CHECK(masked("--token=a;reboot") == "--token=*;reboot");
  CHECK(masked("${TOKEN:-reboot}") == "${TOKEN:-reboot}");
  CHECK(masked("PATH=$TOKEN:/opt") == "PATH=$TOKEN:/opt");
  CHECK(masked("echo \"restart passwd-sync\"; X=1; touch f") == "echo \"restart passwd-sync\"; X=1; touch f");
  CHECK(masked("/etc/token:/etc/cron.d") == "/etc/token:/etc/cron.d");
  CHECK(masked("X=token: rm -rf /") == "X=token: rm -rf /");
  CHECK(masked("X='token: ' rm -rf /") == "X='token: ' rm -rf /");
  CHECK(masked("X=Authorization:a rm -rf /") == "X=Authorization:* rm -rf /");
  CHECK(masked(": http://x:;cd$IFS..;rm$IFS-rf$IFS*@") == ": http://x:;cd$IFS..;rm$IFS-rf$IFS*@");
}

TEST_CASE("A secret in a script is hidden, wherever it stands") {
  CHECK(masked(": " + std::string(300, 'x') + "; export PASSWORD=hunter2") ==
        ": " + std::string(300, 'x') + "; export PASSWORD=***");
  CHECK(masked(std::string(1000, 'x') + "_PASSWORD=hunter2") == std::string(1000, 'x') + "_PASSWORD=***");
  CHECK(masked("PASSWORD='hunter2' run") == "PASSWORD='***' run");
  CHECK(masked("echo 'password = hunter2' >>f") == "echo 'password = ***' >>f");
  CHECK(masked("a --password=x --token=y b") == "a --password=* --token=* b");
  CHECK(masked("curl -H 'Authorization: Bearer abc' u") == "curl -H 'Authorization: *** ***' u");
  CHECK(masked(R"({"password": "hunter2", "user":"me"})") == R"({"password": "***", "user":"me"})");
  CHECK(masked(R"({\"password\":\"hunter2\"})") == R"({\"password\":\"***"})");
  CHECK(masked("user=me&password=x&more=y") == "user=me&password=*&more=y");
  CHECK(masked("curl http://a:b@c; curl http://u:pw@d") == "curl http://a:*@c; curl http://u:**@d");
  CHECK(masked("--password=two words") == "--password=***");
}

TEST_CASE("A header that an option is set to is hidden as one by itself is") {
  CHECK(masked("--header=Authorization: Bearer abc") == "--header=Authorization: *** ***");
  CHECK(masked("--header=X-Token: abc") == "--header=X-Token: ***");
  CHECK(masked("a --header=TOKEN: rm -rf /") == "a --header=TOKEN: rm -rf /");
  CHECK(masked("--header=; X=TOKEN: rm -rf /") == "--header=; X=TOKEN: rm -rf /");
  CHECK(masked("--header=$(X=TOKEN: rm -rf /)") == "--header=$(X=TOKEN: rm -rf /)");
}

TEST_CASE("Short names of secrets count as the last part of a name") {
  CHECK(masked("MYSQL_PWD=abc") == "MYSQL_PWD=***");
  CHECK(masked("--pwd=abc") == "--pwd=***");
  CHECK(masked("PWD=/root") == "PWD=/root");
  CHECK(masked("OLDPWD=/root") == "OLDPWD=/root");
  CHECK(masked("pass=abc&user=x") == "pass=***&user=x");
  CHECK(masked("https://h/?pass=abc&x=1") == "https://h/?pass=***&x=1");
  CHECK(masked("bypass=abc") == "bypass=abc");
  CHECK(masked("--compass=abc") == "--compass=abc");
  CHECK(masked("--pass-through=abc") == "--pass-through=abc");
}

TEST_CASE("Asterisks do not tell how long a secret is") {
  CHECK(masked("--token=abcdef") == masked("--token=abcdefghij"));
}

TEST_CASE("What only begins like a secret, or is said about one, is shown") {
  for (const char* word : {"--secretary=abc", "--token-ttl=5", "--password-length=20", "--no-password=abc"})
    CHECK(masked(word) == word);
  for (const char* option : {"--tokenize", "--no-password", "--secretary"}) {
    std::vector<std::string> words = {option, "abc"};
    CHECK(!mask_words(words));
  }
  std::vector<std::string> words = {"--client-secret", "abcdef"};
  CHECK(mask_words(words));
  CHECK(words[1] == "***");
}

TEST_CASE("What names a place or a program of secrets is none itself") {
  CHECK(masked("--password-command=rm -rf x") == "--password-command=rm -rf x");
  CHECK(masked("--token-file=/x") == "--token-file=/x");
}
