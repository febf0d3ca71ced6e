/* What is to abort, in a process of its own. */
#include "die.h"

#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int die_of(void (*act)(void), char *ret_text, size_t size) {
  struct rlimit none = {0, 0};
  int ends[2];
  int status = 0;
  size_t len = 0;
  (void)fflush(stdout);
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    signal(SIGABRT, SIG_DFL);
    setrlimit(RLIMIT_CORE, &none);
    dup2(ends[1], 2);
    act();
    _exit(0);
  }
  close(ends[1]);
  for (ssize_t got = 1; got > 0; len += (size_t)got) {
    got = read(ends[0], ret_text + len, size - 1 - len);
    if (got < 0)
      got = 0;
  }
  ret_text[len] = '\0';
  close(ends[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}
