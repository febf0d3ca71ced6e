/*
 * Requests for files as the source of a stream.
 *
 *   (open) -> read -> take -> as there is room: read -> ... -> end -> (close)
 *
 * 1. One request is under way at a time; what has to end waits for it. So what
 *    is opened too late is closed.
 * 2. A put may end all: what to do next is decided behind it, in go_on.
 */
#include "reader.h"

static uvow__reader_t *reader_of(uvow__origin_t *origin) {
  return (uvow__reader_t *)(void *)origin;
}

static void run_gone(uvow__task_t *task) {
  uvow__origin_gone(&UVOW__CONTAINER(task, uvow__reader_t, task)->origin);
}

void uvow__reader_on_closed(uv_fs_t *req) {
  uvow__reader_t *reader = UVOW__CONTAINER(req, uvow__reader_t, req);
  uv_fs_req_cleanup(req);
  uvow__origin_gone(&reader->origin);
}

/* Nothing is under way. */
static void close_it(uvow__reader_t *reader) {
  uvow__task_cancel(&reader->task);
  if (reader->is_open && reader->ops->close(reader) == 0)
    return;
  reader->task.run = run_gone;
  uvow__runtime_push(&reader->origin.loop->rt, &reader->task);
}

static void stop(uvow__origin_t *origin) {
  uvow__reader_t *reader = reader_of(origin);
  if (reader->busy)
    (void)uv_cancel((uv_req_t *)&reader->req);
  else if (!reader->giving)
    close_it(reader);
}

static void read_next(uvow__reader_t *reader) {
  int rc = reader->ops->read(reader);
  reader->busy = rc == 0;
  if (rc)
    uvow__origin_fail(&reader->origin, reader->ops->read_call, rc);
}

static void go_on(uvow__reader_t *reader, int wanted) {
  reader->giving = 0;
  if (reader->origin.stopped)
    close_it(reader);
  else if (wanted)
    read_next(reader);
}

void uvow__reader_on_read(uv_fs_t *req) {
  uvow__reader_t *reader = UVOW__CONTAINER(req, uvow__reader_t, req);
  uvow__runtime_t *rt = &reader->origin.loop->rt;
  uvow__runtime_enter(rt);
  reader->busy = 0;
  reader->giving = 1;
  go_on(reader, reader->ops->take(reader, req->result));
  uvow__runtime_leave(rt);
}

static void run_resume(uvow__task_t *task) {
  uvow__reader_t *reader = UVOW__CONTAINER(task, uvow__reader_t, task);
  reader->giving = 1;
  go_on(reader, reader->ops->put_rest ? reader->ops->put_rest(reader) : 1);
}

static void resume(uvow__origin_t *origin) {
  uvow__reader_t *reader = reader_of(origin);
  if (reader->is_open && !reader->busy && !reader->giving &&
      !uvow__task_queued(&reader->task))
    uvow__runtime_push(&origin->loop->rt, &reader->task);
}

void uvow__reader_on_opened(uv_fs_t *req) {
  uvow__reader_t *reader = UVOW__CONTAINER(req, uvow__reader_t, req);
  uvow__runtime_t *rt = &reader->origin.loop->rt;
  int rc = (int)req->result;
  uvow__runtime_enter(rt);
  reader->busy = 0;
  reader->is_open = rc >= 0;
  if (reader->is_open)
    reader->ops->opened(reader, req);
  uv_fs_req_cleanup(req);
  if (rc < 0 && !reader->origin.stopped)
    uvow__origin_fail(&reader->origin, reader->ops->open_call, rc);
  else
    go_on(reader, 1);
  uvow__runtime_leave(rt);
}

static const uvow__origin_ops_t ops_of_all = {resume, stop, NULL};

uvow__reader_t *uvow__reader_new(uvow_loop_t *loop, size_t size,
                                 const uvow__reader_ops_t *ops,
                                 const uvow_stream_options_t *bounds,
                                 const char *name) {
  uvow__reader_t *reader = (uvow__reader_t *)(void *)uvow__origin_new(
      loop, size, &ops_of_all, bounds, name);
  if (!reader)
    return NULL;
  reader->ops = ops;
  uvow__task_init(&reader->task, run_resume);
  return reader;
}

uvow_stream_t *uvow__reader_begun(uvow__reader_t *reader, int rc) {
  uvow_stream_t *stream = reader->origin.stream;
  reader->busy = rc == 0;
  if (rc)
    uvow__origin_fail(&reader->origin, reader->ops->open_call, rc);
  return stream;
}

uvow_stream_t *uvow__reader_is_open(uvow__reader_t *reader) {
  uvow_stream_t *stream = reader->origin.stream;
  reader->is_open = 1;
  read_next(reader);
  return stream;
}
