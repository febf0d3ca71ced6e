#ifndef UVOW__STREAM_STAGE_H
#define UVOW__STREAM_STAGE_H

#include "stream_cell.h"

/*
 * A stream that is made of another: lazy, it reads one item of `up` when it is
 * asked for one. It begins with what is common; its own is behind that.
 */
typedef struct uvow__stage {
  uvow_stream_t out;
  uvow__task_t task; /* runs step: when there's something to do, or to read */
  uvow_stream_t *up; /* its handle; NULL: it has left */
  void (*step)(struct uvow__stage *stage);
  void (*done)(struct uvow__stage *stage); /* ends what else it waits for */
  void *data;
  uint64_t missed; /* before what it emits next */
  int stopping;
  size_t waiting; /* sources, other than up's, that are yet to end */
} uvow__stage_t;

/* Takes `up`, which may be NULL; returns the stage, zeroed behind the common
 * part. NULL: no memory. If `up` is read by another, the stage has failed. */
uvow__stage_t *uvow__stage_new(uvow_stream_t *up, size_t size,
                               void (*step)(uvow__stage_t *stage));
/* The same without a stream to read. Options NULL: lazy. */
uvow__stage_t *uvow__stage_new_source(uvow__runtime_t *rt, size_t size,
                                      const uvow_stream_options_t *options,
                                      void (*step)(uvow__stage_t *stage));
/* Runs step soon. */
void uvow__stage_queue(uvow__stage_t *stage);
/* Takes an item of up: 1. 0: there's none yet, and step runs when there is; or
 * it was the end, and the stage has ended as that. */
int uvow__stage_pull(uvow__stage_t *stage, uvow__item_t *ret);
/* The same, but -1 at the end, and the stage goes on. */
int uvow__stage_try_pull(uvow__stage_t *stage, uvow__item_t *ret);
/* As many are missing before what it emits next, or its end. */
static inline void uvow__stage_gap(uvow__stage_t *stage, uint64_t missed) {
  stage->missed = uvow__missed_add(stage->missed, missed);
}
/* Takes how many are missing before what is emitted now. */
static inline uint64_t uvow__stage_take_gap(uvow__stage_t *stage) {
  uint64_t missed = stage->missed;
  stage->missed = 0;
  return missed;
}
/* Adds an item to out, which it takes; step runs if more is wanted. */
void uvow__stage_emit(uvow__stage_t *stage, const uvow__item_t *item);
/* Whether out is asked for an item; if not, step runs when it is. */
static inline int uvow__stage_is_asked(uvow__stage_t *stage) {
  if (uvow__stream_has_room(&stage->out))
    return 1;
  stage->out.flags |= UVOW__STREAM_PAUSED;
  return 0;
}
/* Ends: the stage stops when it has left up. The last that step does. */
void uvow__stage_end(uvow__stage_t *stage, uvow_value_t value);
void uvow__stage_fail(uvow__stage_t *stage, uvow_error_t *error);
void uvow__stage_fail_code(uvow__stage_t *stage, int code);
/* As up has ended. */
void uvow__stage_end_as_up(uvow__stage_t *stage);

#endif
