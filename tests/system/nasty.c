/* nasty KIND MARK: a process that a command starts and leaves, each kind hard to find or to end in another
 * way. It says "KIND PID" on stdout first. MARK is for the test, which finds it by that. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char* self;
static const char* mark;

static void linger(void) {
  for (;;) pause();
}

static void say(const char* kind) {
  char line[64];
  const int size = snprintf(line, sizeof line, "%s %d\n", kind, (int)getpid());
  if (write(STDOUT_FILENO, line, (size_t)size) < 0) _exit(1);
}

static void* stay(void* nothing) {
  for (;;) pause();
  return nothing;
}

static int leave(void) { /* the parent goes on, and waits for its child; the child becomes an orphan */
  const pid_t pid = fork();
  if (pid > 0) {
    waitpid(pid, NULL, 0);
    return 0;
  }
  if (fork() > 0) _exit(0);
  return 1;
}

static void ignore_all(void) {
  for (int number = 1; number < 65; ++number) signal(number, SIG_IGN);
}

static void block_all(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
}

/* One process after the other, each a child of the one before that has ended. Ends by itself after half a
 * minute. */
static void run_away(long pause_ns) {
  const time_t end = time(NULL) + 30;
  while (time(NULL) < end) {
    const pid_t pid = fork();
    if (pid > 0) _exit(0);
    const struct timespec moment = {0, pause_ns};
    nanosleep(&moment, NULL);
  }
  _exit(0);
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  self = argv[0];
  const char* const kind = argv[1];
  mark = argv[2];
  if (argc == 3) {
    if (!leave()) return 0;
    if (strcmp(kind, "plain") == 0) {
    } else if (strcmp(kind, "group") == 0) {
      setpgid(0, 0);
    } else if (strcmp(kind, "session") == 0) {
      setsid();
    } else if (strcmp(kind, "again") == 0) {
      setsid();
      if (fork() > 0) _exit(0);
      setsid();
      if (fork() > 0) _exit(0);
    } else if (strcmp(kind, "deaf") == 0) {
      setsid();
      ignore_all();
    } else if (strcmp(kind, "blocked") == 0) {
      setsid();
      block_all();
    } else if (strcmp(kind, "bare") == 0 || strcmp(kind, "closed") == 0) {
      setsid();
      char* const nothing[] = {NULL};
      char* const arguments[] = {(char*)self, (char*)kind, (char*)mark, (char*)"-", NULL};
      execve(self, arguments, nothing);
      _exit(1);
    } else if (strcmp(kind, "stopped") == 0) {
      setsid();
      say(kind);
      raise(SIGSTOP);
    } else if (strcmp(kind, "elsewhere") == 0) {
      setsid();
      if (chdir("/") != 0) _exit(1);
      prctl(PR_SET_NAME, "kworker/0:0");
    } else if (strcmp(kind, "chain") == 0) {
      for (int i = 0; i < 6; ++i) {
        setsid();
        if (fork() > 0) linger();
      }
    } else if (strcmp(kind, "threads") == 0) {
      setsid();
      pthread_t thread;
      for (int i = 0; i < 4; ++i) pthread_create(&thread, NULL, stay, NULL);
    } else if (strcmp(kind, "reaper") == 0) {
      setsid();
      prctl(PR_SET_CHILD_SUBREAPER, 1);
      for (int i = 0; i < 3; ++i) {
        if (fork() == 0) linger();
      }
    } else if (strcmp(kind, "private") == 0) {
      setsid();
      prctl(PR_SET_DUMPABLE, 0);
    } else if (strcmp(kind, "runner") == 0) {
      setsid();
      say(kind);
      run_away(200000);
    } else if (strcmp(kind, "writer") == 0) {
      setsid();
      say(kind);
      for (;;) {
        const struct timespec moment = {0, 1000000};
        nanosleep(&moment, NULL);
        if (write(STDOUT_FILENO, ".", 1) < 0 && errno != EAGAIN) linger();
      }
    } else if (strcmp(kind, "limited") == 0) {
      setsid();
      const struct rlimit none = {0, 0};
      setrlimit(RLIMIT_NOFILE, &none);
      setrlimit(RLIMIT_NPROC, &none);
    } else {
      _exit(2);
    }
  }
  say(kind);
  if (strcmp(kind, "closed") == 0) close_range(0, ~0U, 0);
  linger();
}
