/*
 * lines: a stream of bytes in lines.
 *
 * 1. A line that lies in one piece of bytes is a slice of it: nothing is
 * copied. What lies in several is gathered in `part`.
 * 2. LF ends a line, and a CR before it belongs to the end. What follows the
 *    last LF is a line, if it isn't empty.
 */
#include "stream_stage.h"

#include <string.h>

#include "bytes.h"

typedef struct lines {
  uvow__stage_t stage;
  uvow_value_t piece; /* owned: where `rest` is */
  uvow__slice_t rest; /* of it, still to be read */
  uvow__buf_t part;   /* the beginning of a line */
  size_t max;
} lines_t;

static void lines_done(uvow__stage_t *stage) {
  lines_t *lines = (lines_t *)(void *)stage;
  uvow_value_t piece = lines->piece;
  lines->piece = uvow_value_none();
  lines->rest.len = 0;
  uvow__buf_done(&lines->part);
  uvow__value_release_later(stage->out.rt, piece);
}

static void emit_line(lines_t *lines, uvow__bytes_t *bytes) {
  uvow__item_t item = {{NULL, {NULL}}, 0, 0};
  if (!bytes) {
    uvow__stage_fail_code(&lines->stage, UVOW_ENOMEM);
    return;
  }
  item.missed = uvow__stage_take_gap(&lines->stage);
  item.value = uvow__bytes_value(bytes);
  uvow__stage_emit(&lines->stage, &item);
}

static size_t without_cr(const char *ptr, size_t len) {
  return len && ptr[len - 1] == '\r' ? len - 1 : len;
}

/* A copy: of what was gathered, or of text that isn't bytes. */
static uvow__bytes_t *copy(lines_t *lines, const char *ptr, size_t len) {
  uvow__bytes_t *bytes = uvow__bytes_new(lines->stage.out.rt, len);
  if (bytes && len)
    memcpy(uvow__bytes_room(bytes), ptr, len);
  return bytes;
}

static uvow__bytes_t *part_line(lines_t *lines) {
  const char *ptr = (const char *)uvow__buf_front(&lines->part);
  size_t len = uvow__buf_size(&lines->part);
  uvow__bytes_t *bytes = copy(lines, ptr, len ? without_cr(ptr, len) : 0);
  uvow__buf_consume(&lines->part, len);
  return bytes;
}

/* The beginning of a line, whose end is to come. Returns 0, or an error. */
static int gather(lines_t *lines, size_t len) {
  int rc = uvow__buf_append(&lines->part, lines->rest.ptr, len);
  lines->rest.ptr += len;
  lines->rest.len -= len;
  return rc;
}

/* The rest has a line's end at `len`. */
static void end_line(lines_t *lines, size_t len) {
  const char *ptr = lines->rest.ptr;
  uvow__bytes_t *whole = uvow__value_bytes(&lines->piece);
  uvow__bytes_t *line;
  if (uvow__buf_size(&lines->part)) {
    int rc = gather(lines, len);
    if (rc) {
      uvow__stage_fail_code(&lines->stage,
                            rc == UVOW_EOVERLOAD ? UVOW_ETOOBIG : rc);
      return;
    }
    line = part_line(lines);
  } else {
    lines->rest.ptr += len;
    lines->rest.len -= len;
    if (len > lines->max) {
      uvow__stage_fail_code(&lines->stage, UVOW_ETOOBIG);
      return;
    }
    len = without_cr(ptr, len);
    line = whole ? uvow__bytes_slice(whole, ptr, len) : copy(lines, ptr, len);
  }
  lines->rest.ptr++;
  lines->rest.len--;
  emit_line(lines, line);
}

/* Takes the next piece of bytes. Whether there is one. */
static int next_piece(lines_t *lines) {
  uvow__stage_t *stage = &lines->stage;
  uvow__item_t item;
  int got = uvow__stage_try_pull(stage, &item);
  if (got < 0 && stage->up->end->state == UVOW_FULFILLED &&
      uvow__buf_size(&lines->part))
    emit_line(lines, part_line(lines));
  else if (got < 0)
    uvow__stage_end_as_up(stage);
  if (got <= 0)
    return 0;
  uvow__value_release_later(stage->out.rt, lines->piece);
  lines->piece = item.value;
  uvow__stage_gap(stage, item.missed);
  if (item.is_gap || uvow__value_slice(&item.value, &lines->rest) == 0)
    return 1;
  if (item.value.type == &uvow__type_error)
    uvow__stage_fail(stage,
                     uvow_error_ref((const uvow_error_t *)item.value.as.ptr));
  else
    uvow__stage_fail_code(stage, UVOW_ETYPE);
  return 0;
}

static void lines_step(uvow__stage_t *stage) {
  lines_t *lines = (lines_t *)(void *)stage;
  const char *end = NULL;
  if (!uvow__stage_is_asked(stage))
    return;
  if (lines->rest.len == 0 && !next_piece(lines))
    return;
  if (lines->rest.len)
    end = (const char *)memchr(lines->rest.ptr, '\n', lines->rest.len);
  if (end) {
    end_line(lines, (size_t)(end - lines->rest.ptr));
    return;
  }
  int rc = gather(lines, lines->rest.len);
  if (rc)
    uvow__stage_fail_code(stage, rc == UVOW_EOVERLOAD ? UVOW_ETOOBIG : rc);
  else
    uvow__stage_queue(stage);
}

uvow_stream_t *uvow_stream_lines(uvow_stream_t *s, size_t max_bytes) {
  lines_t *lines =
      (lines_t *)(void *)uvow__stage_new(s, sizeof(lines_t), lines_step);
  if (!lines)
    return NULL;
  lines->stage.done = lines_done;
  lines->max = max_bytes;
  uvow__buf_init(&lines->part, &lines->stage.out.rt->mem, max_bytes);
  return &lines->stage.out;
}
