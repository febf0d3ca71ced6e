#ifndef UVOW__MISUSE_H
#define UVOW__MISUSE_H

#include "future.h"

/*
 * What a program does wrong that can't be told by a code, since it would be too
 * late: a debug build says what it was, and aborts. Others look at nothing.
 */

#ifdef UVOW_DEBUG
/* Says it, and aborts. */
void uvow__misuse(const char *what);

/* A promise is its future's address; in its lowest bits, the block's generation.
 * So one that is used after its future is gone is seen, seven times of eight
 * also where the block is another future's by now. */
uvow_promise_t *uvow__promise_of(uvow_future_t *f);
uvow_future_t *uvow__promise_future(uvow_promise_t *promise);

/* Before a callback: what it is lent. Until it is checked, or NULL is. */
void uvow__lend(const uvow_result_t *result);
/* What is lent to the callback that runs on this thread; NULL: nothing. */
const uvow_result_t *uvow__lent(void);
/* A callback answers with the value that it was lent, and that has one owner. */
void uvow__check_lent(const uvow_result_t *result, const uvow_next_t *next);
/* Who counts the owners of a json_t: this room doesn't know them. */
void uvow__count_json(size_t (*owners)(const void *json));
#else
static inline uvow_promise_t *uvow__promise_of(uvow_future_t *f) {
  return (uvow_promise_t *)(void *)f;
}
static inline uvow_future_t *uvow__promise_future(uvow_promise_t *promise) {
  return (uvow_future_t *)(void *)promise;
}
static inline void uvow__lend(const uvow_result_t *result) {
  (void)result;
}
static inline void uvow__check_lent(const uvow_result_t *result,
                                    const uvow_next_t *next) {
  (void)result;
  (void)next;
}
#endif

#endif
