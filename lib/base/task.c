/*
 * The task queue.
 *
 *   push, outside of a drain -> roots --next_root--> now -> run
 *   push, within a drain ---------------------------> now -> run
 *
 * 1. What one root pushed, and what that causes, runs in the order of the
 *    pushes and to its end before the next root begins.
 * 2. A task of `roots` that is the last of its root says so in the low bit of
 *    its link's prev. No other list has such bits: whoever moves or removes a
 *    task of `roots` keeps or passes on the bit.
 * 3. A task is out of the list before it runs, so it may push or free itself.
 * 4. Late tasks run when no other is ready, one at a time, the lowest rank
 *    first.
 * 5. The budget bounds a drain: who drains decides what to do with the rest. An
 *    endless chain uses up any: the late tasks that wait then run all the same,
 *    once each, or they never would.
 * 6. A root that has run `share` tasks goes behind the other roots with what it
 *    has left: fairness goes before order.
 */
#include "task.h"

#define ROOT_SHARE 10000

void uvow__queue_init(uvow__queue_t *queue) {
  uvow__list_init(&queue->now);
  uvow__list_init(&queue->roots.link);
  queue->roots.run = NULL; /* by which it is told from a task */
  for (int rank = 0; rank < UVOW__LATE_RANKS; rank++)
    uvow__list_init(&queue->late[rank]);
  queue->in = &queue->roots.link;
  queue->share = ROOT_SHARE;
  queue->spent = 0;
}

int uvow__queue_ready(const uvow__queue_t *queue) {
  return !uvow__list_empty(&queue->now) ||
         !uvow__list_empty(&queue->roots.link);
}

int uvow__queue_empty(const uvow__queue_t *queue) {
  int empty = !uvow__queue_ready(queue);
  for (int rank = 0; rank < UVOW__LATE_RANKS; rank++)
    empty &= uvow__list_empty(&queue->late[rank]);
  return empty;
}

void uvow__task_pass_end(uvow__task_t *task) {
  uvow__list_t *before = uvow__link_prev(&task->link);
  uvow__link_set_end(&task->link, 0);
  /* The head: nothing is left of this root. */
  if (UVOW__CONTAINER(before, uvow__task_t, link)->run)
    uvow__link_set_end(before, 1);
}

/* Moves the first of the roots, of which there is one, to `now`, which is
 * empty.
 */
static void take_root(uvow__queue_t *queue) {
  uvow__list_t *head = &queue->roots.link;
  uvow__list_t *first = head->next;
  uvow__list_t *last = first;
  while (!uvow__link_is_end(last) && last->next != head)
    last = last->next;
  head->next = last->next;
  uvow__link_set_prev(last->next, head);
  uvow__link_set_end(last, 0);
  queue->now.next = first;
  queue->now.prev = last;
  first->prev = &queue->now;
  last->next = &queue->now;
}

/* Behind the other roots, as one of its own. */
static void yield(uvow__queue_t *queue) {
  uvow__queue_root(queue);
  uvow__list_splice(&queue->roots.link, &queue->now);
  uvow__queue_root(queue);
  queue->spent = 0;
}

static inline void run_first(uvow__list_t *list) {
  uvow__task_t *task = UVOW__CONTAINER(list->next, uvow__task_t, link);
  uvow__list_remove(&task->link);
  task->run(task);
}

/* The first late task. Returns 0: there is none. */
static int run_one_late(uvow__queue_t *queue) {
  for (int rank = 0; rank < UVOW__LATE_RANKS; rank++) {
    if (uvow__list_empty(&queue->late[rank]))
      continue;
    run_first(&queue->late[rank]);
    return 1;
  }
  return 0;
}

/* Each late task once: what one of them pushes to its own rank, or to a lower
 * one, is for the next drain. */
static void run_late(uvow__queue_t *queue) {
  for (int rank = 0; rank < UVOW__LATE_RANKS; rank++) {
    uvow__list_t due;
    uvow__list_init(&due);
    uvow__list_splice(&due, &queue->late[rank]);
    while (!uvow__list_empty(&due))
      run_first(&due);
  }
}

/* Begins the next root. Returns how many tasks it ran: most roots have one, and
 * that isn't moved. */
static inline unsigned begin_root(uvow__queue_t *queue) {
  uvow__list_t *first = queue->roots.link.next;
  if (!uvow__link_is_end(first)) {
    take_root(queue);
    return 0;
  }
  uvow__task_t *task = UVOW__CONTAINER(first, uvow__task_t, link);
  queue->roots.link.next = first->next;
  uvow__link_set_prev(first->next, &queue->roots.link);
  uvow__list_init(first);
  task->run(task);
  return 1;
}

/* A drain ends with so much left of the share. */
static void note_share(uvow__queue_t *queue, unsigned left) {
  if (uvow__list_empty(&queue->now))
    queue->spent = 0;
  else if (left == 0)
    yield(queue);
  else
    queue->spent = queue->share - left;
}

/* `over` is what the budget will be when the share of the present root is used
 * up: modulo 2^32, so the budget may end before. */
unsigned uvow__queue_drain(uvow__queue_t *queue, unsigned budget) {
  uvow__list_t *now = &queue->now;
  unsigned over = budget - (queue->share - queue->spent);
  queue->in = now;
  while (budget) {
    if (now->next != now) {
      if (budget != over) {
        budget--;
        run_first(now);
        continue;
      }
      yield(queue);
    }
    over = budget - queue->share;
    if (!uvow__list_empty(&queue->roots.link))
      budget -= begin_root(queue);
    else if (run_one_late(queue))
      budget--, over--;
    else
      break;
  }
  note_share(queue, budget - over);
  if (budget == 0)
    run_late(queue);
  queue->in = &queue->roots.link;
  return budget;
}
