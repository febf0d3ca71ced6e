#ifndef UVOW_TEST_RIG_H
#define UVOW_TEST_RIG_H

#include "turn.h"

#include <uvow/stream.h>

/*
 * A stream through a stage to a reader, for each stage and each reader: items
 * are numbered from 1, and know whether they are destroyed once; what the reader
 * saw is text: "1 2 3 end=9", "1 end!EURL".
 *
 *   rig_start -> rig_make -> rig_read -> rig_push*, rig_run ... -> rig_done
 */
enum { THINGS = 5, MS = 10, NEVER_MS = 1000000 };

/* An item that knows its number, and counts how often it is destroyed. */
typedef struct thing {
  int number;
  int destroyed;
} thing_t;

typedef struct rig rig_t;

/* A stage: how a stream becomes another. */
typedef struct stage {
  const char *name;
  uvow_stream_t *(*make)(rig_t *rig, uvow_stream_t *s);
  unsigned is;
} stage_t;

enum {
  OF_FUTURES = 64, /* a source of its own: an item is a future's result */
  OF_BYTES = 1,    /* it reads text */
  ENDS_BARE = 2,   /* the end's value isn't passed on */
  HAS_CALL = 4,    /* it has a callback */
  DROPS_FAST = 8,  /* what is followed at once is left out */
  DROPS_EVEN = 16,
  IS_COPY = 32 /* has a buffer of its own, not the stream's */
};

/* How the stream is read to its end. */
typedef struct reader {
  const char *name;
  uvow_future_t *(*read)(rig_t *rig, uvow_stream_t *s);
  int gathers; /* items come with the end, which has no value */
} reader_t;

struct rig {
  turn_t turn;
  const stage_t *stage;
  const reader_t *reader;
  uvow_sink_t *sink; /* NULL: used up */
  uvow_stream_t *s;
  uvow_stream_t *out; /* of the stage; an owner */
  uvow_stream_t *aside;
  uvow_future_t *reading;
  uvow_promise_t *later; /* what a callback waits for */
  uvow_value_t kept;
  thing_t things[THINGS];
  int pushed;
  void (*act)(rig_t *rig); /* when the second item is seen */
  int acts_in_stage;       /* seen by the stage's callback */
  int seen[2];
  char log[256];
  uint64_t missed;
  int gaps; /* items of their own */
  int told; /* the source's owner */
  int ends;
  int unheard;  /* whoever would be told of the end had no memory */
  int fails_at; /* the item that a callback rejects */
  int refused;  /* whether a push was */
  int acted;    /* how many were pushed then */
  uvow_promise_t *promises[THINGS];
};

/* With both, nothing made. */
void rig_start(rig_t *rig, const stage_t *stage, const reader_t *reader);
/* The stream and its stage; with fails_at, a map that fails above it, or below.
 * bounds NULL: the defaults. */
void rig_make(rig_t *rig, const uvow_stream_options_t *bounds, int fails_above);
void rig_read(rig_t *rig);
/* The three, with defaults. */
void rig_begin(rig_t *rig, const stage_t *stage, const reader_t *reader);
/* All that can happen, happens; time goes by. */
void rig_run(rig_t *rig);
/* The next item; none after the last. */
void rig_push(rig_t *rig);
/* Each has come before the next. */
void rig_push_slowly(rig_t *rig, int n);
void rig_push_fast(rig_t *rig, int n);
void rig_end(rig_t *rig);
void rig_fail(rig_t *rig);
/* The application's owners of streams go. */
void rig_let_go(rig_t *rig);
/* It gives up all that it has. */
void rig_free(rig_t *rig);
/* Each item is destroyed once. */
void rig_check_items(const rig_t *rig);
/* Frees all; nothing is left. */
void rig_done(rig_t *rig);

/* The items 1 to n have passed, but those that the stage leaves out, and the
 * end. A reader that gathers has no items of a stream that failed, and no value
 * of the end. */
void rig_expect(const rig_t *rig, int n, const char *end);
/* How often the source's owner was told that nobody reads. */
void rig_expect_told(const rig_t *rig, int told);

/* Each stage with each reader. */
void rig_at_all(void (*point)(const stage_t *stage, const reader_t *reader));

#endif
