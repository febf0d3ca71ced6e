/*
 * What a client does with a message: an answer settles its request; an event or
 * a stray is told to the application, when the tasks run.
 *
 * 1. Nothing here calls user code.
 * 2. A message that can't be read, or is nobody's, is counted and shown; it
 *    ends nothing (R3).
 */
#include "client.h"

#include <string.h>

#include "wire/json_text.h"

/* Something to tell: an event, or a stray message. */
typedef struct notice {
  uvow__task_t task;
  uvow__list_t link;
  uvow_client_t *client;
  int stray; /* uvow_stray_t; 0: an event */
  char *name;
  char *session; /* NULL: none */
  uvow_payload_t payload;
} notice_t;

static const uvow__mem_t *mem_of(const uvow_client_t *client) {
  return uvow__loop_mem(client->loop);
}

static uvow__slice_t slice_of(const uint8_t *bytes, size_t len) {
  uvow__slice_t slice = {(const char *)bytes, len};
  return slice;
}

static void free_notice(notice_t *notice, const uvow__mem_t *mem) {
  uvow__free(mem, notice->name);
  uvow__free(mem, notice->session);
  uvow__payload_done(&notice->payload);
  uvow__free(mem, notice);
}

static void run_notice(uvow__task_t *task) {
  notice_t *notice = UVOW__CONTAINER(task, notice_t, task);
  uvow_client_t *client = notice->client;
  uvow_loop_t *loop = client->loop; /* the client may be freed by its callback*/
  uvow_event_t event;
  uvow__list_remove(&notice->link);
  if (notice->stray) {
    client->on_stray(client, (uvow_stray_t)notice->stray, notice->payload.bytes,
                     notice->payload.len, client->data);
  } else {
    event.name = notice->name ? notice->name : "";
    event.session = notice->session;
    event.payload = &notice->payload;
    client->on_event(client, &event, client->data);
  }
  free_notice(notice, uvow__loop_mem(loop));
}

void uvow__client_drop_notices(uvow_client_t *client) {
  while (!uvow__list_empty(&client->notices)) {
    notice_t *notice = UVOW__CONTAINER(client->notices.next, notice_t, link);
    uvow__task_cancel(&notice->task);
    uvow__list_remove(&notice->link);
    free_notice(notice, mem_of(client));
  }
}

/* NULL without memory: then it was counted, and isn't shown. */
static notice_t *new_notice(uvow_client_t *client, uvow__slice_t payload) {
  const uvow__mem_t *mem = mem_of(client);
  notice_t *notice = (notice_t *)uvow__calloc(mem, sizeof(*notice));
  if (!notice)
    return NULL;
  uvow__task_init(&notice->task, run_notice);
  uvow__list_init(&notice->link);
  notice->client = client;
  if (uvow__payload_init(&notice->payload, mem, payload)) {
    free_notice(notice, mem);
    return NULL;
  }
  return notice;
}

static void tell(notice_t *notice) {
  uvow__list_append(&notice->client->notices, &notice->link);
  uvow__runtime_push(&notice->client->loop->rt, &notice->task);
}

static void stray(uvow_client_t *client, uvow__stray_t kind,
                  uvow__slice_t bytes) {
  uvow_client_stats_t *stats = &client->stats;
  uint64_t *counts[] = {NULL, &stats->late, &stats->duplicate, &stats->unknown,
                        &stats->malformed};
  ++*counts[kind];
  if (!client->on_stray)
    return;
  notice_t *notice = new_notice(client, bytes);
  if (!notice)
    return;
  notice->stray = (int)kind;
  tell(notice);
}

/* A raw JSON string as text: plain, or unescaped into buf. Anything else as it
 * stands. */
static int text_of(uvow__slice_t raw, uvow__buf_t *buf,
                   uvow__slice_t *ret_text) {
  *ret_text = raw;
  if (raw.len == 0 || raw.ptr[0] != '"' || uvow__json_plain(raw, ret_text))
    return 0;
  int rc = uvow__json_unescape(buf, raw);
  if (rc)
    return rc;
  ret_text->ptr = (const char *)uvow__buf_front(buf);
  ret_text->len = uvow__buf_size(buf);
  return 0;
}

/* A copy of what a raw string means, NUL-terminated; NULL: none, no memory. */
static char *copy_text(const uvow__mem_t *mem, uvow__slice_t raw) {
  uvow__buf_t buf;
  uvow__slice_t text;
  char *copy = NULL;
  uvow__buf_init(&buf, mem, SIZE_MAX);
  if (raw.ptr && text_of(raw, &buf, &text) == 0)
    copy = uvow__strndup(mem, text.ptr, text.len);
  uvow__buf_done(&buf);
  return copy;
}

static void event(uvow_client_t *client, const uvow__msg_t *msg) {
  client->stats.events++;
  if (!client->on_event)
    return;
  notice_t *notice = new_notice(client, msg->value);
  if (!notice)
    return;
  notice->name = copy_text(mem_of(client), msg->name);
  notice->session = copy_text(mem_of(client), msg->session);
  if ((msg->name.ptr && !notice->name) ||
      (msg->session.ptr && !notice->session)) {
    free_notice(notice, mem_of(client));
    return;
  }
  tell(notice);
}

/* The server's own error, as an error. */
static uvow_error_t *remote_error(uvow_client_t *client,
                                  const uvow__msg_t *msg) {
  uvow__error_spec_t spec = {0};
  uvow__buf_t message;
  uvow__buf_t code;
  uvow__buf_init(&message, mem_of(client), SIZE_MAX);
  uvow__buf_init(&code, mem_of(client), SIZE_MAX);
  spec.code = UVOW_EREMOTE;
  spec.outcome = UVOW_ANSWERED;
  spec.peer_code = msg->has_error_code ? msg->error_code : 0;
  spec.data = msg->error_data;
  int rc = text_of(msg->error_message, &message, &spec.peer_message);
  if (rc == 0 && !msg->has_error_code)
    rc = text_of(msg->error_code_text, &code, &spec.peer_code_text);
  spec.detail = spec.peer_message;
  uvow_error_t *error = rc ? uvow__error_code(mem_of(client), rc, UVOW_ANSWERED)
                           : uvow__error_make(mem_of(client), &spec);
  uvow__buf_done(&message);
  uvow__buf_done(&code);
  return error;
}

static uvow_error_t *malformed_error(uvow_client_t *client,
                                     uvow__slice_t bytes) {
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_EENVELOPE;
  spec.outcome = UVOW_ANSWERED;
  spec.data = bytes;
  return uvow__error_make(mem_of(client), &spec);
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
    /* Not sent: the server can't know this id, whatever it says. */
    stray(client,
          request ? UVOW__STRAY_UNKNOWN : uvow__dispatcher_classify(d, msg->id),
          bytes);
  } else if (msg->kind == UVOW__MSG_OK) {
    uvow__dispatcher_fulfill(request, msg->value);
  } else if (msg->kind == UVOW__MSG_ERROR) {
    uvow__dispatcher_reject(request, remote_error(client, msg));
  } else {
    client->stats.malformed++;
    uvow__dispatcher_reject(request, malformed_error(client, bytes));
  }
}

/* The server calls a method; there are none. It's told, so that it needn't
 * wait. */
static void refuse_call(uvow_client_t *client, const uvow__msg_t *msg) {
  uvow__op_t op = {0};
  op.kind = UVOW__OP_REPLY_ERROR;
  op.raw_id = msg->raw_id;
  op.error_code = -32601;
  op.error_message = UVOW__SLICE("Method not found");
  if (uvow__protocol_can(client->protocol, op.kind))
    uvow__client_transmit(client, &op, NULL); /* best effort */
}

void uvow__client_message(uvow_client_t *client, int opcode,
                          const uint8_t *bytes, size_t len) {
  uvow__slice_t text = slice_of(bytes, len);
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
    event(client, &msg);
    break;
  case UVOW__MSG_CALL:
    refuse_call(client, &msg);
    break;
  default: /* control messages, what is to be ignored, progress */
    break;
  }
}
