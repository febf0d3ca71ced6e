/*
 * Deadlines: a hierarchical timing wheel (Varghese and Lauck, 1987), in ms.
 *
 * 1. A deadline is in the intake (armed this turn), in one slot, in `expired`
 *    (about to be called) or in no list. Each is O(1) to enter and to leave.
 * 2. Level l has slots of 64^l ms. A deadline stands in the level of the
 *    highest digit (base 64) in which `due` and `now` differ: so everything in
 *    a level is due before everything in the levels above, and after `now`.
 * 3. When `now` reaches a slot above level 0, what it holds moves down. A
 *    deadline moves at most once a level.
 * 4. Never early: due is rounded up, the clock down.
 *    What is due the longest stands first in `expired`, but for what was armed
 *    with no time at all.
 * 5. Disarming doesn't touch `maybe`: a bit may be stale, and is cleared when
 *    its slot is found empty.
 */
#include "deadline.h"

#include <string.h>

#define NS_PER_MS 1000000u
#define MASK (UVOW__WHEEL_SLOTS - 1)

void uvow__wheel_init(uvow__wheel_t *wheel, uint64_t now_ns) {
  memset(wheel, 0, sizeof(*wheel));
  wheel->now = now_ns / NS_PER_MS;
  uvow__list_init(&wheel->intake);
  uvow__list_init(&wheel->expired);
  for (int l = 0; l < UVOW__WHEEL_LEVELS; l++)
    for (int s = 0; s < UVOW__WHEEL_SLOTS; s++)
      uvow__list_init(&wheel->slots[l][s]);
}

/* The lowest bit that is set: bits isn't 0. */
static unsigned lowest_bit(uint64_t bits) {
  unsigned at = 0;
  for (unsigned half = 32; half; half /= 2) {
    if ((bits & ((UINT64_C(1) << half) - 1)) == 0) {
      bits >>= half;
      at += half;
    }
  }
  return at;
}

static void place(uvow__wheel_t *wheel, uvow__deadline_t *deadline) {
  if (deadline->due <= wheel->now) {
    uvow__list_append(&wheel->expired, &deadline->link);
    return;
  }
  uint64_t differ = (deadline->due ^ wheel->now) >> UVOW__WHEEL_BITS;
  unsigned level = 0;
  while (differ) {
    differ >>= UVOW__WHEEL_BITS;
    level++;
  }
  unsigned slot =
      (unsigned)(deadline->due >> (level * UVOW__WHEEL_BITS)) & MASK;
  uvow__list_append(&wheel->slots[level][slot], &deadline->link);
  wheel->maybe[level] |= UINT64_C(1) << slot;
  wheel->levels |= 1u << level;
}

void uvow__wheel_stamp(uvow__wheel_t *wheel, uint64_t now_ns) {
  uint64_t now = now_ns / NS_PER_MS + (now_ns % NS_PER_MS != 0);
  while (!uvow__list_empty(&wheel->intake)) {
    uvow__deadline_t *deadline =
        UVOW__CONTAINER(wheel->intake.next, uvow__deadline_t, link);
    uvow__list_remove(&deadline->link);
    deadline->due =
        deadline->due > UINT64_MAX - now ? UINT64_MAX : now + deadline->due;
    place(wheel, deadline);
  }
}

/* The slot that comes first. Its start is never before `now`. */
static uvow__list_t *first_slot(uvow__wheel_t *wheel, unsigned *ret_level,
                                uint64_t *ret_start) {
  for (unsigned level = 0; wheel->levels >> level; level++) {
    while (wheel->maybe[level]) {
      unsigned slot = lowest_bit(wheel->maybe[level]);
      unsigned shift = level * UVOW__WHEEL_BITS;
      uvow__list_t *list = &wheel->slots[level][slot];
      if (uvow__list_empty(list)) {
        wheel->maybe[level] &= ~(UINT64_C(1) << slot);
        continue;
      }
      uint64_t above = shift + UVOW__WHEEL_BITS >= 64
                           ? 0
                           : wheel->now >> (shift + UVOW__WHEEL_BITS)
                                               << (shift + UVOW__WHEEL_BITS);
      *ret_start = above | (uint64_t)slot << shift;
      *ret_level = level;
      return list;
    }
    wheel->levels &= ~(1u << level);
  }
  return NULL;
}

/* Moves all that is due at `now` or before to `expired`. */
static void collect(uvow__wheel_t *wheel, uint64_t now) {
  unsigned level;
  uint64_t start;
  uvow__list_t *slot;
  while ((slot = first_slot(wheel, &level, &start)) != NULL && start <= now) {
    uvow__list_t due;
    uvow__list_init(&due);
    uvow__list_splice(&due, slot);
    wheel->now = start;
    while (!uvow__list_empty(&due)) {
      uvow__deadline_t *deadline =
          UVOW__CONTAINER(due.next, uvow__deadline_t, link);
      uvow__list_remove(&deadline->link);
      place(wheel, deadline);
    }
  }
  if (now > wheel->now)
    wheel->now = now;
}

uint64_t uvow__wheel_collect(uvow__wheel_t *wheel, uint64_t now_ns) {
  collect(wheel, now_ns / NS_PER_MS);
  if (uvow__list_empty(&wheel->expired))
    return 0;
  uint64_t first =
      UVOW__CONTAINER(wheel->expired.next, uvow__deadline_t, link)->due;
  return first < wheel->now ? wheel->now - first : 0;
}

void uvow__wheel_due(uvow__wheel_t *wheel, uvow__list_t *due) {
  uvow__list_splice(due, &wheel->expired);
}

int uvow__wheel_expire(uvow__list_t *due) {
  if (uvow__list_empty(due))
    return 0;
  uvow__deadline_t *deadline =
      UVOW__CONTAINER(due->next, uvow__deadline_t, link);
  uvow__list_remove(&deadline->link);
  deadline->expire(deadline);
  return 1;
}

int uvow__wheel_next(uvow__wheel_t *wheel, uint64_t *ret_ms) {
  unsigned level;
  if (!uvow__list_empty(&wheel->expired)) {
    *ret_ms = wheel->now;
    return 1;
  }
  return first_slot(wheel, &level, ret_ms) != NULL;
}
