/* A file's bytes as a stream. */
#include "file_io.h"
#include "op.h"
#include "reader.h"

#define PART ((size_t)64 * 1024)

typedef struct source {
  uvow__reader_t reader; /* first */
  uv_file fd;
  int is_ours;          /* it's to be closed */
  uvow_file_t *file;    /* owned: whose descriptor it is; NULL: nobody's */
  uvow__bytes_t *bytes; /* owned: what is read */
} source_t;

static source_t *source_of(uvow__reader_t *reader) {
  return (source_t *)(void *)reader;
}

static void opened(uvow__reader_t *reader, const uv_fs_t *req) {
  source_of(reader)->fd = (uv_file)req->result;
}

static int read_part(uvow__reader_t *reader) {
  source_t *source = source_of(reader);
  uvow_loop_t *loop = reader->origin.loop;
  source->bytes = uvow__bytes_new(&loop->rt, PART);
  if (!source->bytes)
    return UVOW_ENOMEM;
  uv_buf_t buf = uv_buf_init(uvow__bytes_room(source->bytes), PART);
  int rc = uv_fs_read(loop->uv, &reader->req, source->fd, &buf, 1, -1,
                      uvow__reader_on_read);
  if (rc) {
    uvow__bytes_unref(source->bytes);
    source->bytes = NULL;
  }
  return rc;
}

static int take(uvow__reader_t *reader, int64_t result) {
  uvow__bytes_t *bytes = source_of(reader)->bytes;
  source_of(reader)->bytes = NULL;
  uv_fs_req_cleanup(&reader->req);
  if (result > 0 && !reader->origin.stopped) {
    bytes->len = (size_t)result;
    return uvow__origin_put(&reader->origin, uvow__bytes_value(bytes)) == 0;
  }
  uvow__bytes_unref(bytes);
  if (reader->origin.stopped)
    return 0;
  if (result < 0)
    uvow__origin_fail(&reader->origin, reader->ops->read_call, (int)result);
  else
    uvow__origin_end(&reader->origin);
  return 0;
}

static int close_file(uvow__reader_t *reader) {
  source_t *source = source_of(reader);
  uvow_file_unref(source->file);
  return source->is_ours ? uv_fs_close(reader->origin.loop->uv, &reader->req,
                                       source->fd, uvow__reader_on_closed)
                         : 1;
}

static const uvow__reader_ops_t ops = {"open", "read", opened,    read_part,
                                       take,   NULL,   close_file};

static source_t *source_new(uvow_loop_t *loop, const char *name) {
  static const uvow_stream_options_t bounds = {sizeof(bounds), 0, 4 * PART,
                                               UVOW_FULL_WAIT, 0};
  return (source_t *)(void *)uvow__reader_new(loop, sizeof(source_t), &ops,
                                              &bounds, name);
}

uvow_stream_t *uvow_fs_read_stream(uvow_loop_t *loop, const char *path) {
  source_t *source = source_new(loop, path ? path : "NULL");
  if (!source)
    return NULL;
  source->is_ours = 1;
  return uvow__reader_begun(&source->reader,
                            path ? uv_fs_open(loop->uv, &source->reader.req,
                                              path, UV_FS_O_RDONLY, 0,
                                              uvow__reader_on_opened)
                                 : UVOW_EINVAL);
}

uvow_stream_t *uvow__file_in(uvow_loop_t *loop, uv_file fd, const char *name) {
  source_t *source = source_new(loop, name);
  if (!source)
    return NULL;
  source->fd = fd;
  return uvow__reader_is_open(&source->reader);
}

uvow_stream_t *uvow_file_stream(uvow_file_t *file) {
  uvow_loop_t *loop = uvow__file_loop(file);
  source_t *source = loop ? source_new(loop, uvow_file_path(file)) : NULL;
  if (!source)
    return NULL;
  source->file = uvow_file_ref(file);
  source->fd = uvow_file_fd(file);
  return uvow__reader_is_open(&source->reader);
}
