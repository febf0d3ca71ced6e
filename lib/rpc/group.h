#ifndef UVOW__GROUP_H
#define UVOW__GROUP_H

#include <uvow/peer.h>

#include "base/list.h"
#include "base/table.h"

typedef struct uvow__group_names uvow__group_names_t;

struct uvow_group {
  uvow_loop_t *loop;
  uvow__list_t members; /* by their link */
  size_t count;
  int is_lent;                /* a server has it */
  uvow__group_names_t *names; /* of one with a name; else NULL */
  uvow__entry_t entry;        /* in the table of names */
  uvow__list_t idle;          /* of those that are to be freed, if empty */
  char *name;
};

/* As uvow_group_free, also of one that a server has. */
void uvow__group_end(uvow_group_t *group);

#endif
