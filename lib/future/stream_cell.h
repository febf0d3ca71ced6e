#ifndef UVOW__STREAM_CELL_H
#define UVOW__STREAM_CELL_H

#include "stream.h"

/*
 * A cell: the future that an item lies in while a callback looks at it. It's
 * used again for the next item, unless the callback kept it. While the callback
 * runs, only who calls it has the cell: whoever it belongs to may go away.
 */

/* Makes one where there's none: 0, or UVOW_ENOMEM. */
static inline int uvow__cell_make(uvow__runtime_t *rt, uvow_future_t **cell) {
  if (*cell)
    return 0;
  *cell = uvow__mark_new(rt, 0, UVOW__MARK_ITEM, 0);
  if (!*cell)
    return UVOW_ENOMEM;
  uvow__future_fulfill(*cell, uvow_value_none());
  return 0;
}

/* Puts an item, which it takes, into an empty cell. */
static inline void uvow__cell_fill(uvow_future_t *cell,
                                   const uvow__item_t *item,
                                   uvow_result_t *ret) {
  ret->loop = uvow__runtime_loop(cell->rt);
  ret->source = cell;
  uvow__mark_of(cell)->missed = item->missed;
  if (item->value.type == &uvow__type_error) {
    cell->state = UVOW_REJECTED;
    cell->u.error = (uvow_error_t *)item->value.as.ptr;
    ret->error = cell->u.error;
    ret->value = uvow_value_none();
    return;
  }
  ret->error = NULL;
  uvow__value_copy(&cell->u.value, &item->value);
  uvow__value_copy(&ret->value, &item->value);
}

/* Releases the item. Returns the cell, or NULL: another has it now. */
uvow_future_t *uvow__cell_clear(uvow_future_t *cell);

static inline uvow_future_t *uvow__cell_empty(uvow_future_t *cell) {
  if (cell->refs == 1 && cell->state == UVOW_FULFILLED &&
      uvow__future_is_plain(cell))
    return cell;
  return uvow__cell_clear(cell);
}

#endif
