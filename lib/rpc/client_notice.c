/*
 * What a client tells the application: events, strays, changes of state. All of
 * it is copied and told when the tasks run, in the order in which it came, with
 * the futures that settled in between.
 */
#include "client.h"

#include <string.h>

#include "wire/json_text.h"

typedef enum kind { EVENT, STRAY, STATE } kind_t;

typedef struct notice {
  uvow__task_t task;
  uvow__list_t link;
  uvow_client_t *client;
  kind_t kind;
  int code;      /* uvow_stray_t or uvow_client_state_t */
  char *name;    /* of an event */
  char *session; /* NULL: none */
  uvow_error_t *why;
  uint32_t attempt;
  uint64_t pause_ms;
  uvow_payload_t payload;
} notice_t;

static void free_notice(notice_t *notice, const uvow__mem_t *mem) {
  uvow__free(mem, notice->name);
  uvow__free(mem, notice->session);
  uvow_error_unref(notice->why);
  uvow__payload_done(&notice->payload);
  uvow__free(mem, notice);
}

static void tell_event(uvow_client_t *client, notice_t *notice) {
  uvow_event_t event;
  event.name = notice->name ? notice->name : "";
  event.session = notice->session;
  event.payload = &notice->payload;
  client->on_event(client, &event, client->data);
}

static void tell_state(uvow_client_t *client, const notice_t *notice) {
  uvow_client_change_t change = {0};
  change.size = sizeof(change);
  change.why = notice->why;
  change.state = (uvow_client_state_t)notice->code;
  change.attempt = notice->attempt;
  change.pause_ms = notice->pause_ms;
  client->on_state(client, &change, client->data);
}

/* Changes of state are told in their own order, though one that the application
 * causes in a root may be due before one that waits for its root. Returns the
 * notice to tell now. */
static notice_t *in_order(notice_t *notice) {
  uvow_client_t *client = notice->client;
  notice_t *first = UVOW__CONTAINER(client->notices.next, notice_t, link);
  while (first != notice && first->kind != STATE)
    first = UVOW__CONTAINER(first->link.next, notice_t, link);
  if (first == notice || notice->kind != STATE)
    return notice;
  uvow__task_cancel(&first->task);
  uvow__runtime_push_first(&client->loop->rt, &notice->task);
  return first;
}

static void run_notice(uvow__task_t *task) {
  notice_t *notice = in_order(UVOW__CONTAINER(task, notice_t, task));
  uvow_client_t *client = notice->client;
  uvow__mem_t mem = *uvow__client_mem(client);
  uvow__list_remove(&notice->link);
  uvow__client_hold(client);
  if (notice->kind == EVENT)
    tell_event(client, notice);
  else if (notice->kind == STRAY)
    client->on_stray(client, (uvow_stray_t)notice->code, notice->payload.bytes,
                     notice->payload.len, client->data);
  else
    tell_state(client, notice);
  free_notice(notice, &mem);
  uvow__client_unhold(client);
}

void uvow__client_drop_notices(uvow_client_t *client) {
  while (!uvow__list_empty(&client->notices)) {
    notice_t *notice = UVOW__CONTAINER(client->notices.next, notice_t, link);
    uvow__task_cancel(&notice->task);
    uvow__list_remove(&notice->link);
    free_notice(notice, uvow__client_mem(client));
  }
}

/* NULL without memory. */
static notice_t *new_notice(uvow_client_t *client, kind_t kind, int code,
                            uvow__slice_t payload) {
  const uvow__mem_t *mem = uvow__client_mem(client);
  notice_t *notice = (notice_t *)uvow__calloc(mem, sizeof(*notice));
  if (!notice)
    return NULL;
  uvow__task_init(&notice->task, run_notice);
  uvow__list_init(&notice->link);
  notice->client = client;
  notice->kind = kind;
  notice->code = code;
  if (uvow__payload_init(&notice->payload, &client->loop->rt.texts, payload)) {
    free_notice(notice, mem);
    return NULL;
  }
  return notice;
}

static void tell(notice_t *notice) {
  uvow__list_append(&notice->client->notices, &notice->link);
  uvow__runtime_push(&notice->client->loop->rt, &notice->task);
}

void uvow__client_tell_stray(uvow_client_t *client, uvow__stray_t stray,
                             uvow__slice_t bytes) {
  notice_t *notice =
      client->on_stray ? new_notice(client, STRAY, (int)stray, bytes) : NULL;
  if (notice)
    tell(notice);
}

void uvow__client_tell_state(uvow_client_t *client, uvow_client_state_t state,
                             const uvow_error_t *why) {
  uvow__slice_t none = {NULL, 0};
  notice_t *notice =
      client->on_state ? new_notice(client, STATE, (int)state, none) : NULL;
  if (!notice)
    return;
  notice->why = uvow_error_ref(why);
  if (state == UVOW_CLIENT_CONNECTING || state == UVOW_CLIENT_WAITING)
    notice->attempt = client->link.attempts;
  if (state == UVOW_CLIENT_WAITING)
    notice->pause_ms = client->link.pause_ms;
  tell(notice);
}

/* A copy of what a raw string means, NUL-terminated; NULL: none, no memory. */
static char *copy_text(const uvow__mem_t *mem, uvow__slice_t raw) {
  uvow__buf_t buf;
  uvow__slice_t text;
  char *copy = NULL;
  uvow__buf_init(&buf, mem, SIZE_MAX);
  if (raw.ptr && uvow__session_text(raw, &buf, &text) == 0)
    copy = uvow__strndup(mem, text.ptr, text.len);
  uvow__buf_done(&buf);
  return copy;
}

void uvow__client_tell_event(uvow_client_t *client, const uvow__msg_t *msg) {
  const uvow__mem_t *mem = uvow__client_mem(client);
  notice_t *notice =
      client->on_event ? new_notice(client, EVENT, 0, msg->value) : NULL;
  if (!notice)
    return;
  notice->name = copy_text(mem, msg->name);
  notice->session = copy_text(mem, msg->session);
  if ((msg->name.ptr && !notice->name) ||
      (msg->session.ptr && !notice->session))
    free_notice(notice, mem);
  else
    tell(notice);
}
