#ifndef UVOW__FAMILY_H
#define UVOW__FAMILY_H

#include "subscription.h"

/* Subscriptions that are told apart by the same place in events of one name; or
 * by nothing: each has all of that name. */
typedef struct uvow__family {
  uvow__list_t link; /* of its name's */
  uvow__events_t *events;
  uvow__subscriptions_t *subs;
  uvow__event_name_t *name;
  size_t users;
  uvow__list_t waiting; /* those without an answer yet */
  uvow__list_t takers;  /* those with one, where there's no key */
  uvow__list_t held;    /* what may be for who waits, in order */
  size_t held_count;
  size_t held_bytes;
  uint64_t next; /* number of what is held next */
  int has_key;
  char pointer[]; /* to the key */
} uvow__family_t;

/* pointer NULL: without a key. One more user. NULL: no memory. */
uvow__family_t *uvow__family_join(uvow__events_t *events,
                                  uvow__subscriptions_t *subs,
                                  uvow__slice_t name, const char *pointer);
/* One user less. */
void uvow__family_leave(uvow__family_t *family);
/* An event of its name. message: all of it. Returns whether anybody has it now,
 * or it is held. */
int uvow__family_give(uvow__family_t *family, uvow__slice_t message,
                      uvow__slice_t value);
/* A subscription waits for its answer. */
void uvow__family_wait(uvow__family_t *family, uvow__sub_t *sub);
/* Its answer is there, and its key, if there is one, for which by_key has a
 * place: it gets what is held for it. */
void uvow__family_admit(uvow__family_t *family, uvow__sub_t *sub);
/* It takes and waits for nothing any more. What is held for nobody is stray. */
void uvow__family_drop(uvow__family_t *family, uvow__sub_t *sub);
/* Whether another one has the same key. */
int uvow__family_shares(const uvow__family_t *family, const uvow__sub_t *sub);

/* What a JSON value is as a key: equal values have equal texts. In buf, which is
 * empty, or borrowed. UVOW_ENOMEM. */
int uvow__key_of(uvow__slice_t raw, uvow__buf_t *buf, uvow__slice_t *ret_key);

#endif
