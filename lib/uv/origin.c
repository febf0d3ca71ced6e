/*
 * Where streams come from: the life that all of them share.
 *
 *   new -> put, put, ... -> (end | fail | let go | the loop closes)
 *       -> stop -> libuv lets go -> gone
 *
 * The stream's sink is out until libuv has let go: so uvow_stream_close waits
 * for that.
 */
#include "origin.h"

#include <string.h>

#include "base/own.h"
#include "future/fail.h"
#include "op.h"

static void stop(uvow__origin_t *origin) {
  if (origin->stopped)
    return;
  origin->stopped = 1;
  origin->ops->stop(origin);
}

static uvow__origin_t *origin_of(const uvow_stream_t *stream) {
  return (uvow__origin_t *)stream->source;
}

static void on_resume(uvow_stream_t *stream) {
  uvow__origin_t *origin = origin_of(stream);
  if (origin->ops->resume && !origin->stopped)
    origin->ops->resume(origin);
}

static void on_let_go(uvow_stream_t *stream) {
  stop(origin_of(stream));
}

static const uvow__source_ops_t ops_of_all = {on_resume, on_let_go};

uvow__origin_t *uvow__origin_of(const uvow_stream_t *stream,
                                const uvow__origin_ops_t *ops) {
  if (stream->ops != &ops_of_all || !(stream->flags & UVOW__SINK_OUT) ||
      origin_of(stream)->ops != ops)
    return NULL;
  return origin_of(stream);
}

static void on_loop_close(uvow__resident_t *resident) {
  uvow__origin_t *origin = UVOW__CONTAINER(resident, uvow__origin_t, resident);
  if (origin->stopped && origin->ops->on_loop_close)
    origin->ops->on_loop_close(origin);
  uvow__stream_fail_code(origin->stream, UVOW_ECLOSED);
  stop(origin);
}

uvow__origin_t *uvow__origin_new(uvow_loop_t *loop, size_t size,
                                 const uvow__origin_ops_t *ops,
                                 const uvow_stream_options_t *options,
                                 const char *name) {
  if (!loop || loop->closing)
    return (uvow__origin_t *)uvow__refuse(loop, UVOW_ECLOSED, uvow__fail_closed,
                                          NULL);
  uvow__origin_t *origin = (uvow__origin_t *)uvow__calloc(&loop->rt.mem, size);
  if (!origin)
    return NULL;
  origin->name = uvow__strndup(&loop->rt.mem, name, strlen(name));
  if (origin->name)
    origin->stream = uvow__stream_new(&loop->rt, sizeof(uvow_stream_t),
                                      &ops_of_all, options);
  if (!origin->stream) {
    uvow__free(&loop->rt.mem, origin->name);
    uvow__free(&loop->rt.mem, origin);
    return NULL;
  }
  origin->stream->source = origin;
  origin->ops = ops;
  origin->loop = loop;
  origin->resident.on_loop_close = on_loop_close;
  uvow__loop_enroll(loop, &origin->resident);
  uvow__loop_stream_opened(loop);
  return origin;
}

void uvow__origin_gone(uvow__origin_t *origin) {
  uvow_loop_t *loop = origin->loop;
  uvow__runtime_enter(&loop->rt);
  uvow__stream_sink_gone(origin->stream);
  uvow__loop_depart(loop, &origin->resident);
  uvow__free(&loop->rt.mem, origin->name);
  uvow__free(&loop->rt.mem, origin);
  uvow__runtime_leave(&loop->rt);
  uvow__loop_stream_closed(loop);
  uvow__loop_unpin(loop);
}

void uvow__origin_on_closed(uv_handle_t *handle) {
  uvow__origin_gone((uvow__origin_t *)handle->data);
}

int uvow__origin_put(uvow__origin_t *origin, uvow_value_t value) {
  int rc = uvow__stream_put_value(origin->stream, value);
  if (rc == UVOW_ENOMEM)
    uvow__origin_fail(origin, "read", rc);
  return rc;
}

/* A name, and what kind of thing it is: a type of bytes of its own. */
typedef struct named {
  const char *ptr; /* it and len first */
  size_t len;
  uvow__mem_t mem;
  size_t refs;
  int kind;
} named_t;

static void named_ref(void *ptr) {
  ((named_t *)ptr)->refs++;
}

static void named_destroy(void *ptr) {
  named_t *named = (named_t *)ptr;
  uvow__mem_t mem = named->mem;
  if (--named->refs == 0)
    uvow__free(&mem, named);
}

static const uvow_type_t type_named = {
    sizeof(uvow_type_t), uvow__own_names.bytes, named_ref, named_destroy};

int uvow__origin_put_name(uvow__origin_t *origin, const char *name, int kind) {
  const uvow__mem_t *mem = &origin->loop->rt.mem;
  size_t len = strlen(name);
  named_t *named = (named_t *)uvow__malloc(mem, sizeof(*named) + len + 1);
  if (!named) {
    uvow__origin_fail(origin, "read", UVOW_ENOMEM);
    return UVOW_ENOMEM;
  }
  named->ptr = (const char *)(named + 1);
  named->len = len;
  named->mem = *mem;
  named->refs = 1;
  named->kind = kind;
  memcpy(named + 1, name, len + 1);
  return uvow__origin_put(origin, uvow_value_ptr(&type_named, named));
}

int uvow_result_kind(const uvow_result_t *item) {
  void *ptr;
  if (!item || item->error ||
      uvow_value_get_ptr(&item->value, &type_named, &ptr))
    return 0;
  return ((named_t *)ptr)->kind;
}

void uvow__origin_end(uvow__origin_t *origin) {
  uvow__stream_end(origin->stream, uvow_value_none());
  stop(origin);
}

void uvow__origin_fail(uvow__origin_t *origin, const char *what, int code) {
  uvow__stream_fail(origin->stream, uvow__op_error(&origin->loop->rt.mem, what,
                                                   code, origin->name));
  stop(origin);
}

void uvow__origin_leave(uvow_stream_t *out, int code, const char *what,
                        const char *name) {
  if (code == 0) {
    uvow__stream_read(out);
    uvow__stream_leave(out);
    return;
  }
  if (uvow__gate_awaited(&out->flushed)) {
    uvow_error_t *error = uvow__op_error(&out->rt->mem, what, code, name);
    uvow__gate_fail(&out->flushed, error);
    uvow_error_unref(error);
  }
  uvow__stream_let_go(out, code);
  uvow__stream_leave(out);
}
