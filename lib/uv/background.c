/* Work on other threads. */
#include "future/fail.h"
#include "op.h"

static void work_cb(uv_work_t *work) {
  uvow__op_t *op = UVOW__CONTAINER(work, uvow__op_t, req.work);
  op->value = op->u.work.cb(op->u.work.data);
}

static void end_work(uvow__op_t *op, int64_t result) {
  uvow_value_t value = op->value;
  if (result < 0) {
    uvow__op_fail(op, (int)result, NULL);
    return;
  }
  op->value = uvow_value_none();
  uvow__op_fulfill(op, value);
}

static void on_worked(uv_work_t *work, int status) {
  uvow__op_t *op = UVOW__CONTAINER(work, uvow__op_t, req.work);
  uvow__runtime_t *rt = uvow__op_rt(op);
  uvow__runtime_enter(rt);
  op->end(op, status);
  uvow__runtime_leave(rt);
}

static inline uvow_future_t *begin_work(uvow_loop_t *loop, uvow_work_cb work,
                                        void *data, uvow_destroy_cb destroy) {
  uvow_future_t *f;
  if (loop && !work) {
    if (destroy)
      uvow__fail_destroy(loop, destroy, data);
    return uvow__op_invalid(loop, "work");
  }
  uvow__op_t *op = uvow__op_new(loop, "work", end_work, &f);
  if (!op) {
    if (destroy)
      uvow__fail_destroy(loop, destroy, data);
    return f;
  }
  op->u.work.cb = work;
  op->u.work.data = data;
  op->destroy = destroy;
  uvow__op_begun(
      op, uv_queue_work(uvow__op_uv(op), &op->req.work, work_cb, on_worked));
  return f;
}

uvow_future_t *uvow_work(uvow_loop_t *loop, uvow_work_cb work, void *data) {
  return begin_work(loop, work, data, NULL);
}

uvow_future_t *uvow_work_own(uvow_loop_t *loop, uvow_work_cb work, void *data,
                             uvow_destroy_cb destroy) {
  return begin_work(loop, work, data, destroy);
}

/* What a request brought into op->bytes. */
static void end_random(uvow__op_t *op, int64_t result) {
  uvow__bytes_t *bytes = op->bytes;
  if (result < 0) {
    uvow__op_fail(op, (int)result, NULL);
    return;
  }
  op->bytes = NULL;
  uvow__op_fulfill(op, uvow__bytes_value(bytes));
}

static void on_random(uv_random_t *req, int status, void *buf, size_t len) {
  uvow__op_t *op = UVOW__CONTAINER(req, uvow__op_t, req.random);
  uvow__runtime_t *rt = uvow__op_rt(op);
  (void)buf;
  (void)len;
  uvow__runtime_enter(rt);
  op->end(op, status);
  uvow__runtime_leave(rt);
}

uvow_future_t *uvow_random(uvow_loop_t *loop, size_t len) {
  uvow_future_t *f;
  uvow__op_t *op = uvow__op_new(loop, "random", end_random, &f);
  if (!op)
    return f;
  op->bytes = len <= INT32_MAX ? uvow__bytes_new(uvow__op_rt(op), len) : NULL;
  uvow__op_begun(op, op->bytes ? uv_random(uvow__op_uv(op), &op->req.random,
                                           uvow__bytes_room(op->bytes), len, 0,
                                           on_random)
                               : UVOW_ENOMEM);
  return f;
}
