#ifndef UVOW__TASK_H
#define UVOW__TASK_H

#include <stdint.h>

#include "apart.h"
#include "list.h"

/* Something to run soon. Lives in whatever it belongs to. */
typedef struct uvow__task {
  uvow__list_t link;
  void (*run)(struct uvow__task *task);
} uvow__task_t;

/* What waits until nothing else is ready, in this order. */
enum {
  UVOW__LATE_FILL,  /* slots that became free are filled */
  UVOW__LATE_WRITE, /* what gathered in the turn is written */
  UVOW__LATE_RANKS
};

/*
 * Tasks, first in first out in two levels: the roots, each of which is what one
 * message, deadline or posted function pushed; and what the present root
 * spawns, which runs before the next one. And late tasks.
 */
typedef struct uvow__queue {
  uvow__list_t *in;   /* where a push goes: `roots`, in a drain `now` */
  uvow__list_t now;   /* what is left of the present root */
  uvow__task_t roots; /* the head of those that wait; `run` is NULL */
  uvow__list_t late[UVOW__LATE_RANKS];
  unsigned share; /* tasks of a root before others have their turn */
  unsigned spent; /* of the present root's */
} uvow__queue_t;

void uvow__queue_init(uvow__queue_t *queue);
int uvow__queue_empty(const uvow__queue_t *queue);
/* Whether a task is ready that isn't late. */
int uvow__queue_ready(const uvow__queue_t *queue);

/* A link of the list of roots: the low bit of prev says that a root ends here.
 */
static inline uvow__list_t *uvow__link_prev(const uvow__list_t *link) {
  return (uvow__list_t *)((uintptr_t)link->prev & ~(uintptr_t)1);
}
static inline int uvow__link_is_end(const uvow__list_t *link) {
  return (uintptr_t)link->prev & 1;
}
static inline void uvow__link_set_end(uvow__list_t *link, int end) {
  link->prev =
      (uvow__list_t *)((uintptr_t)uvow__link_prev(link) | (uintptr_t)end);
}
/* Keeps the bit. */
static inline void uvow__link_set_prev(uvow__list_t *link, uvow__list_t *prev) {
  link->prev = (uvow__list_t *)((uintptr_t)prev | ((uintptr_t)link->prev & 1));
}

/* Behind all others of its root. The task must be in no list. */
static inline void uvow__queue_push(uvow__queue_t *queue, uvow__task_t *task) {
  uvow__list_append(queue->in, &task->link);
}

/* Before all others, with the present root. */
static inline void uvow__queue_push_first(uvow__queue_t *queue,
                                          uvow__task_t *task) {
  uvow__list_prepend(&queue->now, &task->link);
}

/* Runs once nothing else is ready: what gathers the work of a turn. */
static inline void uvow__queue_push_late(uvow__queue_t *queue,
                                         uvow__task_t *task, int rank) {
  uvow__list_append(&queue->late[rank], &task->link);
}

/* What is pushed outside of a drain from now on is another root. */
static inline void uvow__queue_root(uvow__queue_t *queue) {
  uvow__list_t *last = queue->roots.link.prev;
  if (last != &queue->roots.link)
    uvow__link_set_end(last, 1);
}

/* Begins a root also within a drain: for what happens there, but isn't caused
 * by the present root, as a write that fails. Returns what uvow__queue_rejoin
 * takes. */
static inline uvow__list_t *uvow__queue_step_out(uvow__queue_t *queue) {
  uvow__list_t *in = queue->in;
  queue->in = &queue->roots.link;
  uvow__queue_root(queue);
  return in;
}
static inline void uvow__queue_rejoin(uvow__queue_t *queue, uvow__list_t *in) {
  queue->in = in;
}

/* A task's link before its first use, so that it can always be removed. */
static inline void uvow__task_init(uvow__task_t *task,
                                   void (*run)(uvow__task_t *task)) {
  uvow__list_init(&task->link);
  task->run = run;
}

/* Whether the task is in a list. */
static inline int uvow__task_queued(const uvow__task_t *task) {
  return !uvow__list_empty(&task->link);
}

/* Its root ends with the task before it, if there is one. */
UVOW__APART void uvow__task_pass_end(uvow__task_t *task);

/* Takes it out of whichever list it is in. */
static inline void uvow__task_cancel(uvow__task_t *task) {
  if (uvow__link_is_end(&task->link))
    uvow__task_pass_end(task);
  task->link.prev->next = task->link.next;
  uvow__link_set_prev(task->link.next, task->link.prev);
  uvow__list_init(&task->link);
}

/* Runs tasks, in order, those too that they push, at most `budget` of them, and
 * late ones even then. Returns how many of the budget are left: 0 may mean that
 * work is left. */
unsigned uvow__queue_drain(uvow__queue_t *queue, unsigned budget);

#endif
