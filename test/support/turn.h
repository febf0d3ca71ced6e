#ifndef UVOW_TEST_TURN_H
#define UVOW_TEST_TURN_H

#include "support.h"

#include "future/future.h"
#include "future/runtime.h"

/*
 * A runtime without libuv: the test drives its clock and its turns, and reads
 * what happened as text.
 */
typedef struct turn {
  uvow__runtime_t rt; /* first: the uvow_loop_t points to it */
  uvow_loop_t *loop;
  test_alloc_t own_alloc;
  test_alloc_t *alloc;
  uint64_t now_ns;
  unsigned wakes;
  unsigned rests;
  unsigned releases;
  char log[512];       /* what the marks saw, in order: see turn_mark_t */
  char result[64];     /* of turn_result */
  char unhandled[128]; /* codes that were reported: "EINVAL EBROKEN" */
} turn_t;

void turn_init(turn_t *turn);
/* The same with an allocator that outlives it: for sweeps. */
void turn_init_with(turn_t *turn, test_alloc_t *alloc);
/* Turns (enter and leave) until there's nothing left to run or to report. */
void turn_run(turn_t *turn);
/* One turn. */
void turn_once(turn_t *turn);
/* Runs what is left. Then no future may be left, nothing more was logged or
 * reported than the test has expected, and closing gives all memory back. */
void turn_end(turn_t *turn);
/* Runtime close and done. Whatever the caller still owns keeps the memory. */
void turn_close(turn_t *turn);
/* After turn_close, once nothing is owned: it was released, and all freed. */
void turn_assert_released(turn_t *turn);

/* What was logged since the last of these is this text. */
#define turn_expect(turn, text) turn_expect_at(turn, text, __FILE__, __LINE__)
void turn_expect_at(turn_t *turn, const char *text, const char *file, int line);
/* What was reported as unhandled since the last of these. */
#define turn_expect_unhandled(turn, text)                                      \
  turn_expect_unhandled_at(turn, text, __FILE__, __LINE__)
void turn_expect_unhandled_at(turn_t *turn, const char *text, const char *file,
                              int line);

/*
 * The data of a callback that logs its name and what it was given:
 *   "a+" no value, "a+7" an integer, "a+text" another type, "a!EBROKEN" an
 *   error, "a~" as a cleanup, "a^" as on_cancel, "a." as a destructor
 * and then answers `next`, once; after that it passes.
 */
typedef struct turn_mark {
  turn_t *turn;
  const char *name;
  uvow_next_t next;
  void (*act)(
      struct turn_mark *mark); /* within the callback; it may set next */
  /* For act. */
  uvow_future_t *future;
  uvow_promise_t *promise;
  struct turn_mark *other;
  /* Of the last call. */
  uvow_value_t kept; /* with `keep`: what uvow_result_keep gave */
  int keep;
  int calls;
} turn_mark_t;

turn_mark_t turn_mark(turn_t *turn, const char *name);
uvow_next_t turn_then(const uvow_result_t *result, void *mark);
uvow_next_t turn_finally(void *mark);
void turn_done(const uvow_result_t *result, void *mark);
void turn_cancel(void *mark);
void turn_destroy(void *mark);
/* A chain link with both callbacks and the destructor. */
uvow_future_t *turn_chain(uvow_future_t *f, turn_mark_t *mark);
/* How the future ended, as turn_then would log it; "?" if it's pending. */
const char *turn_result(turn_t *turn, uvow_future_t *f);

/* A thing that counts: made, referenced, destroyed. */
typedef struct turn_item {
  int owners;
  int destroyed; /* how often owners became 0 */
} turn_item_t;
extern const uvow_type_t turn_type_counted; /* has ref */
extern const uvow_type_t turn_type_unique;  /* has none */
/* A value that is the item's first owner. */
uvow_value_t turn_item(const uvow_type_t *type, turn_item_t *item);

#endif
