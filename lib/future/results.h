#ifndef UVOW__RESULTS_H
#define UVOW__RESULTS_H

#include <uvow/combine.h>

#include "future.h"
#include "stream_items.h"

/* Results that aren't of a group: as many, without values; one owner. NULL: no
 * memory. */
uvow_results_t *uvow__results_new(uvow__runtime_t *rt, size_t count);
/* Sets one, once. Takes the value, which is shareable, or an error as a value.
 */
void uvow__results_set(uvow_results_t *results, size_t i, uvow_value_t value);

/* How many own them. */
#ifdef UVOW_DEBUG
size_t uvow__results_owners(const uvow_results_t *results);
#endif

static inline uvow_value_t uvow__results_value(uvow_results_t *results) {
  return uvow_value_ptr(&uvow_type_results, results);
}

/* Results of items, which are taken and left empty; NULL: no memory (then some
 * may be taken). */
uvow_results_t *uvow__results_of_items(uvow__runtime_t *rt,
                                       uvow__items_t *items);

#endif
