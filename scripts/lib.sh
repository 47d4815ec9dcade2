# Shared by the scripts: where the project is, what it needs, how it is built.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

BUILD_PACKAGES=(g++ cmake ninja-build pkg-config libseccomp-dev libfmt-dev catch2 nlohmann-json3-dev libcli11-dev
  libsqlite3-dev libzstd-dev libssl-dev libcap-dev libexpected-dev libre2-dev libc-ares-dev libnl-3-dev libtomlplusplus-dev robin-map-dev clang libbpf-dev libelf-dev zlib1g-dev)

# What the tests run inside and beside the product.
TEST_PACKAGES=(python3 strace acl attr libcap2-bin e2fsprogs xfsprogs btrfs-progs dosfstools squashfs-tools
  bindfs libfuse3-dev procps psmisc iproute2 git sudo cron logrotate curl passwd mount util-linux login jq sqlite3 protobuf-compiler python3-protobuf
  bind9-dnsutils bind9-host openssl wget tcpdump
  apt-utils dpkg-dev openssh-client openssh-server postgresql netcat-openbsd iputils-ping nodejs busybox-static musl-tools)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs what is missing; asks apt nothing when everything is there. Waits for another installer: a fresh machine often
# brings itself up to date.
install_packages() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return 0
  echo "installing: ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# build PRESET [TARGET...]
build() {
  local preset=$1
  shift
  local launcher=()
  command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  cmake --preset "$preset" "${launcher[@]}" >/dev/null
  cmake --build "build/$preset" ${1:+--target "$@"}
}
