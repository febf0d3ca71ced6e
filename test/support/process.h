#ifndef UVOW_TEST_PROCESS_H
#define UVOW_TEST_PROCESS_H

#include <uv.h>

#include "support.h"

#define PROCESS_LINE 4096

/*
 * A program that a test talks to: started on the test's own loop, its output
 * read line by line, killed by its pid at the end.
 *
 *   process_start -> on_line* -> (process_wait | process_kill)
 */
typedef struct process process_t;

/* A line of its stdout or stderr, without the newline. */
typedef void (*process_line_cb)(const char *line, void *data);

typedef struct process_pipe {
  uv_pipe_t handle;
  process_t *process;
  size_t len;
  char line[PROCESS_LINE]; /* longer ones are cut */
} process_pipe_t;

struct process {
  uv_loop_t *uv;
  uv_process_t handle;
  uv_pipe_t in; /* open while it should run: some end when it's closed */
  process_pipe_t out;
  process_pipe_t err;
  process_line_cb on_line;
  void *data;
  int handles; /* open ones */
  int exited;
  int64_t status; /* valid when it exited */
  int term_signal;
};

/* Starts args[0] (found by PATH), with what a NULL ends. Skips the test, with a
 * line that says why, if there's no such program; fails it if it can't be
 * started. */
void process_start(process_t *process, uv_loop_t *uv, const char *const *args,
                   process_line_cb on_line, void *data);
/* The same, and it inherits a socket as its descriptor 3 (NULL: none). */
void process_start_with(process_t *process, uv_loop_t *uv,
                        const char *const *args, uv_tcp_t *socket,
                        process_line_cb on_line, void *data);
/* Writes to its stdin, at once; ends that. */
void process_say(process_t *process, const char *text);
void process_end_input(process_t *process);
/* Runs the loop until it has exited, and its output is read. */
void process_wait(process_t *process);
/* Kills it, if it still runs, and waits. */
void process_kill(process_t *process);

/* Skips the test, with a line that says what is missing. */
void process_skip(const char *missing);

/* The file of test/interop with this name: in the checkout that TEST_ROOT
 * names, or that the test runs in. */
const char *process_script(const char *name, char *path, size_t size);

#endif
