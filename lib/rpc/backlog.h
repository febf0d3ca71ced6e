#ifndef UVOW__BACKLOG_H
#define UVOW__BACKLOG_H

#include "base/buf.h"

/* Messages that wait to be sent, in order, each with the id of its request (0:
 * of none). */
typedef struct uvow__backlog {
  uvow__buf_t buf;
} uvow__backlog_t;

/* Takes no memory before the first message. max_bytes: of all that wait. */
void uvow__backlog_init(uvow__backlog_t *backlog, const uvow__mem_t *mem,
                        size_t max_bytes);
void uvow__backlog_done(uvow__backlog_t *backlog);

static inline int uvow__backlog_empty(const uvow__backlog_t *backlog) {
  return uvow__buf_size(&backlog->buf) == 0;
}
/* Appends a copy. Returns 0; UVOW_EOVERLOAD: over max_bytes; UVOW_ENOMEM. */
int uvow__backlog_push(uvow__backlog_t *backlog, uint64_t id,
                       uvow__slice_t text);
/* The first message: borrowed until the next call. There is one. */
uint64_t uvow__backlog_first(uvow__backlog_t *backlog, uvow__slice_t *ret_text);
/* The same of any: *at is 0 for the first one, and then where the next one is.
 * Returns 0: there are no more. */
int uvow__backlog_next(const uvow__backlog_t *backlog, size_t *at,
                       uint64_t *ret_id, uvow__slice_t *ret_text);
/* Takes it away. */
void uvow__backlog_pop(uvow__backlog_t *backlog);
/* Takes away those that `keep` returns 0 for. */
void uvow__backlog_sift(uvow__backlog_t *backlog,
                        int (*keep)(uint64_t id, void *data), void *data);
/* Empties it, and frees its memory. */
void uvow__backlog_clear(uvow__backlog_t *backlog);
/* Puts all of `front` before all of `backlog`, and empties it. Errors as push;
 * then nothing has changed. */
int uvow__backlog_prepend(uvow__backlog_t *backlog, uvow__backlog_t *front);

#endif
