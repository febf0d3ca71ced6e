#ifndef UVOW__LIST_H
#define UVOW__LIST_H

#include <stddef.h>

/*
 * A doubly linked ring through its members, with a head that is a member too:
 * add, remove and move a whole list in O(1), without knowing the list.
 */
typedef struct uvow__list {
  struct uvow__list *next;
  struct uvow__list *prev;
} uvow__list_t;

/* The struct that holds this member. */
#define UVOW__CONTAINER(ptr, type, member)                                     \
  ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void uvow__list_init(uvow__list_t *list) {
  list->next = list->prev = list;
}

static inline int uvow__list_empty(const uvow__list_t *list) {
  return list->next == list;
}

static inline void uvow__list_append(uvow__list_t *list, uvow__list_t *node) {
  node->next = list;
  node->prev = list->prev;
  list->prev->next = node;
  list->prev = node;
}

static inline void uvow__list_prepend(uvow__list_t *list, uvow__list_t *node) {
  uvow__list_append(list->next, node);
}

/* Leaves the node alone: a list of itself, so removing twice is harmless. */
static inline void uvow__list_remove(uvow__list_t *node) {
  node->next->prev = node->prev;
  node->prev->next = node->next;
  node->next = node->prev = node;
}

/* Moves all of `from` behind the last of `list`, in order. */
static inline void uvow__list_splice(uvow__list_t *list, uvow__list_t *from) {
  if (uvow__list_empty(from))
    return;
  from->next->prev = list->prev;
  list->prev->next = from->next;
  from->prev->next = list;
  list->prev = from->prev;
  uvow__list_init(from);
}

/* Moves those from `first` to `last` of another list behind the last of `list`,
 * in order. */
static inline void uvow__list_move(uvow__list_t *list, uvow__list_t *first,
                                   uvow__list_t *last) {
  first->prev->next = last->next;
  last->next->prev = first->prev;
  first->prev = list->prev;
  list->prev->next = first;
  last->next = list;
  list->prev = last;
}

#endif
