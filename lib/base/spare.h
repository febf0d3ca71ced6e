#ifndef UVOW__SPARE_H
#define UVOW__SPARE_H

#include "mem.h"

#define UVOW__SPARE_MIN ((size_t)128 * 1024)      /* bytes of a large block */
#define UVOW__SPARE_MAX ((size_t)8 * 1024 * 1024) /* bytes that are kept */

/* An allocator on another one, which keeps a few large blocks for those who
 * next ask for one. Writes it to ret; it's for a loop, and released with it.
 * Copies mem. Returns 0 or UVOW_ENOMEM. */
int uvow__spares_new(const uvow__mem_t *mem, uvow__mem_t *ret);
/* Keeps nothing from now on. Blocks that are still in use may be freed later,
 * with any copy of the allocator; with the last, the allocator is gone. */
void uvow__spares_close(const uvow__mem_t *spares);

#endif
