#ifndef UVOW__OPENING_STEPS_H
#define UVOW__OPENING_STEPS_H

#include <uvow/error.h>

#include "future/runtime.h"
#include "protocol/vars.h"

struct uvow__callee;
typedef struct uvow__opening uvow__opening_t;

typedef struct uvow__opening_hooks {
  /* All steps are done: on the spot, also within the start. */
  void (*on_open)(uvow__opening_t *opening);
  /* The protocol's are; now the application's own, which ends with
   * uvow__opening_finish. */
  void (*on_ask)(uvow__opening_t *opening);
  /* The conversation can't go on: from a task. Takes the error. */
  void (*on_failed)(uvow__opening_t *opening, uvow_error_t *error);
} uvow__opening_hooks_t;

/* What is to be said. */
typedef struct uvow__opening_plan {
  const char *vars; /* a JSON object, or NULL. Borrowed */
  uint32_t step_ms; /* for each step; 0: the default */
  int is_server;    /* the steps of who is connected to */
  int asks;         /* the application has one of its own, the last one */
} uvow__opening_plan_t;

/* What is said between handshake and OPEN. Lives in the session. */
struct uvow__opening {
  struct uvow__callee *callee;
  const uvow__opening_hooks_t *hooks;
  uvow__vars_t vars;
  const uvow__step_t *steps;
  size_t step_count;
  int asks;
  uvow__deadline_t deadline; /* of the present step */
  uint32_t step_ms;
  size_t step;
  int active;     /* it takes messages; nothing else is sent yet */
  int asking;     /* the application's own step is under way; steps before it
                     are done */
  int asked;      /* it was */
  int close_code; /* of who isn't let in; 0: the usual one */
  uvow__task_t failing;
  uvow_error_t *error; /* why */
};

/* In memory that is all zero. Errors, and nothing has begun: UVOW_EINVAL: vars isn't an object, or a variable
 * that a step needs isn't in it (*ret_missing, or NULL); UVOW_ENOMEM. The callee
 * has its dialect, which writes with them from now on. */
int uvow__opening_init(uvow__opening_t *opening, struct uvow__callee *callee,
                       const uvow__opening_plan_t *plan,
                       const uvow__opening_hooks_t *hooks,
                       const char **ret_missing);
void uvow__opening_done(uvow__opening_t *opening);

/* The handshake is over, and the callee has its channel. */
void uvow__opening_start(uvow__opening_t *opening);
/* A message came while it's active. Returns 1: it was for a step; 0: it's about
 * something else, and is to be read by the rules. */
int uvow__opening_message(uvow__opening_t *opening, uvow__slice_t text);
/* The application's own step is done. Takes the error; NULL: it's well. */
void uvow__opening_finish(uvow__opening_t *opening, uvow_error_t *error);
/* The channel has gone. */
void uvow__opening_stop(uvow__opening_t *opening);

#endif
