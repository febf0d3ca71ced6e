#ifndef UVOW_TEST_COMMAND_H
#define UVOW_TEST_COMMAND_H

#include "process.h"

/*
 * The `uvow` command as a user runs it: UVOW_COMMAND names the program. A
 * server may run beside it.
 *
 *   command_setup (cmocka's) -> command_serve -> command_run* -> command_stop
 *   -> command_teardown
 */
typedef struct command {
  uv_loop_t uv;
  process_t server;
  process_t program;
  char url[128]; /* of the server */
  char out[65536];
  char err[16384];
  size_t lines; /* in out */
} command_t;

int command_setup(void **state);
/* Kills what still runs. */
int command_teardown(void **state);

/* Starts `uvow serve` with these options, which a NULL ends, and waits until
 * it says where it listens. */
void command_serve(command_t *command, const char *const *options);
/* Sends it SIGTERM; returns its exit status. */
int command_stop(command_t *command);

/* Runs `uvow` with these words, which a NULL ends, "URL" standing for the
 * server's: to its end, with its lines in out and err. Returns its exit status,
 * 1000 + the signal that ended it. */
int command_run(command_t *command, const char *const *words);
/* The same, in two steps: what is between them happens while it runs. */
void command_start(command_t *command, const char *const *words);
int command_wait(command_t *command);

/* The same, with a text as its stdin. */
int command_run_with(command_t *command, const char *input,
                     const char *const *words);

#define COMMAND_RUN_WITH(command, input, ...)                                  \
  command_run_with((command), (input), (const char *const[]){__VA_ARGS__, NULL})
#define COMMAND_RUN(command, ...)                                              \
  command_run((command), (const char *const[]){__VA_ARGS__, NULL})

#endif
