#ifndef UVOW__GROUP_NAMES_H
#define UVOW__GROUP_NAMES_H

#include "base/table.h"
#include "base/task.h"
#include "group.h"

/* Groups that are found by their names, and go when they are empty. */
struct uvow__group_names {
  uvow_loop_t *loop;
  uvow__table_t table;
  uint64_t seed;     /* of its hashes: a peer may choose the names */
  uvow__list_t idle; /* empty ones, by their idle */
  uvow__task_t sweep;
};

/* Takes no memory. */
void uvow__group_names_init(uvow__group_names_t *names, uvow_loop_t *loop);
/* Frees them all. */
void uvow__group_names_done(uvow__group_names_t *names);
/* The group of this name, which is made if there is none. Borrowed; NULL: no
 * memory, or the loop is closed. */
uvow_group_t *uvow__group_names_get(uvow__group_names_t *names,
                                    const char *name);
/* A group of them is empty: it's freed by a task, if it still is then. */
void uvow__group_names_idle(uvow_group_t *group);

#endif
