#include "command.h"

#include <signal.h>
#include <stdio.h>

#define WORDS_MAX 40

static void append(char *text, size_t size, const char *line) {
  size_t len = strlen(text);
  assert_true(len + strlen(line) + 2 <= size);
  snprintf(text + len, size - len, "%s\n", line);
}

static void on_line(const char *line, void *data) {
  command_t *command = (command_t *)data;
  if (line == command->program.out.line) {
    command->lines++;
    append(command->out, sizeof(command->out), line);
  } else {
    append(command->err, sizeof(command->err), line);
  }
}

static void on_server_line(const char *line, void *data) {
  static const char says[] = "listening on ";
  command_t *command = (command_t *)data;
  if (strncmp(line, says, sizeof(says) - 1) == 0)
    snprintf(command->url, sizeof(command->url), "%s", line + sizeof(says) - 1);
  else
    printf("# uvow serve: %s\n", line);
}

int command_setup(void **state) {
  command_t *command = (command_t *)calloc(1, sizeof(*command));
  if (!command || uv_loop_init(&command->uv))
    return -1;
#ifdef SIGPIPE
  /* A command that has ended reads nothing of what is written to it. */
  signal(SIGPIPE, SIG_IGN);
#endif
  *state = command;
  return 0;
}

int command_teardown(void **state) {
  command_t *command = (command_t *)*state;
  process_kill(&command->program);
  process_kill(&command->server);
  uv_run(&command->uv, UV_RUN_DEFAULT);
  int rc = uv_loop_close(&command->uv);
  free(command);
  return rc;
}

static void start(command_t *command, process_t *process,
                  const char *const *words, process_line_cb cb) {
  const char *args[WORDS_MAX];
  size_t count = 0;
  args[count++] = getenv("UVOW_COMMAND");
  if (!args[0])
    process_skip("UVOW_COMMAND, the built program,");
  for (; *words; words++) {
    assert_true(count < WORDS_MAX - 1);
    args[count++] = strcmp(*words, "URL") ? *words : command->url;
  }
  args[count] = NULL;
  process_start(process, &command->uv, args, cb, command);
}

static int status_of(const process_t *process) {
  return process->term_signal ? 1000 + process->term_signal
                              : (int)process->status;
}

void command_serve(command_t *command, const char *const *options) {
  const char *words[WORDS_MAX] = {"serve"};
  size_t count = 1;
  for (; *options; options++) {
    assert_true(count < WORDS_MAX - 1);
    words[count++] = *options;
  }
  command->url[0] = '\0';
  start(command, &command->server, words, on_server_line);
  while (!command->url[0] && command->server.handles)
    uv_run(&command->uv, UV_RUN_ONCE);
  assert_true(command->url[0]);
}

int command_stop(command_t *command) {
  assert_int_equal(uv_process_kill(&command->server.handle, SIGTERM), 0);
  process_wait(&command->server);
  return status_of(&command->server);
}

void command_start(command_t *command, const char *const *words) {
  command->out[0] = command->err[0] = '\0';
  command->lines = 0;
  start(command, &command->program, words, on_line);
}

int command_wait(command_t *command) {
  process_wait(&command->program);
  return status_of(&command->program);
}

int command_run(command_t *command, const char *const *words) {
  command_start(command, words);
  return command_wait(command);
}

int command_run_with(command_t *command, const char *input,
                     const char *const *words) {
  command_start(command, words);
  process_say(&command->program, input);
  process_end_input(&command->program);
  return command_wait(command);
}
