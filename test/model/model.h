#ifndef UVOW_TEST_MODEL_H
#define UVOW_TEST_MODEL_H

#include "support/turn.h"

#include <uvow/combine.h>
#include <uvow/stream.h>

#include "sim/random.h"

/*
 * Random calls of all of the public API of futures and streams, from outside, from every
 * callback and from every destructor, against a model of what must come of
 * them. One seed is one world.
 *
 * 1. No callback and no destructor runs within a call of the library's, but a
 *    destructor as the last act of a call that failed, or of a clear.
 * 2. Each callback runs at most once; a cleanup and a `done` that were attached
 *    run exactly once, but in worlds where promises are let go of unsettled; an
 *    on_cancel never runs once its promise is used up.
 * 3. Each destructor runs exactly once, after its callback.
 * 4. A future's reactions see how it was settled, and run in the order in which
 *    they were attached, wherever that was.
 * 5. At the end every value is destroyed, no block is allocated, and the loop
 *    has released its memory.
 * 6. The next item waits for the future that the last one's callback answered
 *    with; items of a sink come in its order to whoever reads them alone, and
 *    none behind the end, which comes once.
 */

#define MODEL_HANDLES 24
#define MODEL_STREAMS 10
#define MODEL_SINKS 6
#define MODEL_PROMISES 16
#define MODEL_KEPT 8
#define MODEL_COOKIES 4096
#define MODEL_ITEMS 2048
#define MODEL_IDS 8192

/* What a future that the world knows by name was settled with. */
typedef struct model_fate {
  int known;
  int code; /* 0: fulfilled */
  int64_t number;
} model_fate_t;

typedef enum model_kind {
  MODEL_THEN,
  MODEL_FINALLY,
  MODEL_DONE,
  MODEL_CANCEL,
  MODEL_OWN, /* no callback: data of a future */
  MODEL_RETRY,
  MODEL_EACH
} model_kind_t;

/* The data of a callback. */
typedef struct model_cookie {
  struct model *model;
  model_kind_t kind;
  int attached;    /* the call took it */
  int calls;       /* of the callback */
  int destroyed;   /* -1: it has no destructor */
  int withdrawn;   /* an on_cancel whose promise was used up */
  unsigned source; /* id of the future that it was attached to; 0: unknown */
  unsigned order;  /* among those of this source */
  /* Of MODEL_EACH; its source is a sink's origin. */
  uvow_future_t *inner; /* what its callback has answered */
  int over;             /* its stream has ended */
} model_cookie_t;

typedef struct model_item {
  turn_item_t item;
  struct model *model;
} model_item_t;

typedef struct model_handle {
  uvow_future_t *f;
  unsigned id;
} model_handle_t;

typedef struct model_promise {
  uvow_promise_t *p;
  unsigned id;
  model_cookie_t *cookie; /* of its on_cancel, or NULL */
} model_promise_t;

typedef struct model_stream {
  uvow_stream_t *s;
  unsigned origin; /* the sink whose items come in order; 0: none */
} model_stream_t;

typedef struct model_sink {
  uvow_sink_t *sink;
  unsigned origin;
  uint32_t pushed;
  model_cookie_t *cookie; /* of its on_cancel, or NULL */
} model_sink_t;

typedef struct model {
  turn_t turn;
  test_alloc_t alloc;
  sim_random_t random;
  uint64_t seed;
  int verbose;
  unsigned steps_left; /* acts of callbacks and steps together */
  unsigned depth;      /* of acts within acts */
  unsigned in_call;    /* calls of the library's that are on the stack */
  unsigned sync;       /* destructors that ran within a call */
  int closing;
  int closed;
  int failing; /* the allocator may fail in this world */
  int loose;   /* promises may be let go of without settling */
  model_handle_t handles[MODEL_HANDLES];
  model_promise_t promises[MODEL_PROMISES];
  uvow_value_t kept[MODEL_KEPT];
  model_cookie_t cookies[MODEL_COOKIES];
  size_t cookie_count;
  model_item_t items[MODEL_ITEMS];
  size_t item_count;
  model_fate_t fates[MODEL_IDS];
  unsigned attached[MODEL_IDS]; /* how many reactions an id has had */
  unsigned told[MODEL_IDS];     /* the order of the last that ran */
  unsigned id_count;
  model_stream_t streams[MODEL_STREAMS];
  model_sink_t sinks[MODEL_SINKS];
  unsigned origins;
  int streaming; /* there are streams in this world */
} model_t;

/* Ends the program: says the seed and what is wrong. */
void model_fail(model_t *m, const char *format, ...);
void model_note(model_t *m, const char *format, ...);

/* One random act. */
void model_act(model_t *m);
/* Keeps a new future where an old one was; takes one from there. */
void model_hold(model_t *m, uvow_future_t *f);
uvow_future_t *model_take(model_t *m);
/* streams.c */
void model_act_on_streams(model_t *m);
void model_drop_streams(model_t *m);
/* A few, from within a callback; none if there were too many. */
void model_acts(model_t *m);
/* Lets go of all that the world holds. */
void model_drop_all(model_t *m);
/* The loop closes, if it hasn't. */
void model_close(model_t *m);

/* Around each call of the library's. What call returns goes to return. */
static inline unsigned model_call(model_t *m) {
  m->in_call++;
  return m->sync;
}
/* failed: it may have destroyed what it was given. */
void model_return(model_t *m, unsigned before, const char *what, int failed);

/* Whether nothing is queued any more, as the loop is closed: what a stream tells
 * then is told at once. */
static inline int model_is_done(const model_t *m) {
  return m->turn.rt.closed == UVOW__RUNTIME_DONE;
}

/* model_calls.c: what the library is given. */
uvow_value_t model_value(model_t *m);
uvow_next_t model_next(model_t *m, const uvow_result_t *result);
model_cookie_t *model_cookie(model_t *m, model_kind_t kind, model_handle_t of);
/* A callback runs. */
void model_enter(model_cookie_t *cookie, const char *what);
uvow_next_t model_then(const uvow_result_t *result, void *cookie);
uvow_next_t model_finally(void *cookie);
void model_done(const uvow_result_t *result, void *cookie);
void model_cancel(void *cookie);
uvow_future_t *model_retry(uint32_t attempt, void *cookie);
void model_destroy(void *cookie);
/* Every callback and destructor has run as often as it must. */
void model_check_all(model_t *m);

#endif
