/*
 * The task queue.
 *
 *   push, outside of a drain -> roots --next_root--> now -> run
 *   push, within a drain ---------------------------> now -> run
 *
 * 1. What one root pushed, and what that causes, runs in the order of the
 *    pushes and to its end before the next root begins.
 * 2. What is the last of its root in `roots` says so in the low bit of its
 *    link's prev; another bit says that a link is a mark, and of no task. No
 *    other list has such bits: whoever moves or removes a task of `roots` keeps
 *    or passes on the first, and take_root takes marks out.
 * 3. A task is out of the list before it runs, so it may push or free itself.
 * 4. Late tasks run when no other is ready, one at a time, the lowest rank
 *    first.
 * 5. The budget bounds a drain: who drains decides what to do with the rest. An
 *    endless chain uses up any: the late tasks that wait then run all the same,
 *    once each, or they never would.
 * 6. A root that has run `share` tasks goes behind the other roots with what it
 *    has left: fairness goes before order. `torn` marks where.
 */
#include "task.h"

#include <assert.h>

#define ROOT_SHARE 10000

void uvow__queue_init(uvow__queue_t *queue) {
  uvow__list_init(&queue->now);
  uvow__list_init(&queue->roots.link);
  queue->roots.run = NULL; /* by which it is told from a task */
  for (int rank = 0; rank < UVOW__LATE_RANKS; rank++)
    uvow__list_init(&queue->late[rank]);
  uvow__list_init(&queue->torn);
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

/* The head is of no task and no mark. */
static int is_head(const uvow__list_t *link) {
  return !(uvow__link_bits(link) & UVOW__LINK_MARK) &&
         !UVOW__CONTAINER(link, uvow__task_t, link)->run;
}

void uvow__link_pass_end(uvow__list_t *link) {
  uvow__list_t *before = uvow__link_prev(link);
  if ((uvow__link_bits(link) & UVOW__LINK_END) && !is_head(before))
    uvow__link_set_end(before); /* else nothing is left of this root */
  link->prev = before;
}

void uvow__queue_mark(uvow__queue_t *queue, uvow__list_t *mark) {
  uvow__link_remove(mark);
  uvow__list_append(&queue->roots.link, mark);
  mark->prev = (uvow__list_t *)((uintptr_t)mark->prev | UVOW__LINK_MARK);
}

void uvow__queue_push_before(uvow__list_t *mark, uvow__task_t *task) {
  assert(uvow__link_bits(mark) & UVOW__LINK_MARK);
  uvow__list_t *before = uvow__link_prev(mark);
  task->link.next = mark;
  task->link.prev = before;
  before->next = &task->link;
  uvow__link_set_prev(mark, &task->link);
}

/* Moves the tasks of the first of the roots, of which there is one, to `now`,
 * which is empty. Its marks leave. */
static void take_root(uvow__queue_t *queue) {
  uvow__list_t *head = &queue->roots.link;
  unsigned bits = 0;
  while (!(bits & UVOW__LINK_END) && head->next != head) {
    uvow__list_t *link = head->next;
    bits = uvow__link_bits(link);
    head->next = link->next;
    uvow__link_set_prev(link->next, head);
    uvow__list_init(link);
    if (!(bits & UVOW__LINK_MARK))
      uvow__list_append(&queue->now, link);
  }
}

/* Behind the other roots, as one of its own. */
static void yield(uvow__queue_t *queue) {
  uvow__queue_root(queue);
  uvow__list_splice(&queue->roots.link, &queue->now);
  uvow__queue_mark(queue, &queue->torn);
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
  if (uvow__link_bits(first) != UVOW__LINK_END) {
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
