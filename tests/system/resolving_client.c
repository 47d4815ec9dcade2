/* A client that brings its resolver along: linked statically with musl, it asks name servers itself.
 * resolving_client HOST PORT PATH: prints the reply to a request. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc != 4) return 64;
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
  struct addrinfo* found = NULL;
  const int status = getaddrinfo(argv[1], argv[2], &hints, &found);
  if (status != 0) {
    fprintf(stderr, "%s: %s\n", argv[1], gai_strerror(status));
    return 2;
  }
  const int fd = socket(found->ai_family, SOCK_STREAM, 0);
  if (connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
    perror("connect");
    return 1;
  }
  dprintf(fd, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", argv[3], argv[1]);
  char reply[4096];
  for (ssize_t size; (size = read(fd, reply, sizeof reply)) > 0;) {
    if (write(STDOUT_FILENO, reply, (size_t)size) != size) return 1;
  }
  return 0;
}
