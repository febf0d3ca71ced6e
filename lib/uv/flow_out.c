/*
 * What goes: a flow's other half.
 *
 *   pushes -> (a task) -> up to FLOW_PARTS items -> uv_try_write
 *                             ^                        |
 *                             +-- on_written <- uv_write: the rest
 *   end  -> uv_shutdown -> flushed
 *   drop, fail -> the flow ends, at once
 *
 * 1. While something is being written, no item is taken: what is pushed fills
 *    the sink, and whoever pushes is told.
 * 2. The values that are being written are owned until libuv is done with them,
 *    also after the flow's end.
 * 3. An error of writing ends this half: what the peer has said is read to its
 *    end all the same.
 */
#include "flow.h"

#include <limits.h>

#include "op.h"
#include "origin.h"

void uvow__flow_release(uvow__flow_t *flow) {
  for (unsigned i = 0; i < flow->count; i++)
    uvow__value_release_later(&flow->loop->rt, flow->sending[i]);
  flow->count = 0;
}

void uvow__flow_leave_out(uvow__flow_t *flow, int code) {
  uvow_stream_t *out = flow->out;
  flow->out = NULL;
  if (out)
    uvow__origin_leave(out, code, "write to", flow->name);
}

/* Nothing can be written any more. */
static void fail(uvow__flow_t *flow, int code) {
  flow->broken = 1;
  if (flow->in) {
    uvow__flow_leave_out(flow, code);
    uvow__flow_half(flow);
  } else {
    uvow__flow_fail(flow, "write to", code);
  }
}

static void on_shut(uv_shutdown_t *req, int status) {
  uvow__flow_t *flow = (uvow__flow_t *)req->data;
  uvow_loop_t *loop = flow->loop;
  if (flow->over)
    return;
  uvow__runtime_enter(&loop->rt);
  if (status) {
    fail(flow, status);
  } else {
    uvow__flow_leave_out(flow, 0);
    uvow__flow_half(flow);
  }
  uvow__runtime_leave(&loop->rt);
}

/* All was written. A half alone is closed: that's its end. */
static void at_end(uvow__flow_t *flow) {
  if (flow->shutting)
    return;
  flow->shutting = 1;
  if (flow->two_way) {
    int rc = uv_shutdown(&flow->shutdown, flow->stream, on_shut);
    if (rc)
      fail(flow, rc);
    return;
  }
  uvow__flow_leave_out(flow, 0);
  uvow__flow_half(flow);
}

/* Takes items to be written: how many bytes, or an error. */
static int64_t gather(uvow__flow_t *flow, uv_buf_t *bufs) {
  uvow__slice_t slice;
  uvow__item_t item;
  int64_t total = 0;
  while (flow->count < UVOW__FLOW_PARTS && total < UVOW__READ_SIZE * 4 &&
         uvow__stream_take(flow->out, &item) == UVOW__STREAM_ITEM) {
    int rc = uvow__value_slice(&item.value, &slice);
    if (rc == 0 && slice.len > INT_MAX / 2)
      rc = UVOW_ETOOBIG;
    flow->sending[flow->count] = item.value;
    if (rc == 0)
      bufs[flow->count] =
          uv_buf_init((char *)(uintptr_t)slice.ptr, (unsigned)slice.len);
    flow->count++;
    if (rc)
      return rc;
    total += (int64_t)slice.len;
  }
  return total;
}

static void on_written(uv_write_t *req, int status) {
  uvow__flow_t *flow = (uvow__flow_t *)req->data;
  uvow_loop_t *loop = flow->loop;
  uvow__runtime_enter(&loop->rt);
  flow->writing = 0;
  uvow__flow_release(flow);
  if (!flow->over && status)
    fail(flow, status);
  else if (!flow->over)
    uvow__flow_write(flow);
  uvow__runtime_leave(&loop->rt);
}

/* What didn't leave at once. */
static int write_later(uvow__flow_t *flow, uv_buf_t *bufs, size_t sent) {
  unsigned first = 0;
  while (first < flow->count && sent >= bufs[first].len)
    sent -= bufs[first++].len;
  bufs[first].base += sent;
  bufs[first].len -= (unsigned)sent;
  flow->writing = 1;
  return uv_write(&flow->write, flow->stream, bufs + first, flow->count - first,
                  on_written);
}

/* Writes some. Returns 1: and it has left; 0: there's none, or the rest has yet
 * to leave; or an error. */
static int write_some(uvow__flow_t *flow) {
  uv_buf_t bufs[UVOW__FLOW_PARTS];
  int64_t total = gather(flow, bufs);
  if (total < 0 || flow->count == 0)
    return (int)total;
  int sent = total ? uv_try_write(flow->stream, bufs, flow->count) : 0;
  if (sent < 0 && sent != UV_EAGAIN)
    return sent;
  sent = sent < 0 ? 0 : sent;
  if (sent < total) {
    int rc = write_later(flow, bufs, (size_t)sent);
    if (rc)
      flow->writing = 0;
    return rc;
  }
  uvow__flow_release(flow);
  return 1;
}

void uvow__flow_write(uvow__flow_t *flow) {
  uvow_stream_t *out = flow->out;
  int rc = 1;
  if (flow->over || !out)
    return;
  if (out->end->state == UVOW_REJECTED) { /* whatever waits */
    uvow_error_t *error = uvow_error_ref(out->end->u.error);
    uvow__flow_end(flow, error, uvow_error_code(error));
    return;
  }
  while (rc > 0 && flow->stream && !flow->writing)
    rc = write_some(flow);
  if (rc < 0) {
    uvow__flow_release(flow);
    fail(flow, rc);
  } else if (flow->stream && !flow->writing && uvow__stream_ended(out)) {
    at_end(flow);
  } else {
    out->flags |= UVOW__STREAM_ASKED;
  }
}
