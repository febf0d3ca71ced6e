/*
 * Opening steps: a conversation before anything else is said (Q6).
 *
 *   start -> send, send ... -> wait --message: DONE--> send ... -> own step
 *                                                                 -> on_open
 *            (the own step may come after another one that waited: `asks`)
 *                               |--message: meanwhile--> send, wait on
 *                               |--message: REFUSED--+
 *                               |--deadline----------+--> failing -> on_failed
 *            can't be written, own step failed -------+
 *
 * 1. While it's active nothing queued leaves: who has the session asks
 *    `active`. Control messages and calls of the peer are answered all the
 *    same.
 * 2. What is picked is copied, and holds for this connection only.
 * 3. A deadline is a step's; what comes meanwhile doesn't move it, so that a
 *    peer can't go on for ever.
 * 4. A failure is told by a task: the session isn't on the stack then. There is
 *    one at most: behind it nothing is sent, read or waited for.
 */
#include "opening_steps.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "callee.h"
#include "protocol/maker.h"
#include "session.h"
#include "wire/message.h"

#define STEP_MS 10000

static const uvow_protocol_t *protocol_of(const uvow__opening_t *opening) {
  return opening->callee->dialect.protocol;
}

static uvow__runtime_t *runtime_of(const uvow__opening_t *opening) {
  return &opening->callee->loop->rt;
}

/* ---- failing ---- */

static void run_failing(uvow__task_t *task) {
  uvow__opening_t *opening = UVOW__CONTAINER(task, uvow__opening_t, failing);
  uvow_error_t *error = opening->error;
  opening->error = NULL;
  opening->hooks->on_failed(opening, error);
}

/* Takes its words, and who is asked. why: a sentence behind "opening step 2 of
 * 3". words: of the peer, or of the application; or none. */
static void fail_with(uvow__opening_t *opening, uvow__error_spec_t spec,
                      const char *why, uvow__slice_t words) {
  const uvow_protocol_t *protocol = protocol_of(opening);
  char text[300];
  snprintf(text, sizeof(text), "opening step %zu of %zu of %.40s%s %s%s%.*s",
           opening->step + (size_t)opening->asked + 1,
           opening->step_count + (size_t)opening->asks, protocol->name,
           opening->asking ? " (options.opening)" : "", why,
           words.len ? ": " : "", words.len > 100 ? 0 : (int)words.len,
           words.ptr ? words.ptr : "");
  spec.detail = (uvow__slice_t){text, strlen(text)};
  uvow__wheel_disarm(&opening->deadline);
  opening->error =
      uvow__error_make(uvow__loop_mem(opening->callee->loop), &spec);
  uvow__runtime_push(runtime_of(opening), &opening->failing);
}

/* peer: its own words, or none. */
static void fail(uvow__opening_t *opening, int code, const char *why,
                 uvow__slice_t peer) {
  uvow__error_spec_t spec = {0};
  spec.code = code;
  spec.peer_message = peer;
  fail_with(opening, spec, why, peer);
}

static void on_deadline(uvow__deadline_t *deadline) {
  uvow__opening_t *opening =
      UVOW__CONTAINER(deadline, uvow__opening_t, deadline);
  if (opening->step < opening->step_count)
    opening->close_code = opening->steps[opening->step].late;
  fail(opening, UVOW_ETIMEDOUT, "waits for what doesn't come",
       (uvow__slice_t){NULL, 0});
}

/* A variable of the step that isn't set. */
static void fail_unset(uvow__opening_t *opening, const uvow__step_t *step,
                       const char *what) {
  char text[120];
  size_t at = 0;
  const char *name = uvow__vars_missing(&opening->vars, step, 1, &at);
  snprintf(text, sizeof(text), "%s: $%.60s isn't set", what,
           name ? name : "a variable");
  fail(opening, UVOW_EINVAL, text, (uvow__slice_t){NULL, 0});
}

/* ---- steps ---- */

static int send_template(const uvow__opening_t *opening,
                         const uvow__template_t *template) {
  uvow__callee_t *callee = opening->callee;
  uvow__buf_t *scratch = &callee->loop->scratch;
  uvow__splice_t text = {{NULL, 0}, {NULL, 0}, 0, NULL};
  uvow__op_t op = {0};
  op.ids = &callee->dialect.ids;
  op.vars = opening->vars.list;
  op.var_count = opening->vars.count;
  int rc = uvow__step_write(protocol_of(opening), template, &op, scratch);
  text.text.ptr = (const char *)uvow__buf_front(scratch);
  text.text.len = uvow__buf_size(scratch);
  if (rc == 0)
    rc = uvow__channel_send(callee->channel, UVOW__OP_TEXT, &text);
  uvow__buf_clear(scratch, UVOW__READ_SIZE);
  return rc;
}

static int send_step(const uvow__opening_t *opening, const uvow__step_t *step) {
  return send_template(opening, &step->send);
}

static void wait_for_it(uvow__opening_t *opening) {
  uvow__runtime_arm(runtime_of(opening), &opening->deadline, opening->step_ms);
}

static void ask(uvow__opening_t *opening) {
  opening->asking = 1;
  wait_for_it(opening);
  opening->hooks->on_ask(opening);
}

static void finish(uvow__opening_t *opening) {
  opening->active = 0;
  opening->hooks->on_open(opening);
}

/* Sends until it must wait, or all is done. */
static void go_on(uvow__opening_t *opening) {
  uvow__slice_t none = {NULL, 0};
  for (; opening->step < opening->step_count; opening->step++) {
    const uvow__step_t *step = &opening->steps[opening->step];
    if (!step->send.count) {
      wait_for_it(opening);
      return;
    }
    int rc = step->makes ? uvow__maker_run(step->makes, &opening->vars) : 0;
    if (rc == 0)
      rc = send_step(opening, step);
    if (rc) {
      fail(opening, rc, "can't be sent", none);
      return;
    }
  }
  if (opening->asks && !opening->asked)
    ask(opening);
  else
    finish(opening);
}

/* Who isn't let in, at this step, is told so. */
static void tell_refused(uvow__opening_t *opening, const uvow__step_t *step) {
  opening->close_code = step->close;
  if (step->otherwise.count)
    (void)send_template(opening, &step->otherwise);
}

void uvow__opening_finish(uvow__opening_t *opening, uvow_error_t *error) {
  uvow__error_spec_t spec = {0};
  const char *text = uvow_error_message(error);
  uvow__wheel_disarm(&opening->deadline);
  if (opening->error || opening->callee->close_code) { /* it's too late */
    uvow_error_unref(error);
    return;
  }
  if (!error) {
    opening->asking = 0;
    opening->asked = 1;
    go_on(opening);
    return;
  }
  if (opening->step < opening->step_count)
    tell_refused(opening, &opening->steps[opening->step - 1]);
  spec.code = uvow_error_code(error);
  spec.cause = error;
  fail_with(opening, spec, "failed", (uvow__slice_t){text, strlen(text)});
  uvow_error_unref(error);
}

/* What a step picked, and what is made of it. */
static int keep_picks(uvow__opening_t *opening, const uvow__step_t *step,
                      const uvow__step_read_t *read) {
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < read->pick_count; i++)
    rc = uvow__vars_set(&opening->vars, read->picks[i].name,
                        read->picks[i].json);
  if (rc == 0 && step->makes)
    rc = uvow__maker_run(step->makes, &opening->vars);
  if (rc)
    fail(opening, rc,
         rc == UVOW_EINVAL ? "asks for what isn't in vars" : "failed",
         (uvow__slice_t){NULL, 0});
  return rc;
}

static void refused(uvow__opening_t *opening, uvow__slice_t raw) {
  uvow__buf_t buf;
  uvow__slice_t text;
  uvow__buf_init(&buf, uvow__loop_mem(opening->callee->loop), SIZE_MAX);
  if (uvow__session_text(raw, &buf, &text))
    text = (uvow__slice_t){NULL, 0};
  fail(opening, UVOW_EREMOTE, "was refused", text);
  uvow__buf_done(&buf);
}

static int meanwhile(uvow__opening_t *opening, const uvow__step_t *step,
                     uvow__slice_t text) {
  const uvow__step_t *which;
  uvow__step_read_t read;
  if (uvow__step_meanwhile(protocol_of(opening), step, text.ptr, text.len,
                           &read, &which) != UVOW__STEP_DONE)
    return 0;
  if (keep_picks(opening, which, &read))
    return 1;
  int rc = send_step(opening, which);
  if (rc == UVOW_EINVAL)
    fail_unset(opening, which, "can't be answered");
  else if (rc)
    fail(opening, rc, "can't be answered", (uvow__slice_t){NULL, 0});
  return 1;
}

int uvow__opening_message(uvow__opening_t *opening, uvow__slice_t text) {
  const uvow_protocol_t *protocol = protocol_of(opening);
  const uvow__step_t *step = &opening->steps[opening->step];
  uvow__step_read_t read;
  if (opening->error || opening->callee->close_code)
    return 1; /* it's over */
  if (opening->asking)
    return 0; /* a message as any other */
  uvow__slice_t same = {NULL, 0};
  if (step->same.name)
    same = uvow__vars_get(&opening->vars, step->same.name);
  switch (uvow__step_read(protocol, step, same, text.ptr, text.len, &read)) {
  case UVOW__STEP_DONE:
    uvow__wheel_disarm(&opening->deadline);
    if (keep_picks(opening, step, &read) == 0) {
      opening->step++;
      if (step->asks && opening->asks)
        ask(opening);
      else
        go_on(opening);
    }
    return 1;
  case UVOW__STEP_REFUSED:
    tell_refused(opening, step);
    refused(opening, read.message);
    return 1;
  default:
    return meanwhile(opening, step, text);
  }
}

/* ---- its life ---- */

int uvow__opening_init(uvow__opening_t *opening, uvow__callee_t *callee,
                       const uvow__opening_plan_t *plan,
                       const uvow__opening_hooks_t *hooks,
                       const char **ret_missing) {
  const uvow_protocol_t *protocol = callee->dialect.protocol;
  size_t step;
  opening->callee = callee;
  opening->hooks = hooks;
  opening->step_ms = plan->step_ms ? plan->step_ms : STEP_MS;
  opening->asks = plan->asks != 0;
  opening->steps = plan->is_server ? protocol->accepts : protocol->steps;
  opening->step_count =
      plan->is_server ? protocol->accept_count : protocol->step_count;
  uvow__deadline_init(&opening->deadline, on_deadline);
  uvow__task_init(&opening->failing, run_failing);
  int rc =
      uvow__vars_init(&opening->vars, uvow__loop_mem(callee->loop), plan->vars);
  if (rc)
    return rc;
  *ret_missing = uvow__vars_missing(&opening->vars, opening->steps,
                                    opening->step_count, &step);
  if (*ret_missing) {
    uvow__vars_done(&opening->vars);
    return UVOW_EINVAL;
  }
  if (opening->vars.count || opening->step_count)
    callee->dialect.vars = &opening->vars;
  return 0;
}

void uvow__opening_start(uvow__opening_t *opening) {
  uvow__vars_reset(&opening->vars);
  opening->step = 0;
  opening->asking = opening->asked = 0;
  opening->close_code = 0;
  opening->active = 1;
  go_on(opening);
}

void uvow__opening_stop(uvow__opening_t *opening) {
  opening->active = 0;
  uvow__wheel_disarm(&opening->deadline);
  uvow__task_cancel(&opening->failing);
  uvow_error_unref(opening->error);
  opening->error = NULL;
}

void uvow__opening_done(uvow__opening_t *opening) {
  uvow__opening_stop(opening);
  opening->callee->dialect.vars = NULL;
  uvow__vars_done(&opening->vars);
}
