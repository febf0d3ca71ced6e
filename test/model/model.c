/*
 * The model fuzzer of the futures: see model.h.
 *
 *   model [--seeds A-B] [--seed N]
 *
 * --seed replays one and prints all that happens.
 */
#include "model.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static model_t *current;

void model_note(model_t *m, const char *format, ...) {
  va_list args;
  if (!m->verbose)
    return;
  va_start(args, format);
  fputs("# ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
}

void model_fail(model_t *m, const char *format, ...) {
  va_list args;
  printf("not ok 1 - seed %llu: ", (unsigned long long)m->seed);
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  putchar('\n');
  fflush(stdout);
  if (m->verbose)
    abort();
  _Exit(1);
}

static void on_abort(int number) {
  signal(number, SIG_DFL);
  if (current && !current->verbose)
    model_fail(current, "an assertion failed");
}

void model_return(model_t *m, unsigned before, const char *what, int failed) {
  m->in_call--;
  if (m->sync != before && !failed && !(m->streaming && model_is_done(m)))
    model_fail(m, "a destructor ran within %s", what);
}

/* Rejections that nobody observes are part of a world. */
static void on_unhandled(uvow__runtime_t *rt, const uvow_error_t *error) {
  (void)error;
  model_acts(UVOW__CONTAINER(rt, model_t, turn.rt));
}

static void turns(model_t *m) {
  uvow__runtime_t *rt = &m->turn.rt;
  m->turn.now_ns += (uint64_t)sim_below(&m->random, 30) * 1000000;
  if (m->closed)
    return;
  uvow__runtime_enter(rt);
  uvow__runtime_expire(rt);
  uvow__runtime_leave(rt);
}

void model_close(model_t *m) {
  if (m->closing)
    return;
  model_note(m, "close");
  m->closing = 1;
  /* It runs what is queued: all that is on the stack has come to its end. */
  unsigned in_call = m->in_call;
  m->in_call = 0;
  uvow__runtime_close(&m->turn.rt);
  m->in_call = in_call;
}

static void run_world(model_t *m, uint64_t seed, int verbose) {
  memset(m, 0, sizeof(*m));
  current = m;
  m->seed = m->random.state = seed;
  m->verbose = verbose;
  m->steps_left = 600;
  m->failing = sim_one_in(&m->random, 3);
  m->loose = sim_one_in(&m->random, 3);
  m->streaming = (int)(seed % 2);
  test_alloc_init(&m->alloc);
  turn_init_with(&m->turn, &m->alloc);
  m->turn.rt.on_unhandled = on_unhandled;
  m->turn.rt.budget = 1 + sim_below(&m->random, 200);
  m->turn.rt.queue.share = 1 + sim_below(&m->random, 100);
  while (m->steps_left) {
    m->steps_left--;
    model_act(m);
    if (sim_one_in(&m->random, 6))
      turns(m);
  }
  m->alloc.fail_at = 0;
  for (int i = 0; i < 20; i++)
    turns(m);
  if (sim_one_in(&m->random, 2))
    model_drop_all(m);
  model_close(m);
  for (int i = 0; i < 4; i++)
    turns(m);
  m->closed = 1;
  uvow__runtime_done(&m->turn.rt);
  model_drop_all(m);
  model_check_all(m);
  if (m->turn.releases != 1 || m->alloc.live)
    model_fail(m, "released %u times, %zu blocks are left", m->turn.releases,
               m->alloc.live);
  current = NULL;
}

int main(int argc, char **argv) {
  unsigned long long first = 1;
  unsigned long long last = 1000;
  int one = argc == 3 && strcmp(argv[1], "--seed") == 0;
  if (one)
    first = last = strtoull(argv[2], NULL, 10);
  else if (argc != 1 && (argc != 3 || strcmp(argv[1], "--seeds") != 0 ||
                         sscanf(argv[2], "%llu-%llu", &first, &last) != 2)) {
    fputs("usage: model [--seeds A-B] [--seed N]\n", stderr);
    return 2;
  }
  model_t *m = (model_t *)malloc(sizeof(*m));
  if (!m)
    return 2;
  signal(SIGABRT, on_abort);
  puts("1..1");
  for (uint64_t seed = first; seed <= last; seed++)
    run_world(m, seed, one);
  free(m);
  printf("ok 1 - seeds %llu to %llu\n", first, last);
  return 0;
}
