/*
 * The task queue.
 *
 * 1. First in, first out; a task that is pushed while another runs comes after
 *    all that wait.
 * 2. A task is out of the list before it runs, so it may push or free itself.
 * 3. Late tasks run only when no other is ready, one at a time.
 * 4. The budget bounds a drain: who drains decides what to do with the rest. An
 *    endless chain uses up any: the late tasks that wait then run all the same,
 *    once each, or they never would.
 */
#include "task.h"

void uvow__queue_init(uvow__queue_t *queue) {
  uvow__list_init(&queue->ready);
  uvow__list_init(&queue->late);
}

int uvow__queue_empty(const uvow__queue_t *queue) {
  return uvow__list_empty(&queue->ready) && uvow__list_empty(&queue->late);
}

static void run_late(uvow__queue_t *queue) {
  uvow__list_t due; /* what they push is for the next drain */
  uvow__list_init(&due);
  uvow__list_splice(&due, &queue->late);
  while (!uvow__list_empty(&due)) {
    uvow__task_t *task = UVOW__CONTAINER(due.next, uvow__task_t, link);
    uvow__list_remove(&task->link);
    task->run(task);
  }
}

unsigned uvow__queue_drain(uvow__queue_t *queue, unsigned budget) {
  for (; budget; budget--) {
    uvow__list_t *first = queue->ready.next;
    if (first == &queue->ready) {
      first = queue->late.next;
      if (first == &queue->late)
        break;
    }
    uvow__task_t *task = UVOW__CONTAINER(first, uvow__task_t, link);
    uvow__list_remove(first);
    task->run(task);
  }
  if (budget == 0)
    run_late(queue);
  return budget;
}
