#include "sandbox/private_keys.h"

#include <catch2/catch.hpp>

using rehearse::sandbox::looks_like_private_key;

TEST_CASE("a private key is known by a line of its head") {
  for (const char* text : {"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl",
                           "-----BEGIN RSA PRIVATE KEY-----\r\nMIIE", "-----BEGIN EC PRIVATE KEY-----",
                           "-----BEGIN DSA PRIVATE KEY-----\n", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
                           "-----BEGIN PRIVATE KEY-----\n", "PuTTY-User-Key-File-2: ssh-rsa\n",
                           "Bag Attributes\n    friendlyName: x\n-----BEGIN PRIVATE KEY-----\n"})
    CHECK(looks_like_private_key(text));
  for (const char* text : {"", "\n\n", "ssh-ed25519 AAAA a@b\n", "-----BEGIN CERTIFICATE-----\n",
                           "-----BEGIN PUBLIC KEY-----\n", "# -----BEGIN PRIVATE KEY-----\n",
                           "-----BEGIN PRIVATE KEY----\n", "---- BEGIN SSH2 PUBLIC KEY ----\n"})
    CHECK_FALSE(looks_like_private_key(text));
}
