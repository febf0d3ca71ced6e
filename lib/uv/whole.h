#ifndef UVOW__WHOLE_H
#define UVOW__WHOLE_H

#include "op.h"

/* What reading, writing and copying a whole file share. */

/* An op with room for a text of so many bytes, whose `about` is path. NULL: as
 * uvow__op_new; path NULL in it: no memory, and it ends with that. */
uvow__op_t *uvow__whole_new(uvow_loop_t *loop, const char *what, size_t size,
                            void (*end)(uvow__op_t *op, int64_t result),
                            uvow_future_t **ret_future);
/* Has work done on a thread, and then the op end with u.whole.result. */
void uvow__whole_begin(uvow__op_t *op, uv_work_cb work);
/* On the thread: nobody waits for it any more. */
int uvow__whole_is_unwanted(uvow__op_t *op);

/* An op that is to replace the file at path: its own path is that of a temporary
 * one beside it, behind which are u.whole.target and then, uninitialized, so
 * many bytes more. As uvow__whole_new. */
uvow__op_t *uvow__whole_replace(uvow_loop_t *loop, const char *what,
                                const char *path, size_t more,
                                uvow_future_t **ret_future);
/* On the thread: makes the temporary file with such permissions, has it filled,
 * synchronizes it with the disk and renames it; or removes it. Returns 0, or why
 * not. */
int64_t uvow__whole_place(uvow__op_t *op, int mode,
                          int64_t (*fill)(uvow__op_t *op, uv_file fd,
                                          const void *from),
                          const void *from);

#endif
