/* A directory's entries as a stream. Those that find no room stay where readdir
 * has put them. */
#include "op.h"
#include "reader.h"

#define ENTRIES 32

typedef struct source {
  uvow__reader_t reader; /* first */
  uv_dir_t *dir;
  size_t at; /* the next entry */
  size_t count;
  uv_dirent_t entries[ENTRIES];
} source_t;

static source_t *source_of(uvow__reader_t *reader) {
  return (source_t *)(void *)reader;
}

static void opened(uvow__reader_t *reader, const uv_fs_t *req) {
  source_of(reader)->dir = (uv_dir_t *)req->ptr;
}

static int read_entries(uvow__reader_t *reader) {
  source_t *source = source_of(reader);
  source->dir->dirents = source->entries;
  source->dir->nentries = ENTRIES;
  return uv_fs_readdir(reader->origin.loop->uv, &reader->req, source->dir,
                       uvow__reader_on_read);
}

/* Whether an entry is wanted; if not, put_rest is called once one is. */
static int is_wanted(uvow__reader_t *reader) {
  uvow_stream_t *stream = reader->origin.stream;
  if (reader->origin.stopped || uvow__stream_has_room(stream))
    return !reader->origin.stopped;
  stream->flags |= UVOW__STREAM_PAUSED;
  return 0;
}

/* Its names live until the request is cleaned up. */
static int put_rest(uvow__reader_t *reader) {
  source_t *source = source_of(reader);
  while (source->at < source->count && is_wanted(reader)) {
    const uv_dirent_t *entry = &source->entries[source->at++];
    (void)uvow__origin_put_name(&reader->origin, entry->name, (int)entry->type);
  }
  if (source->at < source->count)
    return 0;
  uv_fs_req_cleanup(&reader->req);
  source->count = 0;
  return 1;
}

static int take(uvow__reader_t *reader, int64_t result) {
  source_t *source = source_of(reader);
  source->at = 0;
  source->count = result > 0 ? (size_t)result : 0;
  if (source->count)
    return put_rest(reader);
  uv_fs_req_cleanup(&reader->req);
  if (!reader->origin.stopped && result < 0)
    uvow__origin_fail(&reader->origin, reader->ops->read_call, (int)result);
  else if (!reader->origin.stopped)
    uvow__origin_end(&reader->origin);
  return 0;
}

static int close_dir(uvow__reader_t *reader) {
  source_t *source = source_of(reader);
  if (source->count) /* entries that nobody wanted */
    uv_fs_req_cleanup(&reader->req);
  return uv_fs_closedir(reader->origin.loop->uv, &reader->req, source->dir,
                        uvow__reader_on_closed);
}

static const uvow__reader_ops_t ops = {"scan", "scan",   opened,   read_entries,
                                       take,   put_rest, close_dir};

uvow_stream_t *uvow_fs_scandir(uvow_loop_t *loop, const char *path) {
  static const uvow_stream_options_t bounds = {sizeof(bounds), 4 * ENTRIES, 0,
                                               UVOW_FULL_WAIT, 0};
  source_t *source = (source_t *)(void *)uvow__reader_new(
      loop, sizeof(source_t), &ops, &bounds, path ? path : "NULL");
  if (!source)
    return NULL;
  return uvow__reader_begun(&source->reader,
                            path ? uv_fs_opendir(loop->uv, &source->reader.req,
                                                 path, uvow__reader_on_opened)
                                 : UVOW_EINVAL);
}
