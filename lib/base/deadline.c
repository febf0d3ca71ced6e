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
 * 6. The slot that was found to come first stays that until it's empty, or one
 *    before its start is filled: a turn that changes nothing doesn't look.
 */
#include "deadline.h"

#include <string.h>

#define MASK (UVOW__WHEEL_SLOTS - 1)

void uvow__wheel_init(uvow__wheel_t *wheel, uint64_t now_ns) {
  memset(wheel, 0, sizeof(*wheel));
  wheel->now = now_ns / UVOW__NS_PER_MS;
  uvow__list_init(&wheel->intake);
  uvow__list_init(&wheel->expired);
  for (int l = 0; l < UVOW__WHEEL_LEVELS; l++)
    for (int s = 0; s < UVOW__WHEEL_SLOTS; s++)
      uvow__list_init(&wheel->slots[l][s]);
}

/* The lowest bit that is set: bits isn't 0. */
static inline unsigned lowest_bit(uint64_t bits) {
#ifdef __GNUC__
  return (unsigned)__builtin_ctzll(bits);
#else
  unsigned at = 0;
  for (unsigned half = 32; half; half /= 2) {
    if ((bits & ((UINT64_C(1) << half) - 1)) == 0) {
      bits >>= half;
      at += half;
    }
  }
  return at;
#endif
}

/* Where what is due then belongs: it's about to be put there. */
static uvow__list_t *list_for(uvow__wheel_t *wheel, uint64_t due) {
  if (due <= wheel->now)
    return &wheel->expired;
  uint64_t differ = (due ^ wheel->now) >> UVOW__WHEEL_BITS;
  unsigned level = 0;
  while (differ) {
    differ >>= UVOW__WHEEL_BITS;
    level++;
  }
  unsigned slot = (unsigned)(due >> (level * UVOW__WHEEL_BITS)) & MASK;
  uvow__list_t *list = &wheel->slots[level][slot];
  if (due < wheel->start || uvow__list_empty(list))
    wheel->first = NULL;
  wheel->maybe[level] |= UINT64_C(1) << slot;
  wheel->levels |= 1u << level;
  return list;
}

/* Those that were armed one after the other for the same time, as requests are,
 * go into one slot, all at once. */
void uvow__wheel_stamp(uvow__wheel_t *wheel, uint64_t now_ns) {
  uint64_t now = now_ns / UVOW__NS_PER_MS + (now_ns % UVOW__NS_PER_MS != 0);
  uvow__list_t *head = &wheel->intake;
  while (head->next != head) {
    uvow__list_t *first = head->next;
    uvow__list_t *last = first;
    uint64_t ms = UVOW__CONTAINER(first, uvow__deadline_t, link)->due;
    uint64_t due = ms > UINT64_MAX - now ? UINT64_MAX : now + ms;
    for (uvow__list_t *link = first; link != head; link = link->next) {
      uvow__deadline_t *deadline =
          UVOW__CONTAINER(link, uvow__deadline_t, link);
      if (deadline->due != ms)
        break;
      deadline->due = due;
      last = link;
    }
    uvow__list_move(list_for(wheel, due), first, last);
  }
}

/* Finds the slot that comes first. Its start is never before `now`. */
static uvow__list_t *find_first(uvow__wheel_t *wheel) {
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
      wheel->start = above | (uint64_t)slot << shift;
      return list;
    }
    wheel->levels &= ~(1u << level);
  }
  return NULL;
}

/* See (6). */
static inline uvow__list_t *first_slot(uvow__wheel_t *wheel) {
  if (!wheel->first || uvow__list_empty(wheel->first))
    wheel->first = find_first(wheel);
  return wheel->first;
}

/* Moves all that is due at `now` or before to `expired`. */
static void collect(uvow__wheel_t *wheel, uint64_t now) {
  uvow__list_t *slot;
  while ((slot = first_slot(wheel)) != NULL && wheel->start <= now) {
    uvow__list_t due;
    uvow__list_init(&due);
    uvow__list_splice(&due, slot);
    wheel->now = wheel->start;
    while (!uvow__list_empty(&due)) {
      uvow__deadline_t *deadline =
          UVOW__CONTAINER(due.next, uvow__deadline_t, link);
      uvow__list_remove(&deadline->link);
      uvow__list_append(list_for(wheel, deadline->due), &deadline->link);
    }
  }
  if (now > wheel->now)
    wheel->now = now;
}

uint64_t uvow__wheel_collect(uvow__wheel_t *wheel, uint64_t now_ns) {
  collect(wheel, now_ns / UVOW__NS_PER_MS);
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
  if (!uvow__list_empty(&wheel->expired)) {
    *ret_ms = wheel->now;
    return 1;
  }
  if (!first_slot(wheel))
    return 0;
  *ret_ms = wheel->start;
  return 1;
}
