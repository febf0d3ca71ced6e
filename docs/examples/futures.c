/*
 * Futures in a libuv program that has no WebSocket at all: a timer, a file and
 * a computation on libuv's thread pool, each as a future, and a chain of them.
 *
 * To make a future of any callback of libuv's: make a promise, start the
 * request, and settle the promise in the callback.
 */
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>
#include <uvow.h>

/* A request of libuv's, and the promise that its callback settles. */
typedef struct operation {
  union {
    uv_timer_t timer;
    uv_fs_t fs;
    uv_work_t work;
  } uv;
  uvow_promise_t *promise;
  uvow_future_t *future; /* until it's started */
  int64_t number;
} operation_t;

/* NULL: no memory. */
static operation_t *new_operation(uvow_loop_t *loop) {
  operation_t *op = calloc(1, sizeof(*op));
  if (op)
    op->future = uvow_promise_new(loop, &op->promise);
  if (op && op->future)
    return op;
  free(op);
  return NULL;
}

/* It couldn't even be started: that rejects, too. */
static uvow_future_t *not_started(operation_t *op, int code) {
  uvow_future_t *f = op->future;
  uvow_promise_reject_code(op->promise, code, NULL);
  free(op);
  return f;
}

/* A timer. (uvow_future_delay does the same, and can be canceled.) */

static void on_timer_closed(uv_handle_t *handle) {
  free(handle->data);
}

static void on_timer(uv_timer_t *timer) {
  operation_t *op = timer->data;
  uvow_promise_fulfill(op->promise, uvow_value_none());
  uv_close((uv_handle_t *)timer, on_timer_closed);
}

static uvow_future_t *pause_ms(uvow_loop_t *loop, uint64_t ms) {
  operation_t *op = new_operation(loop);
  if (!op)
    return NULL; /* what comes next in the chain says UVOW_ENOMEM */
  op->uv.timer.data = op;
  uv_timer_init(uvow_loop_uv(loop), &op->uv.timer);
  uv_timer_start(&op->uv.timer, on_timer, ms, 0);
  return op->future;
}

/* The size of a file: libuv's own codes reject it. */

static void on_stat(uv_fs_t *fs) {
  operation_t *op = fs->data;
  if (fs->result < 0)
    uvow_promise_reject_code(op->promise, (int)fs->result, fs->path);
  else
    uvow_promise_fulfill(op->promise,
                         uvow_value_int64((int64_t)fs->statbuf.st_size));
  uv_fs_req_cleanup(fs);
  free(op);
}

static uvow_future_t *file_size(uvow_loop_t *loop, const char *path) {
  operation_t *op = new_operation(loop);
  if (!op)
    return NULL;
  op->uv.fs.data = op;
  int rc = uv_fs_stat(uvow_loop_uv(loop), &op->uv.fs, path, on_stat);
  return rc ? not_started(op, rc) : op->future;
}

/* Work on another thread; the promise is settled back on the loop's. */

static void add_up(uv_work_t *work) {
  operation_t *op = work->data;
  int64_t sum = 0;
  for (int64_t i = 1; i <= op->number; i++)
    sum += i;
  op->number = sum;
}

static void on_added_up(uv_work_t *work, int status) {
  operation_t *op = work->data;
  if (status)
    uvow_promise_reject_code(op->promise, status, NULL);
  else
    uvow_promise_fulfill(op->promise, uvow_value_int64(op->number));
  free(op);
}

static uvow_future_t *sum_up_to(uvow_loop_t *loop, int64_t number) {
  operation_t *op = new_operation(loop);
  if (!op)
    return NULL;
  op->uv.work.data = op;
  op->number = number;
  int rc = uv_queue_work(uvow_loop_uv(loop), &op->uv.work, add_up, on_added_up);
  return rc ? not_started(op, rc) : op->future;
}

/* The chain. */

static uvow_next_t then_sum(const uvow_result_t *result, void *data) {
  (void)data;
  printf("a pause is over\n");
  return uvow_next_future(sum_up_to(result->loop, 1000));
}

static uvow_next_t then_size(const uvow_result_t *result, void *data) {
  int64_t sum = 0;
  if (uvow_value_get_int64(&result->value, &sum))
    return uvow_next_code(UVOW_ETYPE, NULL);
  printf("1 + 2 + ... + 1000 = %lld\n", (long long)sum);
  return uvow_next_future(file_size(result->loop, data));
}

/* The file isn't there: an error like any other. The chain goes on without. */
static uvow_next_t no_file(const uvow_result_t *result, void *data) {
  (void)data;
  printf("%s\n", uvow_err_name(uvow_error_code(result->error)));
  if (uvow_error_code(result->error) != UV_ENOENT)
    return uvow_next_pass();
  return uvow_next_value(uvow_value_int64(0));
}

static uvow_next_t clean_up(void *data) {
  (void)data;
  printf("cleaned up\n");
  return uvow_next_pass();
}

static void finished(const uvow_result_t *result, void *data) {
  int *failed = data;
  int64_t size = -1;
  *failed = uvow_value_get_int64(&result->value, &size) != 0;
  printf("size: %lld\n", (long long)size);
  uvow_loop_close(result->loop, NULL, NULL);
}

int main(void) {
  static char path[] = "there/is/no/such/file";
  uv_loop_t *uv = uv_default_loop();
  uvow_loop_t *loop;
  int failed = 1;
  loop = uvow_loop_new(uv, NULL);
  int rc = loop ? 0 : UVOW_ENOMEM;
  if (rc) {
    fprintf(stderr, "futures: %s\n", uvow_strerror(rc));
    return 1;
  }
  uvow_future_t *f = pause_ms(loop, 10);
  f = uvow_future_then(f, then_sum, NULL);
  f = uvow_future_then(f, then_size, path);
  f = uvow_future_catch(f, no_file, NULL);
  f = uvow_future_finally(f, clean_up, NULL);
  if (uvow_future_done(f, finished, &failed))
    uvow_loop_close(loop, NULL, NULL); /* no memory: nothing was attached */
  uv_run(uv, UV_RUN_DEFAULT);
  if (uv_loop_close(uv))
    failed = 1;
  return failed;
}
