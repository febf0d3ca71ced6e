#ifndef UVOW__FEED_H
#define UVOW__FEED_H

#include "future/fail.h"
#include "future/stream.h"
#include "payload.h"

/*
 * Streams that share a connection with requests: of events, of partial answers.
 * They never pause it (S4): so their default is to fail when they are full, and
 * none may wait.
 */

/* Their bounds. given: NULL, or what the application asks for. Returns NULL, or
 * a new error, with the bounds set all the same. */
uvow_error_t *uvow__feed_bounds(uvow__runtime_t *rt,
                                const uvow_stream_options_t *given,
                                uvow_stream_options_t *ret);
/* Adds JSON text (ptr NULL: no value) as an item, and the name of its event
 * (or ptr NULL). is_json: it was checked. Without memory the stream fails. */
void uvow__feed_put(uvow_stream_t *stream, uvow__slice_t text,
                    uvow__slice_t name, int is_json);
/* Fails it, and cancels its source. Takes the error. */
void uvow__feed_fail(uvow_stream_t *stream, uvow_error_t *error);
/* The source has ended, and the stream with it: as an error, which it borrows;
 * NULL: in order. let_go: the task of uvow__feed_soon, taken out. */
void uvow__feed_end(uvow_stream_t *stream, const uvow_error_t *error,
                    uvow__task_t *let_go);
/* The task runs soon, unless it is queued already. */
static inline void uvow__feed_soon(uvow_stream_t *stream, uvow__task_t *task) {
  if (!uvow__task_queued(task))
    uvow__stream_soon(stream->rt, task);
}

#endif
