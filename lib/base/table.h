#ifndef UVOW__TABLE_H
#define UVOW__TABLE_H

#include <stdint.h>

#include "buf.h"

/* What stands in a table: lies in what is found by it. */
typedef struct uvow__entry {
  struct uvow__entry *next; /* in the same place */
  struct uvow__entry **at;  /* what points to it */
  uint64_t hash;
} uvow__entry_t;

/*
 * Things by the hash of their keys, which only their owner compares. Its memory
 * grows with the most that was in it. Where keys come from a peer, hash them
 * with a seed.
 */
typedef struct uvow__table {
  const uvow__mem_t *mem;
  uvow__entry_t **places; /* NULL: none was ever needed */
  size_t mask;
  size_t count;
} uvow__table_t;

/* Takes no memory before the first entry. */
void uvow__table_init(uvow__table_t *table, const uvow__mem_t *mem);
/* Frees its own memory, not the entries. */
void uvow__table_done(uvow__table_t *table);
/* From now on adding an entry doesn't fail: 0, or UVOW_ENOMEM. */
int uvow__table_reserve(uvow__table_t *table);
/* Adds an entry that is in no table: 0, or UVOW_ENOMEM. There may be others of
 * the same hash. */
int uvow__table_add(uvow__table_t *table, uvow__entry_t *entry, uint64_t hash);
/* Takes out one that is in it. */
void uvow__table_remove(uvow__table_t *table, uvow__entry_t *entry);
/* The first entry with this hash, or NULL; the next one behind it. */
uvow__entry_t *uvow__table_find(const uvow__table_t *table, uint64_t hash);
uvow__entry_t *uvow__table_next(const uvow__entry_t *entry);

/* A hash of a text, of which nobody who doesn't know the keys can say more than
 * that equal texts have equal ones: SipHash-1-3. */
uint64_t uvow__hash_keyed(uint64_t key0, uint64_t key1, uvow__slice_t text);
/* The same with one seed, and a hash of a number that no peer chooses. */
static inline uint64_t uvow__hash_text(uint64_t seed, uvow__slice_t text) {
  return uvow__hash_keyed(seed, ~seed, text);
}
static inline uint64_t uvow__hash_number(uint64_t number) {
  number *= UINT64_C(0x9E3779B97F4A7C15);
  return number ^ number >> 32;
}

#endif
