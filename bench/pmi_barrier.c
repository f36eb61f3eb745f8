/* bench-pmi_barrier: what an MPI program says to Hydra before it can work, and nothing else: PMI-1 init and
 * one barrier over the descriptor in PMI_FD. Rank 0 then prints the monotonic clock in ms: all processes have
 * arrived. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int ask(int fd, const char* request, const char* expected) {
  char line[1024];
  size_t have = 0;
  const size_t size = strlen(request);
  if (write(fd, request, size) != (ssize_t)size) return -1;
  while (have == 0 || line[have - 1] != '\n') {
    const ssize_t got = read(fd, line + have, sizeof line - 1 - have);
    if (got <= 0) return -1;
    have += (size_t)got;
  }
  line[have] = '\0';
  return strstr(line, expected) == NULL ? -1 : 0;
}

int main(void) {
  const char* number = getenv("PMI_FD");
  const char* rank = getenv("PMI_RANK");
  if (number == NULL || rank == NULL) {
    fputs("bench-pmi_barrier: neither PMI_FD nor PMI_RANK is set; run it under mpiexec.hydra\n", stderr);
    return 2;
  }
  const int fd = atoi(number);
  if (ask(fd, "cmd=init pmi_version=1 pmi_subversion=1\n", "cmd=response_to_init") != 0) return 1;
  if (ask(fd, "cmd=barrier_in\n", "cmd=barrier_out") != 0) return 1;
  if (atoi(rank) == 0) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("%.3f\n", (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6);
    fflush(stdout);
  }
  return ask(fd, "cmd=finalize\n", "cmd=finalize_ack") != 0;
}
