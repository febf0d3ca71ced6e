/*
 * A hash table whose entries lie in what they are of: a list a place, as many
 * places as entries at least, mostly.
 *
 * 1. Without memory for more places the lists grow: so only the first entry can
 *    fail.
 * 2. An entry is taken out without a look at the others of its place: a peer may
 *    give one key to all that it has.
 */
#include "table.h"

#include <uvow/error.h>

#include <string.h>

#include "word.h"

#define PLACES_MIN 16

void uvow__table_init(uvow__table_t *table, const uvow__mem_t *mem) {
  memset(table, 0, sizeof(*table));
  table->mem = mem;
}

void uvow__table_done(uvow__table_t *table) {
  uvow__free(table->mem, table->places);
  table->places = NULL;
  table->count = 0;
}

static void put(uvow__entry_t **places, size_t mask, uvow__entry_t *entry) {
  uvow__entry_t **place = &places[entry->hash & mask];
  entry->next = *place;
  entry->at = place;
  if (entry->next)
    entry->next->at = &entry->next;
  *place = entry;
}

/* The order of equal hashes isn't kept. */
static int grow(uvow__table_t *table) {
  size_t count = table->places ? (table->mask + 1) * 2 : PLACES_MIN;
  size_t size;
  if (uvow__size_mul(count, sizeof(uvow__entry_t *), &size))
    return UVOW_ENOMEM;
  uvow__entry_t **places = (uvow__entry_t **)uvow__calloc(table->mem, size);
  if (!places)
    return UVOW_ENOMEM;
  for (size_t i = 0; table->places && i <= table->mask; i++)
    for (uvow__entry_t *at = table->places[i], *next; at; at = next) {
      next = at->next;
      put(places, count - 1, at);
    }
  uvow__free(table->mem, table->places);
  table->places = places;
  table->mask = count - 1;
  return 0;
}

int uvow__table_reserve(uvow__table_t *table) {
  return table->places ? 0 : grow(table);
}

int uvow__table_add(uvow__table_t *table, uvow__entry_t *entry, uint64_t hash) {
  int full = !table->places || table->count > table->mask;
  if (full && grow(table) && !table->places)
    return UVOW_ENOMEM;
  entry->hash = hash;
  put(table->places, table->mask, entry);
  table->count++;
  return 0;
}

void uvow__table_remove(uvow__table_t *table, uvow__entry_t *entry) {
  *entry->at = entry->next;
  if (entry->next)
    entry->next->at = entry->at;
  table->count--;
}

static uvow__entry_t *with_hash(uvow__entry_t *at, uint64_t hash) {
  while (at && at->hash != hash)
    at = at->next;
  return at;
}

uvow__entry_t *uvow__table_find(const uvow__table_t *table, uint64_t hash) {
  if (table->count == 0)
    return NULL;
  return with_hash(table->places[hash & table->mask], hash);
}

uvow__entry_t *uvow__table_next(const uvow__entry_t *entry) {
  return with_hash(entry->next, entry->hash);
}

/* ---- SipHash-1-3 (Aumasson and Bernstein, 2012) ---- */

static inline uint64_t rotl(uint64_t x, int by) {
  return x << by | x >> (64 - by);
}

static inline void round_of(uint64_t v[4]) {
  v[0] += v[1];
  v[2] += v[3];
  v[1] = rotl(v[1], 13) ^ v[0];
  v[3] = rotl(v[3], 16) ^ v[2];
  v[0] = rotl(v[0], 32);
  v[2] += v[1];
  v[0] += v[3];
  v[1] = rotl(v[1], 17) ^ v[2];
  v[3] = rotl(v[3], 21) ^ v[0];
  v[2] = rotl(v[2], 32);
}

static inline void take_word(uint64_t v[4], uint64_t word) {
  v[3] ^= word;
  round_of(v);
  v[0] ^= word;
}

/* The last ones, fewer than a word: little-endian. */
static inline uint64_t rest_at(const char *bytes, size_t len) {
  uint64_t word = 0;
  for (size_t i = 0; i < len; i++)
    word |= (uint64_t)(unsigned char)bytes[i] << 8 * i;
  return word;
}

uint64_t uvow__hash_keyed(uint64_t key0, uint64_t key1, uvow__slice_t text) {
  uint64_t v[4] = {
      key0 ^ UINT64_C(0x736f6d6570736575), key1 ^ UINT64_C(0x646f72616e646f6d),
      key0 ^ UINT64_C(0x6c7967656e657261), key1 ^ UINT64_C(0x7465646279746573)};
  size_t at = 0;
  for (; text.len - at >= 8; at += 8)
    take_word(v, uvow__word(text.ptr + at));
  take_word(v,
            rest_at(text.ptr + at, text.len - at) | (uint64_t)text.len << 56);
  v[2] ^= 0xff;
  round_of(v);
  round_of(v);
  round_of(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}
