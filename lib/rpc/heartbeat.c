/*
 * Heartbeats: a message, or a call, every so many ms while a session is open.
 *
 * 1. One that has an id is a request of ours, with a slot and a deadline, so
 *    that its answer is known and no other can be taken for it. Nobody waits
 *    for what it answers: whether the peer lives is told by its bytes.
 * 2. What can't be written isn't: the next one is tried all the same.
 */
#include "heartbeat.h"

#include <assert.h>
#include <string.h>

#include "callee.h"
#include "dispatcher.h"
#include "protocol/vars.h"
#include "wire/message.h"

static const uvow__heartbeat_t *beat_of(const uvow__pulse_t *pulse) {
  return pulse->callee->dialect.protocol->heartbeat;
}

static int has_id(const uvow__heartbeat_t *beat) {
  const uvow__template_t *message = &beat->message;
  for (size_t i = 0; i < message->count; i++)
    if (message->pieces[i].kind == UVOW__PUT_ID)
      return 1;
  return beat->method != NULL;
}

static int send_message(uvow__pulse_t *pulse, uvow__op_t *op) {
  uvow__callee_t *callee = pulse->callee;
  uvow__buf_t *scratch = &callee->loop->scratch;
  uvow__splice_t text = {{NULL, 0}, {NULL, 0}, 0, NULL};
  op->ids = &callee->dialect.ids;
  if (callee->dialect.vars) {
    op->vars = callee->dialect.vars->list;
    op->var_count = callee->dialect.vars->count;
  }
  int rc = uvow__heartbeat_write(callee->dialect.protocol, op, scratch);
  text.text.ptr = (const char *)uvow__buf_front(scratch);
  text.text.len = uvow__buf_size(scratch);
  if (rc == 0)
    rc = uvow__channel_send(callee->channel, UVOW__OP_TEXT, &text);
  uvow__buf_clear(scratch, UVOW__READ_SIZE);
  return rc;
}

static int send_beat(uvow__pulse_t *pulse, uvow__op_t *op) {
  const uvow__heartbeat_t *beat = beat_of(pulse);
  if (!beat->method)
    return send_message(pulse, op);
  op->kind = UVOW__OP_CALL;
  op->method = (uvow__slice_t){beat->method, strlen(beat->method)};
  return uvow__callee_send(pulse->callee, op);
}

/* Invariant 1: also a rejection is nobody's matter. */
static void ignore(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
}

static void beat(uvow__pulse_t *pulse) {
  uvow__request_t *request = NULL;
  uvow_future_t *f = NULL;
  uvow__op_t op = {0};
  if (has_id(beat_of(pulse))) {
    if (uvow__dispatcher_register(pulse->dispatcher, beat_of(pulse)->every_ms,
                                  &f, &request))
      return;
    op.id = request->id;
  }
  int rc = send_beat(pulse, &op);
  if (request && rc)
    uvow__dispatcher_fail(request, rc);
  else if (request)
    uvow__dispatcher_mark_sent(request,
                               uvow__runtime_now(&pulse->callee->loop->rt));
  if (f)
    (void)uvow_future_done(f, ignore, NULL);
}

static void arm(uvow__pulse_t *pulse) {
  uvow__runtime_arm(&pulse->callee->loop->rt, &pulse->deadline,
                    beat_of(pulse)->every_ms);
}

static void on_deadline(uvow__deadline_t *deadline) {
  uvow__pulse_t *pulse = UVOW__CONTAINER(deadline, uvow__pulse_t, deadline);
  assert(pulse->callee->channel); /* else it was stopped */
  arm(pulse);
  beat(pulse);
}

void uvow__pulse_init(uvow__pulse_t *pulse, uvow__callee_t *callee,
                      uvow__dispatcher_t *dispatcher) {
  pulse->callee = callee;
  pulse->dispatcher = dispatcher;
  uvow__deadline_init(&pulse->deadline, on_deadline);
}

void uvow__pulse_start(uvow__pulse_t *pulse) {
  if (beat_of(pulse))
    arm(pulse);
}

void uvow__pulse_stop(uvow__pulse_t *pulse) {
  uvow__wheel_disarm(&pulse->deadline);
}
