#ifndef UVOW__TASK_H
#define UVOW__TASK_H

#include "list.h"

/* Something to run soon. Lives in whatever it belongs to. */
typedef struct uvow__task {
  uvow__list_t link;
  void (*run)(struct uvow__task *task);
} uvow__task_t;

/* A FIFO of tasks, and one of what waits until it is empty. */
typedef struct uvow__queue {
  uvow__list_t ready;
  uvow__list_t late;
} uvow__queue_t;

void uvow__queue_init(uvow__queue_t *queue);
int uvow__queue_empty(const uvow__queue_t *queue);

/* Behind all others. The task must be in no list. */
static inline void uvow__queue_push(uvow__queue_t *queue, uvow__task_t *task) {
  uvow__list_append(&queue->ready, &task->link);
}

/* Before all others. */
static inline void uvow__queue_push_first(uvow__queue_t *queue,
                                          uvow__task_t *task) {
  uvow__list_prepend(&queue->ready, &task->link);
}

/* Runs once nothing else is ready: what gathers the work of a turn. */
static inline void uvow__queue_push_late(uvow__queue_t *queue,
                                         uvow__task_t *task) {
  uvow__list_append(&queue->late, &task->link);
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

/* Takes it out of whichever list it is in. */
static inline void uvow__task_cancel(uvow__task_t *task) {
  uvow__list_remove(&task->link);
}

/* Runs tasks, in order, those too that they push, at most `budget` of them, and
 * late ones even then. Returns how many of the budget are left: 0 may mean that
 * work is left. */
unsigned uvow__queue_drain(uvow__queue_t *queue, unsigned budget);

#endif
