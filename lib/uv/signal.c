/* Signals, and changes of files: handles that only tell. */
#include "op.h"
#include "origin.h"

/* Neither can wait: what finds no room is counted in what follows. */
static const uvow_stream_options_t bounds = {sizeof(bounds), 0, 0,
                                             UVOW_FULL_DROP_OLDEST, 0};

typedef struct source {
  uvow__origin_t origin; /* first */
  union {
    uv_handle_t base;
    uv_signal_t signal;
    uv_fs_event_t event;
    uv_fs_poll_t poll;
  } handle;
  uvow__closing_t closing;
} source_t;

static void stop(uvow__origin_t *origin) {
  source_t *source = (source_t *)(void *)origin;
  uvow__loop_close_handle(origin->loop, &source->handle.base,
                          uvow__origin_on_closed, &source->closing);
}

static const uvow__origin_ops_t ops = {NULL, stop, NULL};

static source_t *source_new(uvow_loop_t *loop, const char *name) {
  return (source_t *)(void *)uvow__origin_new(loop, sizeof(source_t), &ops,
                                              &bounds, name);
}

/* libuv's inits of these fail on no system that it's built for. */
static uvow_stream_t *begun(source_t *source, const char *what, int rc) {
  uvow_stream_t *stream = source->origin.stream;
  if (rc)
    uvow__origin_fail(&source->origin, what, rc);
  return stream;
}

static void on_signal(uv_signal_t *handle, int signum) {
  source_t *source = (source_t *)handle->data;
  uvow__runtime_t *rt = &source->origin.loop->rt;
  uvow__runtime_enter(rt);
  (void)uvow__origin_put(&source->origin, uvow_value_int64(signum));
  uvow__runtime_leave(rt);
}

uvow_stream_t *uvow_signal(uvow_loop_t *loop, int signum) {
  source_t *source = source_new(loop, "");
  if (!source)
    return NULL;
  (void)uv_signal_init(loop->uv, &source->handle.signal);
  source->handle.base.data = source;
  uv_unref(&source->handle.base);
  return begun(source, "watch a signal",
               uv_signal_start(&source->handle.signal, on_signal, signum));
}

static void on_event(uv_fs_event_t *handle, const char *name, int events,
                     int status) {
  source_t *source = (source_t *)handle->data;
  uvow__runtime_t *rt = &source->origin.loop->rt;
  uvow__runtime_enter(rt);
  if (status)
    uvow__origin_fail(&source->origin, "watch", status);
  else
    (void)uvow__origin_put_name(&source->origin, name ? name : "", events);
  uvow__runtime_leave(rt);
}

static uvow_stream_t *watch(uvow_loop_t *loop, const char *path,
                            unsigned flags) {
  source_t *source = source_new(loop, path ? path : "NULL");
  if (!source)
    return NULL;
  (void)uv_fs_event_init(loop->uv, &source->handle.event);
  source->handle.base.data = source;
  return begun(
      source, "watch",
      path ? uv_fs_event_start(&source->handle.event, on_event, path, flags)
           : UVOW_EINVAL);
}

uvow_stream_t *uvow_fs_watch(uvow_loop_t *loop, const char *path) {
  return watch(loop, path, 0);
}

uvow_stream_t *uvow_fs_watch_tree(uvow_loop_t *loop, const char *path) {
  return watch(loop, path, UV_FS_EVENT_RECURSIVE);
}

static void on_poll(uv_fs_poll_t *handle, int status, const uv_stat_t *before,
                    const uv_stat_t *now) {
  source_t *source = (source_t *)handle->data;
  uvow__runtime_t *rt = &source->origin.loop->rt;
  uvow_value_t value;
  (void)status; /* what isn't there is all zero */
  (void)before;
  uvow__runtime_enter(rt);
  int rc = uvow__stat_value(rt, now, &value);
  if (rc)
    uvow__origin_fail(&source->origin, "watch", rc);
  else
    (void)uvow__origin_put(&source->origin, value);
  uvow__runtime_leave(rt);
}

uvow_stream_t *uvow_fs_poll(uvow_loop_t *loop, const char *path,
                            uint32_t interval_ms) {
  source_t *source = source_new(loop, path ? path : "NULL");
  if (!source)
    return NULL;
  (void)uv_fs_poll_init(loop->uv, &source->handle.poll);
  source->handle.base.data = source;
  return begun(
      source, "watch",
      path && interval_ms
          ? uv_fs_poll_start(&source->handle.poll, on_poll, path, interval_ms)
          : UVOW_EINVAL);
}
