/*
 * What does a future weigh?
 *
 * Chains of 1 to 1,000,000 continuations are built on a pending promise, and
 * the loop's allocator counts what they take: through the public API, as a user
 * would see it. Node's native promises beside it, counted by its heap.
 *
 * How to read it: bytes per link is what the allocator was asked for at the
 * most, divided by the futures alive then; in short chains the first slab is
 * hardly used, in long ones it's the future with its continuation (96 bytes on
 * 64-bit machines). The calls of malloc once warm must be 0: the second round
 * takes all it needs from what the first has left. "KiB later" is what the loop
 * still holds two seconds after the chain was freed, "ms" is the CPU time of the
 * turn that gave the rest back, in which nothing else runs.
 */
#include <stdlib.h>

#include "counter.h"

#define LINKS_MAX 1000000

static uvow_next_t pass(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
  return uvow_next_pass();
}

static void at_end(const uvow_result_t *result, void *data) {
  (void)result;
  ++*(int *)data;
}

/* A promise, and so many futures behind it. */
static void build_and_run(uv_loop_t *uv, uvow_loop_t *loop, long links) {
  int ends = 0;
  uvow_promise_t *promise;
  uvow_future_t *f = uvow_promise_new(loop, &promise);
  for (long i = 1; i < links; i++)
    f = uvow_future_then(f, pass, NULL);
  MEASURE_CHECK(uvow_future_done(f, at_end, &ends) == 0);
  uvow_promise_fulfill(promise, uvow_value_none());
  while (ends == 0)
    uv_run(uv, UV_RUN_NOWAIT);
}

static void on_waited(uv_timer_t *timer) {
  *(int *)timer->data = 1;
}

static double cpu_ms(void) {
  uv_rusage_t usage;
  MEASURE_CHECK(uv_getrusage(&usage) == 0);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

/* The loop looks at what it keeps once a second. Returns the CPU ms of the turn
 * that took the most. */
static double wait_for_tidying(uv_loop_t *uv) {
  uv_timer_t timer; /* keeps it running */
  double most = 0;
  int waited = 0;
  uv_timer_init(uv, &timer);
  timer.data = &waited;
  uv_timer_start(&timer, on_waited, 2200, 0);
  while (!waited) {
    double ms = -cpu_ms();
    uv_run(uv, UV_RUN_NOWAIT);
    ms += cpu_ms();
    most = ms > most ? ms : most;
    uv_sleep(1);
  }
  uv_close((uv_handle_t *)&timer, NULL);
  uv_run(uv, UV_RUN_NOWAIT);
  return most;
}

static void measure_chain(long links) {
  counter_t counter = {0, 0, 0};
  uv_loop_t uv;
  MEASURE_CHECK(uv_loop_init(&uv) == 0);
  uvow_loop_t *loop = counter_loop(&counter, &uv);
  size_t empty = counter.live;
  size_t calls = counter.calls;
  build_and_run(&uv, loop, links);
  double bytes = (double)(counter.most - empty) / (double)(links + 1);
  size_t cold = counter.calls - calls;
  build_and_run(&uv, loop, links);
  size_t warm = counter.calls - calls - cold;
  double ms = wait_for_tidying(&uv);
  double later = (double)(counter.live - empty) / 1024;
  measure_close(&uv, loop);
  MEASURE_CHECK(counter.live == 0);
  printf("%-24ld %12.1f %12zu %12zu %10.0f %6.1f\n", links, bytes, cold, warm,
         later, ms);
  fflush(stdout);
}

int main(void) {
  double bytes;
  printf("%-24s %12s %12s %12s %10s %6s\n", "links", "bytes/link",
         "malloc cold", "malloc warm", "KiB later", "CPU ms");
  for (long links = 1; links <= LINKS_MAX; links *= 10)
    measure_chain(links);
  setenv("UVOW_BENCH_DIR", BENCH_DIR, 0);
  FILE *node = popen(
      "node --expose-gc \"$UVOW_BENCH_DIR/future_chain.js\" "
      "memory 1000000 2>/dev/null",
      "r");
  if (node && fscanf(node, "%lf", &bytes) == 1)
    printf("%-24s %12.1f\n", "Node, 1000000", bytes);
  else
    printf("Node isn't here: nothing to compare with.\n");
  if (node)
    pclose(node);
  return 0;
}
