/*
 * What the tests can't show in a second: a million requests in flight, ten
 * thousand connections, thousands of connections that are cut. Prints TAP, and
 * the numbers of docs/explanation/load.md as comments.
 *
 * usage: load [--in-flight N] [--connections N] [--cuts N] [--seed N]
 */
#include "load.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int cases;

void load_say(const char *format, ...) {
  va_list args;
  printf("# ");
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  printf("\n");
  fflush(stdout);
}

void load_case(const char *name, uint64_t wrong) {
  if (wrong)
    load_say("%llu things went wrong", (unsigned long long)wrong);
  printf("%sok %d - %s\n", wrong ? "not " : "", ++cases, name);
  fflush(stdout);
}

void load_skip(const char *name, const char *why) {
  printf("ok %d - %s # SKIP %s\n", ++cases, name, why);
}

void load_must(int rc, const char *what) {
  if (rc == 0)
    return;
  printf("Bail out! %s: %s\n", what, uvow_strerror(rc));
  exit(1);
}

uint64_t load_ms(uint64_t since_ns) {
  return (uv_hrtime() - since_ns) / 1000000;
}

static void on_closed(void *data) {
  *(int *)data = 1;
}

void load_app_init(load_app_t *app) {
  uvow_loop_options_t options = {.size = sizeof(options)};
  memset(app, 0, sizeof(*app));
  load_memory_init(&app->memory);
  options.allocator = &app->memory.allocator;
  load_must(uv_loop_init(&app->uv), "uv_loop_init");
  app->loop = uvow_loop_new(&app->uv, &options);
  load_must(app->loop ? 0 : UVOW_ENOMEM, "uvow_loop_new");
}

void load_app_done(load_app_t *app) {
  int closed = 0;
  uvow_loop_close(app->loop, on_closed, &closed);
  uv_run(&app->uv, UV_RUN_DEFAULT);
  app->wrong += !closed;
  app->wrong += uv_loop_close(&app->uv) != 0;
  app->wrong += app->memory.blocks + app->memory.bytes;
}

void load_run_until(load_app_t *app, const int *flag) {
  while (!*flag)
    if (!uv_run(&app->uv, UV_RUN_ONCE) && !*flag) {
      app->wrong++;
      return;
    }
}

static int read_options(int argc, char **argv, load_options_t *options) {
  for (int i = 1; i < argc; i += 2) {
    char *end = NULL;
    unsigned long long value =
        i + 1 < argc ? strtoull(argv[i + 1], &end, 10) : 0;
    if (!end || *end)
      return 0;
    if (strcmp(argv[i], "--in-flight") == 0)
      options->in_flight = (size_t)value;
    else if (strcmp(argv[i], "--connections") == 0)
      options->connections = (size_t)value;
    else if (strcmp(argv[i], "--cuts") == 0)
      options->cuts = (size_t)value;
    else if (strcmp(argv[i], "--seed") == 0)
      options->seed = value;
    else
      return 0;
  }
  return 1;
}

int main(int argc, char **argv) {
  load_options_t options = {1000000, 10000, 3600, 1};
  if (!read_options(argc, argv, &options)) {
    fprintf(stderr,
            "usage: load [--in-flight N] [--connections N] [--cuts N] "
            "[--seed N]\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  printf("1..3\n");
  load_flight(&options);
  load_crowd(&options);
  load_cuts(&options);
  return 0;
}
