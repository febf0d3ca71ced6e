/* A pool of workers: four fibers take numbers from one stream, each number is
 * worked on in a thread; in the end what is left is canceled. */
#include <stdio.h>

#include <uv.h>

#include <uvow.h>
#include <uvow/fiber.h>
#include <uvow/uv.h>

enum { WORKERS = 4, JOBS = 100, ENOUGH = 20 };

typedef struct pool {
  uvow_stream_t *jobs; /* several readers compete: each item goes to one */
  uvow_promise_t *enough;
  int done, canceled;
} pool_t;

/* [pool] */
/* On a thread of libuv's, which may still run when the fiber is canceled: so it
 * is given the number itself, and nothing on the fiber's stack. */
static uvow_value_t work(void *number) {
  int64_t n = (intptr_t)number, sum = 0;
  for (int64_t i = 1; i <= n; i++)
    sum += i;
  return uvow_value_int64(sum);
}

static uvow_next_t worker(uvow_loop_t *loop, void *data) {
  pool_t *pool = data;
  uvow_result_t r;
  int64_t n = 0;
  int rc;
  while ((rc = uvow_await_next(pool->jobs, &r)) > 0) {
    uvow_value_get_int64(&r.value, &n);
    rc = uvow_await(uvow_work(loop, work, (void *)(intptr_t)n), &r);
    if (rc)
      break;
    if (++pool->done == ENOUGH)
      uvow_promise_fulfill(pool->enough, uvow_value_none());
  }
  pool->canceled += rc == UVOW_ECANCELED;
  return uvow_next_none();
}

static uvow_next_t producer(uvow_loop_t *loop, void *jobs) {
  int rc = 0;
  (void)loop;
  for (int64_t n = 1; rc == 0 && n <= JOBS; n++)
    rc = uvow_await_push(jobs, uvow_value_int64(n * 1000));
  uvow_sink_end(jobs);
  return uvow_next_none();
}

static uvow_next_t run(uvow_loop_t *loop, void *data) {
  pool_t pool = {NULL, NULL, 0, 0};
  uvow_future_t *fibers[WORKERS + 1];
  uvow_sink_t *jobs;
  uvow_future_t *enough = uvow_promise_new(loop, &pool.enough);
  pool.jobs = uvow_stream_new(loop, NULL, &jobs);
  (void)data;
  for (int i = 0; i < WORKERS; i++)
    fibers[i] = uvow_fiber_spawn(loop, worker, &pool);
  fibers[WORKERS] = uvow_fiber_spawn(loop, producer, jobs);
  uvow_await(enough, NULL);
  for (int i = 0; i <= WORKERS; i++)
    uvow_future_drop(fibers[i]); /* each ends by itself, in its next task */
  uvow_await_delay(loop, 0);
  uvow_stream_unref(pool.jobs);
  printf("enough: %s; canceled: %d\n", pool.done >= ENOUGH ? "yes" : "no",
         pool.canceled);
  return uvow_next_none();
}
/* [pool] */

int main(void) {
  return uvow_fiber_main(run, NULL);
}
