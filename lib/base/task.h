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
  uvow__list_t torn; /* a mark: behind roots that have used up their share */
  unsigned share;    /* tasks of a root before others have their turn */
  unsigned spent;    /* of the present root's */
} uvow__queue_t;

void uvow__queue_init(uvow__queue_t *queue);
int uvow__queue_empty(const uvow__queue_t *queue);
/* Whether a task is ready that isn't late. */
int uvow__queue_ready(const uvow__queue_t *queue);

/* What the low bits of prev say of a link in the list of roots. */
enum {
  UVOW__LINK_END = 1, /* a root ends here */
  UVOW__LINK_MARK = 2 /* it is of no task: see uvow__queue_mark */
};
#define UVOW__LINK_BITS 3u

static inline uvow__list_t *uvow__link_prev(const uvow__list_t *link) {
  return (uvow__list_t *)((uintptr_t)link->prev & ~(uintptr_t)UVOW__LINK_BITS);
}
static inline unsigned uvow__link_bits(const uvow__list_t *link) {
  return (unsigned)((uintptr_t)link->prev & UVOW__LINK_BITS);
}
static inline void uvow__link_set_end(uvow__list_t *link) {
  link->prev = (uvow__list_t *)((uintptr_t)link->prev | UVOW__LINK_END);
}
/* Keeps the bits. */
static inline void uvow__link_set_prev(uvow__list_t *link, uvow__list_t *prev) {
  link->prev =
      (uvow__list_t *)((uintptr_t)prev | (uintptr_t)uvow__link_bits(link));
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
    uvow__link_set_end(last);
}

/* Whether a push goes to the roots: no drain is going on, or it's stepped out
 * of. */
static inline int uvow__queue_is_outside(const uvow__queue_t *queue) {
  return queue->in == &queue->roots.link;
}

/*
 * A mark is a place in the list of roots, behind all that waits there now: a
 * list's head that is free for it. It leaves by itself when its root begins; it
 * is empty then. A mark that waits already moves.
 */
UVOW__APART void uvow__queue_mark(uvow__queue_t *queue, uvow__list_t *mark);
/* Right before a mark that waits: into its root, behind what it marks. */
void uvow__queue_push_before(uvow__list_t *mark, uvow__task_t *task);

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

/* Its root ends with what is before it, if there is something. It has no bits
 * then. */
UVOW__APART void uvow__link_pass_end(uvow__list_t *link);

/* Takes a task's link, or a mark, out of whichever list it is in. */
static inline void uvow__link_remove(uvow__list_t *link) {
  if (uvow__link_bits(link))
    uvow__link_pass_end(link);
  link->prev->next = link->next;
  uvow__link_set_prev(link->next, link->prev);
  uvow__list_init(link);
}

static inline void uvow__task_cancel(uvow__task_t *task) {
  uvow__link_remove(&task->link);
}

/* Runs tasks, in order, those too that they push, at most `budget` of them, and
 * late ones even then. Returns how many of the budget are left: 0 may mean that
 * work is left. */
unsigned uvow__queue_drain(uvow__queue_t *queue, unsigned budget);

#endif
