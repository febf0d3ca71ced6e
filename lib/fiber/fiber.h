#ifndef UVOW__FIBER_H
#define UVOW__FIBER_H

#include <uvow/fiber.h>

#include "fiber/stack.h"
#include "fiber/switch.h"
#include "future/future.h"
#include "net/loop.h"

/* A fiber: at the upper end of its stack. */
typedef struct uvow__fiber {
  uvow__stack_t stack; /* first */
  uvow__list_t link;   /* of the loop's fibers */
  uvow__task_t task;   /* starts it, and continues it */
  struct uvow__fibers *all;
  uvow_future_t *future;  /* owned; NULL: canceled, and nobody is told more */
  uvow_future_t *awaited; /* owned, while it's suspended */
  uvow_future_t *result;  /* owned: what the last await brought */
  uvow_fiber_cb fn;
  void *data;
  const char *name;
  const char *site;  /* where it was spawned; NULL: not known */
  uvow_next_t next;  /* what fn returned */
  unsigned straight; /* awaits that didn't wait, since one did */
  unsigned refused;  /* awaits since the cancel */
  int ended;
  uvow__switch_t sw;
} uvow__fiber_t;

/* The fibers of a loop, from its first one to its end. */
typedef struct uvow__fibers {
  uvow__resident_t resident;
  uvow_loop_t *loop;
  uvow__list_t live; /* of uvow__fiber_t */
  uvow__stacks_t stacks;
  int closing; /* goes with the last of them */
} uvow__fibers_t;

#endif
