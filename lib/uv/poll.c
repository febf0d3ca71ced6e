/*
 * A descriptor of the application's own: what can be done with it.
 *
 * Lazy: the system is asked when somebody asks for an item, once an item. So
 * what stays readable until it's read doesn't make items without end.
 */
#include "op.h"
#include "origin.h"

typedef struct source {
  uvow__origin_t origin; /* first */
  uv_poll_t handle;
  uvow__closing_t closing;
  uvow__task_t task; /* it's gone, and was never open */
  int events;        /* 0: it isn't open */
} source_t;

static source_t *source_of(uvow__origin_t *origin) {
  return (source_t *)(void *)origin;
}

static void run_gone(uvow__task_t *task) {
  uvow__origin_gone(&UVOW__CONTAINER(task, source_t, task)->origin);
}

static void stop(uvow__origin_t *origin) {
  source_t *source = source_of(origin);
  if (source->events)
    uvow__loop_close_handle(origin->loop, (uv_handle_t *)&source->handle,
                            uvow__origin_on_closed, &source->closing);
  else
    uvow__runtime_push(&origin->loop->rt, &source->task);
}

static void on_event(uv_poll_t *handle, int status, int events) {
  source_t *source = (source_t *)handle->data;
  uvow_stream_t *stream = source->origin.stream;
  uvow__runtime_t *rt = &source->origin.loop->rt;
  uvow__runtime_enter(rt);
  (void)uv_poll_stop(handle);
  if (status < 0)
    uvow__origin_fail(&source->origin, "poll", status);
  else if (!uvow__stream_has_room(stream)) /* the ask was canceled */
    stream->flags |= UVOW__STREAM_PAUSED;
  else if (uvow__origin_put(&source->origin, uvow_value_int64(events)) == 0 &&
           !source->origin.stopped)
    (void)uv_poll_start(handle, source->events, on_event);
  uvow__runtime_leave(rt);
}

static void resume(uvow__origin_t *origin) {
  source_t *source = source_of(origin);
  if (source->events)
    (void)uv_poll_start(&source->handle, source->events, on_event);
}

static const uvow__origin_ops_t ops = {resume, stop, NULL};

uvow_stream_t *uvow_poll(uvow_loop_t *loop, uv_os_sock_t fd, int events) {
  const int known = UV_READABLE | UV_WRITABLE | UV_DISCONNECT | UV_PRIORITIZED;
  source_t *source = (source_t *)(void *)uvow__origin_new(
      loop, sizeof(*source), &ops, NULL, "a descriptor");
  if (!source)
    return NULL;
  uvow_stream_t *stream = source->origin.stream;
  uvow__task_init(&source->task, run_gone);
  int rc = UVOW_EINVAL;
  if (events && (events & ~known) == 0)
    rc = uv_poll_init_socket(loop->uv, &source->handle, fd);
  source->handle.data = source;
  if (rc)
    uvow__origin_fail(&source->origin, "poll", rc);
  else
    source->events = events;
  return stream;
}
