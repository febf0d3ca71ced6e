/*
 * Several loops, each on a thread of its own, that hand each other work.
 *
 * A worker's loop lives on its thread; what reaches it from another is a posted
 * function. The answer comes back as a future of the asker's loop, which the
 * worker settles from its own thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>
#include <uvow.h>

typedef struct worker {
  uv_thread_t thread;
  uv_barrier_t ready;
  uvow_thread_loop_t *door; /* for other threads */
} worker_t;

/* [job] */
typedef struct job {
  int number;
  uvow_thread_promise_t *promise; /* of the asker's loop */
} job_t;

/* On the worker's thread, from its task queue. */
static void square(uvow_loop_t *loop, void *data) {
  job_t *job = data;
  (void)loop;
  int64_t answer = (int64_t)job->number * job->number;
  uvow_thread_promise_fulfill(job->promise, uvow_value_int64(answer));
  free(job);
}

/* On any thread: here, the main one. */
static uvow_future_t *ask(uvow_loop_t *loop, worker_t *worker, int number) {
  uvow_future_t *future;
  job_t *job = calloc(1, sizeof(*job));
  if (!job)
    return NULL;
  job->number = number;
  future = uvow_thread_promise_new(loop, &job->promise);
  if (uvow_thread_loop_post(worker->door, square, job, NULL)) {
    uvow_thread_promise_drop(job->promise); /* it rejects */
    free(job);                              /* it never runs */
  }
  return future;
}
/* [job] */

/* [worker] */
static void work(void *data) {
  worker_t *worker = data;
  uv_loop_t uv;
  uv_loop_init(&uv);
  uvow_loop_t *loop = uvow_loop_new(&uv, NULL);
  worker->door =
      uvow_thread_loop_new(loop, UVOW_WITH(thread_loop, .hold_loop = 1));
  uv_barrier_wait(&worker->ready);
  uv_run(&uv, UV_RUN_DEFAULT); /* until it's told to end */
  uv_loop_close(&uv);
}

static void end(uvow_loop_t *loop, void *data) {
  uvow_thread_loop_unref(data); /* it holds the loop */
  uvow_loop_close(loop, NULL, NULL);
}
/* [worker] */

int main(void) {
  uv_loop_t uv;
  worker_t worker;
  uvow_result_t result;
  int64_t n = 0;
  uv_loop_init(&uv);
  uvow_loop_t *loop = uvow_loop_new(&uv, NULL);
  uv_barrier_init(&worker.ready, 2);
  uv_thread_create(&worker.thread, work, &worker);
  uv_barrier_wait(&worker.ready);
  for (int i = 1; i <= 3; i++) {
    if (uvow_loop_await(loop, ask(loop, &worker, i), &result) == 0)
      uvow_value_get_int64(&result.value, &n);
    printf("%d squared is %d\n", i, (int)n);
  }
  uvow_thread_loop_post(worker.door, end, uvow_thread_loop_ref(worker.door),
                        NULL);
  uv_thread_join(&worker.thread);
  int rc = uvow_thread_loop_post(worker.door, end, NULL, NULL);
  printf("once it is closed: %s\n", uvow_err_name(rc));
  uvow_thread_loop_unref(worker.door);
  uv_barrier_destroy(&worker.ready);
  uvow_loop_close(loop, NULL, NULL);
  uv_run(&uv, UV_RUN_DEFAULT);
  return uv_loop_close(&uv) ? 1 : 0;
}
