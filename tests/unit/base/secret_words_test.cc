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

/// Words of an argument list.
std::vector<std::string> all_masked(std::vector<std::string> words) {
  mask_words(words);
  return words;
}

using Words = std::vector<std::string>;

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
  // sudoers(5): what is granted without a password.
  CHECK(masked("bob ALL=(ALL) NOPASSWD: /usr/bin/id, ALL") == "bob ALL=(ALL) NOPASSWD: /usr/bin/id, ALL");
  CHECK(masked("PASSWD=abc") != "PASSWD=abc");
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

TEST_CASE("An option's secret is hidden in a script as in an argument list") {
  CHECK(masked("mysql -u root --password hunter4 x; tool --token hunter5") ==
        "mysql -u root --password *** x; tool --token ***");
  CHECK(masked("a --api-key 'abc' b") == "a --api-key '***' b");
  CHECK(masked("a -token  \"abc\"; b") == "a -token  \"***\"; b");
  CHECK(masked("a --token \\\n abc b") == "a --token \\\n *** b");
  CHECK(all_masked({"sh", "-c", "x --token", "rm"}) == Words{"sh", "-c", "x --token", "rm"});
}

TEST_CASE("What is executed is shown, however it follows an option's name") {
  for (const char* script :
       {"X=' --token ' rm -rf /", "X=\"a --token\" rm -rf /", "X=a\\ --token rm -rf /", "x --token; rm -rf /",
        "x --token\nrm -rf /", "x --token | rm -rf /", "x --token $(rm -rf /)", "X=--token rm -rf /",
        "${X# --token} rm -rf /", "x --token --user me", "(x --token) rm", "x --token-file f",
        "x '--token' rm", "mysql -p; rm -rf /", "mysql -p db", "X='mysql -p' rm -rf /"}) {
    const std::string shown = masked(script);
    CHECK((shown == script || shown == "x --token *(rm -rf /)"));
  }
}

TEST_CASE("Options of programs that take secrets are known by the program") {
  CHECK(all_masked({"curl", "-u", "bob:abc", "u"}) == Words{"curl", "-u", "bob:***", "u"});
  CHECK(all_masked({"/usr/bin/curl", "-ubob:abc", "u"}) == Words{"/usr/bin/curl", "-ubob:***", "u"});
  CHECK(all_masked({"curl", "--proxy-user", "bob:a b", "--user", "bob", "u"}) ==
        Words{"curl", "--proxy-user", "bob:***", "--user", "bob", "u"});
  CHECK(all_masked({"curl", "-b", "session=abc", "-b", "jar.txt"}) ==
        Words{"curl", "-b", "session=***", "-b", "jar.txt"});
  CHECK(all_masked({"sudo", "mysql", "-u", "root", "-pabc", "-P3306"}) ==
        Words{"sudo", "mysql", "-u", "root", "-p***", "-P3306"});
  CHECK(all_masked({"sshpass", "-p", "abc", "ssh", "-p", "22", "h"}) ==
        Words{"sshpass", "-p", "***", "ssh", "-p", "22", "h"});
  CHECK(all_masked({"redis-cli", "-a", "abc", "ping"}) == Words{"redis-cli", "-a", "***", "ping"});
  CHECK(all_masked({"smbclient", "-U", "u%abc", "//h/s"}) == Words{"smbclient", "-U", "u%***", "//h/s"});
  CHECK(all_masked({"docker", "login", "-u", "u", "-p", "abc", "h"}) ==
        Words{"docker", "login", "-u", "u", "-p", "***", "h"});
  CHECK(all_masked({"docker", "run", "-p", "80:80", "h"}) == Words{"docker", "run", "-p", "80:80", "h"});
  CHECK(all_masked({"useradd", "-mp", "abc", "me"}) == Words{"useradd", "-mp", "***", "me"});
  CHECK(all_masked({"ldapsearch", "-xw", "abc"}) == Words{"ldapsearch", "-xw", "***"});
  CHECK(all_masked({"cp", "-p", "a", "b"}) == Words{"cp", "-p", "a", "b"});
  CHECK(masked("curl -su bob:abc u; patch -u a:b -pc") == "curl -su bob:*** u; patch -u a:b -pc");
  CHECK(masked("mysql -p'abc' db; mkdir -p d") == "mysql -p'***' db; mkdir -p d");
  CHECK(masked("curl --user \"bob:abc\" u") == "curl --user \"bob:***\" u");
  CHECK(masked("sh -c 'exec useradd -p abc me'") == "sh -c 'exec useradd -p *** me'");
}

TEST_CASE("Passwords of SQL, cookies, options with a slash and tokens in URLs are hidden") {
  CHECK(masked("CREATE USER a IDENTIFIED BY 'abc'; DROP TABLE x") ==
        "CREATE USER a IDENTIFIED BY '***'; DROP TABLE x");
  CHECK(masked("psql -c \"alter role a with password 'abc'\"") ==
        "psql -c \"alter role a with password '***'\"");
  CHECK(masked("grep password 'file' by 'me'") == "grep password 'file' by 'me'");
  CHECK(masked("Cookie: session=abc; b=cde") == "Cookie: session=***; b=***");
  CHECK(masked("curl -H 'Cookie: s=abc' -d x=1") == "curl -H 'Cookie: s=***' -d x=1");
  CHECK(masked("Cookie: a=b; rm -rf /") == "Cookie: a=*; rm -rf /");
  CHECK(masked("/password:abc") == "/password:***");
  CHECK(masked("rdp /u:me /pass:abc h") == "rdp /u:me /pass:*** h");
  CHECK(masked("/password:/etc/x") == "/password:/etc/x");
  CHECK(masked("git clone https://ghp_16C7e42F292c6912E7710c838347Ae@h/r") == "git clone https://***@h/r");
  CHECK(masked("https://administrator@h ssh://git@h") == "https://administrator@h ssh://git@h");
}
