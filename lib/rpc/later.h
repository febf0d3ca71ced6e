#ifndef UVOW__LATER_H
#define UVOW__LATER_H

#include "net/loop.h"

/* Runs a task that calls the application: from the queue; or on the spot, after
 * the loop was closed, when no queue is drained any more. */
static inline void uvow__later(uvow_loop_t *loop, uvow__task_t *task) {
  if (loop->rt.closed && !loop->rt.entered)
    task->run(task);
  else
    uvow__runtime_push(&loop->rt, task);
}

#endif
