/*
 * What a client does with a message: an answer settles its request; an event or
 * a stray is told to the application.
 *
 * 1. Nothing here calls user code.
 * 2. A message that can't be read, or is nobody's, is counted and shown; it
 *    ends nothing (R3).
 * 3. An answer counts only if this connection has carried its request: what was
 *    sent on an earlier one, or not at all, is no request that it can know.
 */
#include "client.h"

#include <string.h>

static void stray(uvow_client_t *client, uvow__stray_t kind,
                  uvow__slice_t bytes) {
  uvow_client_stats_t *stats = &client->stats;
  uint64_t *counts[] = {NULL, &stats->late, &stats->duplicate, &stats->unknown,
                        &stats->malformed};
  ++*counts[kind];
  uvow__client_tell_stray(client, kind, bytes);
}

/* The server's own error, as an error. */
static uvow_error_t *remote_error(uvow_client_t *client,
                                  const uvow__msg_t *msg) {
  const uvow__mem_t *mem = uvow__client_mem(client);
  uvow__error_spec_t spec = {0};
  uvow__buf_t message;
  uvow__buf_t code;
  uvow__buf_init(&message, mem, SIZE_MAX);
  uvow__buf_init(&code, mem, SIZE_MAX);
  spec.code = UVOW_EREMOTE;
  spec.outcome = UVOW_ANSWERED;
  spec.peer_code = msg->has_error_code ? msg->error_code : 0;
  spec.data = msg->error_data;
  int rc = uvow__client_text(msg->error_message, &message, &spec.peer_message);
  if (rc == 0 && !msg->has_error_code)
    rc = uvow__client_text(msg->error_code_text, &code, &spec.peer_code_text);
  spec.detail = spec.peer_message;
  uvow_error_t *error = rc ? uvow__error_code(mem, rc, UVOW_ANSWERED)
                           : uvow__error_make(mem, &spec);
  uvow__buf_done(&message);
  uvow__buf_done(&code);
  return error;
}

static uvow_error_t *malformed_error(uvow_client_t *client,
                                     const uvow__msg_t *msg,
                                     uvow__slice_t bytes) {
  const char *why = uvow__fault_text((uvow__fault_t)msg->fault);
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_EENVELOPE;
  spec.detail = (uvow__slice_t){why, strlen(why)};
  spec.outcome = UVOW_ANSWERED;
  spec.data = bytes;
  return uvow__error_make(uvow__client_mem(client), &spec);
}

static void answer(uvow_client_t *client, const uvow__msg_t *msg,
                   uvow__slice_t bytes) {
  uvow__dispatcher_t *d = &client->dispatcher;
  if (!msg->has_id) {
    stray(client, UVOW__STRAY_MALFORMED, bytes);
    return;
  }
  uvow__request_t *request = uvow__dispatcher_find(d, msg->id);
  if (!request || !request->sent) {
    if (!request && uvow__dispatcher_paid(d, msg->id))
      uvow__client_pump_late(client);
    stray(client,
          request ? UVOW__STRAY_UNKNOWN : uvow__dispatcher_classify(d, msg->id),
          bytes);
    return;
  }
  uvow__histogram_add(
      &client->rtt, uvow__runtime_now(&client->loop->rt) - request->sent_ns, 1);
  if (msg->kind == UVOW__MSG_OK) {
    uvow__dispatcher_fulfill(request, msg->value,
                             uvow__connection_whole(client->connection));
  } else if (msg->kind == UVOW__MSG_ERROR) {
    uvow__dispatcher_reject(request, remote_error(client, msg));
  } else {
    client->stats.malformed++;
    uvow__dispatcher_reject(request, malformed_error(client, msg, bytes));
  }
}

/* The server's call, which can't be read. */
static void refuse_bad_call(uvow_client_t *client, const uvow__msg_t *msg) {
  uvow__op_t op = {0};
  op.kind = UVOW__OP_REPLY_ERROR;
  op.raw_id = msg->raw_id;
  op.error_code = msg->refusal_code;
  op.error_message = (uvow__slice_t){msg->refusal, strlen(msg->refusal)};
  uvow__client_send_aside(client, &op);
}

/* The server calls a method; there are none. It's told, so that it needn't
 * wait. */
static void refuse_call(uvow_client_t *client, const uvow__msg_t *msg) {
  uvow__op_t op = {0};
  op.kind = UVOW__OP_REPLY_ERROR;
  op.raw_id = msg->raw_id;
  op.error_code = -32601;
  op.error_message = UVOW__SLICE("Method not found");
  uvow__client_send_aside(client, &op);
}

void uvow__client_message(uvow_client_t *client, int opcode,
                          const uint8_t *bytes, size_t len) {
  uvow__slice_t text = {(const char *)bytes, len};
  uvow__msg_t msg;
  if (opcode != UVOW__OP_TEXT ||
      uvow__protocol_decode(client->protocol, text.ptr, text.len, &msg)) {
    stray(client, UVOW__STRAY_MALFORMED, text);
    return;
  }
  switch (msg.kind) {
  case UVOW__MSG_OK:
  case UVOW__MSG_ERROR:
  case UVOW__MSG_MALFORMED:
    answer(client, &msg, text);
    break;
  case UVOW__MSG_EVENT:
    client->stats.events++;
    uvow__client_tell_event(client, &msg);
    break;
  case UVOW__MSG_FAULT:
    stray(client, UVOW__STRAY_MALFORMED, text);
    break;
  case UVOW__MSG_BAD_CALL:
    stray(client, UVOW__STRAY_MALFORMED, text);
    refuse_bad_call(client, &msg);
    break;
  case UVOW__MSG_CALL:
    refuse_call(client, &msg);
    break;
  default: /* control messages, what is to be ignored, progress */
    break;
  }
}
