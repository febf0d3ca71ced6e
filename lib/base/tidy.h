#ifndef UVOW__TIDY_H
#define UVOW__TIDY_H

#include "list.h"

/*
 * Who keeps memory for the next use, and gives back what isn't used: a loop
 * asks all of them from time to time, for as long as one has something to give.
 */
typedef struct uvow__tidy {
  uvow__list_t keepers;
  int wanted; /* one of them has something that may soon be useless */
} uvow__tidy_t;

typedef struct uvow__keeper {
  uvow__list_t link;
  /* Gives back what wasn't used since the last call. Returns whether it's to be
   * asked again. */
  int (*tidy)(struct uvow__keeper *keeper);
} uvow__keeper_t;

static inline void uvow__tidy_init(uvow__tidy_t *tidy) {
  uvow__list_init(&tidy->keepers);
  tidy->wanted = 0;
}

static inline void uvow__tidy_join(uvow__tidy_t *tidy, uvow__keeper_t *keeper,
                                   int (*cb)(uvow__keeper_t *keeper)) {
  keeper->tidy = cb;
  uvow__list_append(&tidy->keepers, &keeper->link);
}

/* Asks all, once. */
static inline void uvow__tidy_run(uvow__tidy_t *tidy) {
  uvow__list_t *at = tidy->keepers.next;
  tidy->wanted = 0;
  for (; at != &tidy->keepers; at = at->next) {
    uvow__keeper_t *keeper = UVOW__CONTAINER(at, uvow__keeper_t, link);
    tidy->wanted |= keeper->tidy(keeper);
  }
}

#endif
