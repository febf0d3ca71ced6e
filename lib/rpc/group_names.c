/*
 * Groups by name.
 *
 *   get -> made, empty -> idle --sweep, still empty--> freed
 *          the last peer leaves --^  +--a peer in it--> kept
 *
 * 1. An empty group is idle, and a task is queued for those: so who asks for a
 *    group can put a peer into it, and what nobody is in goes.
 */
#include "group_names.h"

#include <string.h>

#include "base/text.h"
#include "net/loop.h"

static uint64_t hash_of(const uvow__group_names_t *names, const char *name) {
  return uvow__hash_text(names->seed, uvow__slice_of(name));
}

static uvow_group_t *find(const uvow__group_names_t *names, const char *name,
                          uint64_t hash) {
  uvow__entry_t *at = uvow__table_find(&names->table, hash);
  for (; at; at = uvow__table_next(at)) {
    uvow_group_t *group = UVOW__CONTAINER(at, uvow_group_t, entry);
    if (strcmp(group->name, name) == 0)
      return group;
  }
  return NULL;
}

static void end_group(uvow__group_names_t *names, uvow_group_t *group) {
  uvow__table_remove(&names->table, &group->entry);
  uvow__list_remove(&group->idle);
  group->names = NULL;
  uvow__group_end(group);
}

static void run_sweep(uvow__task_t *task) {
  uvow__group_names_t *names =
      UVOW__CONTAINER(task, uvow__group_names_t, sweep);
  while (!uvow__list_empty(&names->idle)) {
    uvow_group_t *group = UVOW__CONTAINER(names->idle.next, uvow_group_t, idle);
    uvow__list_remove(&group->idle);
    if (group->count == 0)
      end_group(names, group);
  }
}

void uvow__group_names_idle(uvow_group_t *group) {
  uvow__group_names_t *names = group->names;
  if (uvow__list_empty(&group->idle))
    uvow__list_append(&names->idle, &group->idle);
  if (!uvow__task_queued(&names->sweep))
    uvow__runtime_push(&names->loop->rt, &names->sweep);
}

static uvow_group_t *add(uvow__group_names_t *names, const char *name,
                         uint64_t hash) {
  uvow_group_t *group = uvow_group_new(names->loop);
  if (!group)
    return NULL;
  group->name = uvow__strndup(uvow__loop_mem(names->loop), name, strlen(name));
  if (!group->name || uvow__table_add(&names->table, &group->entry, hash)) {
    uvow__group_end(group);
    return NULL;
  }
  group->is_lent = 1;
  group->names = names;
  uvow__group_names_idle(group);
  return group;
}

uvow_group_t *uvow__group_names_get(uvow__group_names_t *names,
                                    const char *name) {
  uint64_t hash = hash_of(names, name);
  uvow_group_t *group = find(names, name, hash);
  return group ? group : add(names, name, hash);
}

void uvow__group_names_init(uvow__group_names_t *names, uvow_loop_t *loop) {
  memset(names, 0, sizeof(*names));
  names->loop = loop;
  names->seed = uvow__runtime_random(&loop->rt);
  uvow__table_init(&names->table, uvow__loop_mem(loop));
  uvow__list_init(&names->idle);
  uvow__task_init(&names->sweep, run_sweep);
}

void uvow__group_names_done(uvow__group_names_t *names) {
  uvow__table_t *table = &names->table;
  for (size_t i = 0; table->places && i <= table->mask; i++)
    while (table->places[i])
      end_group(names, UVOW__CONTAINER(table->places[i], uvow_group_t, entry));
  uvow__task_cancel(&names->sweep);
  uvow__table_done(table);
}
