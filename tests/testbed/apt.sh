# An apt state of its own over the machine's own Debian sources, in whatever form they are written. Sourced.
# shellcheck shell=bash

# debian_sources [SUITE]: one-line sources of every configured Debian 12 suite; with SUITE, of the main archive's SUITE too.
debian_sources() {
  # shellcheck disable=SC2016  # apt's own variables
  apt-get indextargets --format '$(RELEASE) $(REPO_URI) $(COMPONENT)' 'Created-By: Packages' |
    awk -v more="${1:-}" '
      $1 ~ /^bookworm/ && $3 == "main" && !seen[$1]++ { print "deb " $2 " " $1 " main" }
      $1 == "bookworm" && $3 == "main" && more != "" && !seen[more]++ { print "deb " $2 " " more " main" }'
}

# open_apt DIR [SUITE]: fetches the package lists into DIR; APT holds the options that use them.
open_apt() {
  chmod 755 "$1"
  mkdir -p "$1"/{lists,archives,cache}/partial
  debian_sources "${2:-}" > "$1/sources.list"
  APT=(-o "Dir::Etc::sourcelist=$1/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::lists=$1/lists"
    -o "Dir::Cache=$1/cache" -o "Dir::Cache::archives=$1/archives" -o APT::Sandbox::User=root -o Acquire::Languages=none)
  apt-get "${APT[@]}" update -qq
}
