/*
 * Misuse that a debug build finds.
 *
 * 1. A block's generation counts its futures. It stands behind all that a free
 *    block has overwritten, and stays from one future to the next.
 * 2. Blocks are aligned for at least 4 bytes more than the bits that are used:
 *    a pool's blocks are of whole units of 8.
 * 3. What makes a value has no loop at hand, so what is lent is known for each
 *    thread.
 */
#include "misuse.h"

#ifdef UVOW_DEBUG
#include <stdio.h>
#include <stdlib.h>

#include "base/own.h"
#include "bytes.h"
#include "results.h"

#define GENERATIONS 7u

void uvow__misuse(const char *what) {
  fprintf(stderr, "uvow: %s\n", what);
  abort();
}

void uvow__misuse_asked(const char *asked) {
  fprintf(stderr,
          "uvow: %s calls uvow: it is asked, within a call, and may only "
          "answer\n",
          asked);
  abort();
}

uvow_promise_t *uvow__promise_of(uvow_future_t *f) {
  char *at = (char *)f;
  return f ? (uvow_promise_t *)(void *)(at + (f->generation & GENERATIONS))
           : NULL;
}

uvow_future_t *uvow__promise_future(uvow_promise_t *promise) {
  unsigned generation = (unsigned)((uintptr_t)promise & GENERATIONS);
  uvow_future_t *f = (uvow_future_t *)(void *)((char *)promise - generation);
  if (promise && (f->state == 0 || (f->generation & GENERATIONS) != generation))
    uvow__misuse(
        "a promise is used again that was used up: its future is "
        "gone, and the memory may be another's");
  return promise ? f : NULL;
}

static _Thread_local struct {
  const uvow_result_t *lent;
  size_t (*json_owners)(const void *json);
} here;

void uvow__lend(const uvow_result_t *result) {
  here.lent = result;
}

const uvow_result_t *uvow__lent(void) {
  return here.lent;
}

void uvow__count_json(size_t (*owners)(const void *json)) {
  here.json_owners = owners;
}

/* How many own it: only who lends it, unless the callback took a reference. Of
 * counted types that aren't ours, nobody knows. */
static size_t owners_of(const uvow_value_t *value) {
  if (value->type == &uvow_type_bytes)
    return ((const uvow__bytes_t *)value->as.ptr)->refs;
  if (value->type == &uvow_type_results)
    return uvow__results_owners((const uvow_results_t *)value->as.ptr);
  if (value->type->name == uvow__own_names.json && here.json_owners)
    return here.json_owners(value->as.ptr);
  return value->type->ref ? SIZE_MAX : 1;
}

void uvow__check_lent(const uvow_result_t *result, const uvow_next_t *next) {
  const uvow_type_t *type = result->value.type;
  here.lent = NULL;
  if (result->error || !type || !type->destroy ||
      (next->kind != UVOW_NEXT_VALUE && next->kind != UVOW_NEXT_END))
    return;
  if (next->u.value.type == type &&
      next->u.value.as.ptr == result->value.as.ptr &&
      owners_of(&result->value) == 1)
    uvow__misuse(
        "a callback returns the value that it was lent, which would "
        "be released twice: uvow_next_pass() passes it on, "
        "uvow_result_keep(result) makes it yours");
}
#else
/* So that this is a translation unit. */
typedef int uvow__misuse_t;
#endif
