/* Messages that wait: one buffer, a small header before each. */
#include "backlog.h"

#include <string.h>

#define KEEP 4096 /* bytes of capacity that an empty one keeps */

typedef struct head {
  uint64_t id;
  size_t len;
} head_t;

void uvow__backlog_init(uvow__backlog_t *backlog, const uvow__mem_t *mem,
                        size_t max_bytes) {
  uvow__buf_init(&backlog->buf, mem, max_bytes);
}

void uvow__backlog_done(uvow__backlog_t *backlog) {
  uvow__buf_done(&backlog->buf);
}

int uvow__backlog_push(uvow__backlog_t *backlog, uint64_t id,
                       uvow__slice_t text) {
  head_t head = {0};
  size_t size;
  int rc = uvow__size_add(sizeof(head), text.len, &size);
  if (rc == 0)
    rc = uvow__buf_reserve(&backlog->buf, size);
  if (rc)
    return rc;
  head.id = id;
  head.len = text.len;
  uvow__buf_append(&backlog->buf, &head, sizeof(head));
  return uvow__buf_append(&backlog->buf, text.ptr, text.len);
}

uint64_t uvow__backlog_first(uvow__backlog_t *backlog,
                             uvow__slice_t *ret_text) {
  head_t head;
  const uint8_t *front = uvow__buf_front(&backlog->buf);
  memcpy(&head, front, sizeof(head));
  ret_text->ptr = (const char *)front + sizeof(head);
  ret_text->len = head.len;
  return head.id;
}

int uvow__backlog_next(const uvow__backlog_t *backlog, size_t *at,
                       uint64_t *ret_id, uvow__slice_t *ret_text) {
  const uvow__buf_t *buf = &backlog->buf;
  head_t head;
  if (*at >= uvow__buf_size(buf))
    return 0;
  const uint8_t *front = buf->data + buf->off + *at;
  memcpy(&head, front, sizeof(head));
  *ret_id = head.id;
  ret_text->ptr = (const char *)front + sizeof(head);
  ret_text->len = head.len;
  *at += sizeof(head) + head.len;
  return 1;
}

void uvow__backlog_pop(uvow__backlog_t *backlog) {
  head_t head;
  memcpy(&head, uvow__buf_front(&backlog->buf), sizeof(head));
  uvow__buf_consume(&backlog->buf, sizeof(head) + head.len);
  if (uvow__backlog_empty(backlog))
    uvow__buf_clear(&backlog->buf, KEEP);
}

void uvow__backlog_sift(uvow__backlog_t *backlog,
                        int (*keep)(uint64_t id, void *data), void *data) {
  uvow__buf_t *buf = &backlog->buf;
  size_t to = buf->off;
  for (size_t at = buf->off, size; at < buf->len; at += size) {
    head_t head;
    memcpy(&head, buf->data + at, sizeof(head));
    size = sizeof(head) + head.len;
    if (!keep(head.id, data))
      continue;
    if (to != at)
      memmove(buf->data + to, buf->data + at, size);
    to += size;
  }
  buf->len = to;
}

void uvow__backlog_clear(uvow__backlog_t *backlog) {
  uvow__buf_clear(&backlog->buf, 0);
}

int uvow__backlog_prepend(uvow__backlog_t *backlog, uvow__backlog_t *front) {
  uvow__buf_t rest = backlog->buf;
  int rc = uvow__buf_append(&front->buf, uvow__buf_front(&rest),
                            uvow__buf_size(&rest));
  if (rc)
    return rc;
  front->buf.max = rest.max;
  backlog->buf = front->buf;
  front->buf = rest;
  uvow__backlog_clear(front);
  return 0;
}
