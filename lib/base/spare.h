#ifndef UVOW__SPARE_H
#define UVOW__SPARE_H

#include "reason.h"
#include "tidy.h"

/* Blocks of more bytes than this are kept: in classes, and from LARGE on by
 * their own size. */
#define UVOW__SPARE_MIN ((size_t)4 * 1024)
#define UVOW__SPARE_LARGE ((size_t)128 * 1024)
/* Bytes that are kept at most: of those in classes, and of large ones. */
#define UVOW__SPARE_CLASSES_MAX ((size_t)4 * 1024 * 1024)
#define UVOW__SPARE_MAX ((size_t)8 * 1024 * 1024)

/* An allocator on another one, which keeps a few blocks for those who next ask
 * for one. Writes it to ret; it's for a loop, and released with it. Copies mem.
 * Returns 0 or UVOW_ENOMEM. */
int uvow__spares_new(const uvow__mem_t *mem, uvow__mem_t *ret);
/* Until it is told otherwise, or closed: notes there that there is no memory,
 * and is asked by tidy for what it keeps. NULL: neither. */
void uvow__spares_tell(const uvow__mem_t *spares, uvow__reason_t *reason,
                       uvow__tidy_t *tidy);
/* Keeps nothing from now on. Blocks that are still in use may be freed later,
 * with any copy of the allocator; with the last, the allocator is gone. */
void uvow__spares_close(const uvow__mem_t *spares);

#endif
