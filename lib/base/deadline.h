#ifndef UVOW__DEADLINE_H
#define UVOW__DEADLINE_H

#include <stdint.h>

#include "list.h"

#define UVOW__NS_PER_MS 1000000u

/* When something must have happened. Lives in what waits. */
typedef struct uvow__deadline {
  uvow__list_t link;
  uint64_t due; /* ms: until it is stamped, from then; then, of the clock */
  void (*expire)(struct uvow__deadline *deadline);
} uvow__deadline_t;

#define UVOW__WHEEL_BITS 6
#define UVOW__WHEEL_SLOTS 64
#define UVOW__WHEEL_LEVELS 11 /* 66 bits: every uint64_t has its place */

/* All deadlines of a loop. */
typedef struct uvow__wheel {
  uint64_t now; /* ms: whatever is due by then has left the wheel */
  uvow__list_t intake;
  uvow__list_t expired;
  unsigned levels;     /* a 0 bit: `maybe` of that level is 0 */
  uvow__list_t *first; /* the slot that comes first; NULL: it's to be found */
  uint64_t start;      /* of that one, ms */
  uint64_t maybe[UVOW__WHEEL_LEVELS]; /* a 0 bit: that slot is empty */
  uvow__list_t slots[UVOW__WHEEL_LEVELS][UVOW__WHEEL_SLOTS];
} uvow__wheel_t;

void uvow__wheel_init(uvow__wheel_t *wheel, uint64_t now_ns);

/* A deadline before its first use, so that it can always be disarmed. */
static inline void
uvow__deadline_init(uvow__deadline_t *deadline,
                    void (*expire)(uvow__deadline_t *deadline)) {
  uvow__list_init(&deadline->link);
  deadline->expire = expire;
}

static inline int uvow__deadline_armed(const uvow__deadline_t *deadline) {
  return !uvow__list_empty(&deadline->link);
}

/* ms milliseconds from the next uvow__wheel_stamp on: whoever arms needn't
 * know the time, and a turn of the loop reads the clock once. */
static inline void uvow__wheel_arm(uvow__wheel_t *wheel,
                                   uvow__deadline_t *deadline, uint64_t ms) {
  deadline->due = ms;
  uvow__list_append(&wheel->intake, &deadline->link);
}

static inline void uvow__wheel_disarm(uvow__deadline_t *deadline) {
  uvow__list_remove(&deadline->link);
}

/* Gives what was armed since the last stamp its place. */
void uvow__wheel_stamp(uvow__wheel_t *wheel, uint64_t now_ns);
/* Finds all that is due. Returns by how much the one that is due the longest is
 * late, ms; 0: none is. */
uint64_t uvow__wheel_collect(uvow__wheel_t *wheel, uint64_t now_ns);
/* Moves all that was found to a list. */
void uvow__wheel_due(uvow__wheel_t *wheel, uvow__list_t *due);
/* Calls expire of the first of them, which may arm and disarm any deadline: one
 * that it arms is in the wheel. Returns 0: there is none. */
int uvow__wheel_expire(uvow__list_t *due);
/* Whether nothing is armed, as far as it can be told at a glance. */
static inline int uvow__wheel_empty(const uvow__wheel_t *wheel) {
  return !wheel->levels && uvow__list_empty(&wheel->expired);
}
/* Writes the ms of the clock at which to advance next: never later than the
 * first deadline, seldom earlier. 0: nothing is armed. */
int uvow__wheel_next(uvow__wheel_t *wheel, uint64_t *ret_ms);
/* The same where it's known without a look; 0: it isn't. */
static inline uint64_t uvow__wheel_start(const uvow__wheel_t *wheel) {
  return wheel->first && !uvow__list_empty(wheel->first) &&
                 uvow__list_empty(&wheel->expired)
             ? wheel->start
             : 0;
}

#endif
