/*
 * UTF-8, checked as it arrives (RFC 3629 4).
 *
 *   BETWEEN --00..7F--> BETWEEN
 *           --C2..DF--> NEED_1   --80..BF--> BETWEEN
 *           --E1..EF--> NEED_2   --80..BF--> NEED_1    (but ED)
 *           --F1..F3--> NEED_3   --80..BF--> NEED_2
 *           --E0------> AFTER_E0 --A0..BF--> NEED_1
 *           --ED------> AFTER_ED --80..9F--> NEED_1
 *           --F0------> AFTER_F0 --90..BF--> NEED_2
 *           --F4------> AFTER_F4 --80..8F--> NEED_2
 *   any     --another byte--> WRONG
 *
 * 1. The first impossible byte is refused, not the end of its character:
 *    overlong forms at C0, C1, E0 80..9F and F0 80..8F, surrogates at ED A0,
 *    what lies above U+10FFFF at F4 90 and F5.
 * 2. A state is where its successor stands in the row of the next byte: how far
 *    to shift. So a byte takes one load, which waits for nothing, and one
 *    shift, and no branch: whatever the text is, it takes the same time.
 * 3. From WRONG nothing leads away: so it's enough to look once a block, and a
 *    call fails if, and only if, the first impossible byte is among its bytes.
 * 4. Blocks of ASCII are looked at in words.
 * 5. Long texts are looked at 32 bytes at a time, where the processor can:
 *    utf8_wide.c. Else in two places at once: see feed_lanes.
 */
#include "utf8.h"

#include <uvow/error.h>

#include "utf8_wide.h"

#define BLOCK 64
#define LANE 256

/* 6 bits each, and 9 of them fit into a row. */
enum {
  BETWEEN = 0, /* as uvow__utf8_init says */
  NEED_1 = 6,
  NEED_2 = 12,
  NEED_3 = 18,
  AFTER_E0 = 24,
  AFTER_ED = 30,
  AFTER_F0 = 36,
  AFTER_F4 = 42,
  WRONG = 48
};

/* What leads to WRONG from everywhere, and what to change in that. */
#define NEVER                                                                  \
  (WRONG * (UINT64_C(1) << BETWEEN | UINT64_C(1) << NEED_1 |                   \
            UINT64_C(1) << NEED_2 | UINT64_C(1) << NEED_3 |                    \
            UINT64_C(1) << AFTER_E0 | UINT64_C(1) << AFTER_ED |                \
            UINT64_C(1) << AFTER_F0 | UINT64_C(1) << AFTER_F4 |                \
            UINT64_C(1) << WRONG))
#define TO(from, to) ((uint64_t)((to) ^ WRONG) << (from))

#define LEAD(to) (NEVER ^ TO(BETWEEN, to))
#define ASCII LEAD(BETWEEN)
#define CONTINUES                                                              \
  (NEVER ^ TO(NEED_1, BETWEEN) ^ TO(NEED_2, NEED_1) ^ TO(NEED_3, NEED_2))
#define LOW (CONTINUES ^ TO(AFTER_ED, NEED_1) ^ TO(AFTER_F4, NEED_2))
#define MIDDLE (CONTINUES ^ TO(AFTER_ED, NEED_1) ^ TO(AFTER_F0, NEED_2))
#define HIGH (CONTINUES ^ TO(AFTER_E0, NEED_1) ^ TO(AFTER_F0, NEED_2))

#define TWICE(row) row, row
#define X4(row) TWICE(row), TWICE(row)
#define X16(row) X4(row), X4(row), X4(row), X4(row)
#define X32(row) X16(row), X16(row)

/* clang-format off */
static const uint64_t rows[256] = {
    /* 00 to 7F */ X32(ASCII), X32(ASCII), X32(ASCII), X32(ASCII),
    /* 80 to 8F */ X16(LOW),
    /* 90 to 9F */ X16(MIDDLE),
    /* A0 to BF */ X32(HIGH),
    /* C0, C1   */ TWICE(NEVER),
    /* C2 to DF */ TWICE(LEAD(NEED_1)), X4(LEAD(NEED_1)), X4(LEAD(NEED_1)),
                   X4(LEAD(NEED_1)), X16(LEAD(NEED_1)),
    /* E0       */ LEAD(AFTER_E0),
    /* E1 to EC */ X4(LEAD(NEED_2)), X4(LEAD(NEED_2)), X4(LEAD(NEED_2)),
    /* ED       */ LEAD(AFTER_ED),
    /* EE, EF   */ TWICE(LEAD(NEED_2)),
    /* F0       */ LEAD(AFTER_F0),
    /* F1 to F3 */ TWICE(LEAD(NEED_3)), LEAD(NEED_3),
    /* F4       */ LEAD(AFTER_F4),
    /* F5 to FF */ X4(NEVER), X4(NEVER), TWICE(NEVER), NEVER};
/* clang-format on */

/* The state in the lowest bits; above them is the rest of the row. */
static inline uint64_t step(uint64_t state, uint8_t byte) {
  return rows[byte] >> (state & 63);
}

/* 0: all of it is. */
static inline uint64_t high_in_block(const uint8_t *bytes) {
  uint64_t seen = 0;
  for (size_t i = 0; i < BLOCK; i += 8)
    seen |= uvow__word_raw(bytes + i);
  return seen & UVOW__UTF8_HIGH;
}

static inline int is_ascii_word(const uint8_t *bytes) {
  return (uvow__word_raw(bytes) & UVOW__UTF8_HIGH) == 0;
}

/* Less than a block. */
static uint64_t feed_rest(uint64_t state, const uint8_t *bytes, size_t len) {
  size_t at = 0;
  while (at < len) {
    if (len - at >= 8 && (state & 63) == BETWEEN && is_ascii_word(bytes + at)) {
      at += 8;
      continue;
    }
    size_t stop = len - at >= 8 ? at + 8 : len;
    for (; at < stop; at++)
      state = step(state, bytes[at]);
  }
  return state;
}

/* The same for two runs of LANE bytes, of which the second one begins with a
 * character: each step waits for the one before, so a processor has time for
 * another text. If the first run doesn't end between characters, it holds an
 * impossible byte, or what follows it is one. Writes how many were looked at.
 */
static uint64_t feed_lanes(uint64_t first, const uint8_t *bytes,
                           size_t *ret_used) {
  const uint8_t *lane = bytes + LANE;
  uint64_t second = BETWEEN;
  for (int i = 0; i < 3 && (*lane & 0xC0) == 0x80; i++)
    lane--;
  for (size_t i = 0; i < LANE - 4; i += 4) {
    first = step(first, bytes[i]);
    second = step(second, lane[i]);
    first = step(first, bytes[i + 1]);
    second = step(second, lane[i + 1]);
    first = step(first, bytes[i + 2]);
    second = step(second, lane[i + 2]);
    first = step(first, bytes[i + 3]);
    second = step(second, lane[i + 3]);
  }
  for (const uint8_t *rest = bytes + LANE - 4; rest < lane; rest++)
    first = step(first, *rest);
  *ret_used = (size_t)(lane - bytes) + LANE - 4;
  return (first & 63) == BETWEEN ? second : WRONG;
}

static uint64_t feed_block(uint64_t state, const uint8_t *bytes) {
  for (size_t i = 0; i < BLOCK; i += 4) {
    state = step(state, bytes[i]);
    state = step(state, bytes[i + 1]);
    state = step(state, bytes[i + 2]);
    state = step(state, bytes[i + 3]);
  }
  return state;
}

/* A block, or more. Returns how many bytes it was. */
static size_t feed_runs(uint64_t *state, const uint8_t *bytes, size_t len) {
  size_t used = BLOCK;
  *state = len >= 2 * LANE ? feed_lanes(*state, bytes, &used)
                           : feed_block(*state, bytes);
  return used;
}

/* As far as utf8_wide.c looks, from the end of this character on. Returns how
 * many bytes those are. */
static size_t feed_wide(uint64_t *state, const uint8_t *bytes, size_t len) {
  size_t used = 0;
  if (len < UVOW__UTF8_WIDE_MIN)
    return 0;
  while ((*state & 63) != BETWEEN && (*state & 63) != WRONG)
    *state = step(*state, bytes[used++]); /* three at most */
  if ((*state & 63) == BETWEEN)
    used += uvow__utf8_wide(bytes + used, len - used);
  return used;
}

int uvow__utf8_feed(uvow__utf8_t *utf8, const uint8_t *bytes, size_t len) {
  uint64_t state = utf8->state;
  while (len >= BLOCK) {
    size_t used = BLOCK;
    /* One branch: whether a block ends between characters is anyone's guess. */
    if ((state & 63) | high_in_block(bytes)) {
      used = feed_wide(&state, bytes, len);
      if (used == 0)
        used = feed_runs(&state, bytes, len);
    }
    if ((state & 63) == WRONG)
      return UVOW_EUTF8;
    bytes += used;
    len -= used;
  }
  state = feed_rest(state, bytes, len) & 63;
  utf8->state = (uint8_t)state;
  return state == WRONG ? UVOW_EUTF8 : 0;
}

int uvow__utf8_end(const uvow__utf8_t *utf8) {
  return utf8->state == BETWEEN ? 0 : UVOW_EUTF8;
}
