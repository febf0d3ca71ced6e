/*
 * A client's session: what it does with messages, and whom it tells.
 *
 * 1. Nothing here calls the application: an event or a stray is told later.
 * 2. Calls of the server are answered on the connection that they came on; when
 *    that is lost they are given up.
 */
#include "client.h"

#include "wire/message.h"

#define MIB ((size_t)1024 * 1024)

static uvow_client_t *client_of(uvow__callee_t *callee) {
  return UVOW__CONTAINER(callee, uvow_client_t, session.callee);
}

static void on_stray(uvow__session_t *session, uvow__stray_t stray,
                     uvow__slice_t bytes) {
  uvow__client_tell_stray(client_of(&session->callee), stray, bytes);
}

static void on_event(uvow__session_t *session, const uvow__msg_t *msg) {
  uvow__client_tell_event(client_of(&session->callee), msg);
}

static void on_paid(uvow__session_t *session) {
  uvow__client_pump_late(client_of(&session->callee));
}

static void end_session(uvow_client_t *client, const char *session) {
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_ECLOSED;
  spec.detail = UVOW__SLICE("the session has ended");
  uvow__dispatcher_fail_session(
      &client->dispatcher, uvow__intern(&client->sessions, session), &spec);
  uvow__client_pump_late(client);
}

/* Without memory its requests wait for their deadlines. */
static void on_session_end(uvow__session_t *session, uvow__slice_t raw_id) {
  uvow_client_t *client = client_of(&session->callee);
  uvow__buf_t buf;
  uvow__slice_t text;
  if (!raw_id.ptr)
    return;
  uvow__buf_init(&buf, uvow__client_mem(client), SIZE_MAX);
  char *copy = NULL;
  if (uvow__session_text(raw_id, &buf, &text) == 0)
    copy = uvow__strndup(uvow__client_mem(client), text.ptr, text.len);
  if (copy)
    end_session(client, copy);
  uvow__free(uvow__client_mem(client), copy);
  uvow__buf_done(&buf);
}

int uvow_client_end_session(uvow_client_t *client, const char *session) {
  if (!client || !session)
    return UVOW_EINVAL;
  end_session(client, session);
  return 0;
}

static const uvow__session_hooks_t session_hooks = {on_event, on_stray, on_paid,
                                                    on_session_end};

static void on_idle(uvow__callee_t *callee) {
  uvow__client_maybe_close(client_of(callee));
}

static void on_sent(uvow__callee_t *callee) {
  uvow__session_pace(&client_of(callee)->session);
}

/* The server does not read the answers that it asks for: it would wait in vain.
 */
static void run_fail(uvow__task_t *task) {
  uvow_client_t *client = UVOW__CONTAINER(task, uvow_client_t, fail);
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_ELOST;
  spec.status = 1013;
  spec.detail = UVOW__SLICE("the server does not read what it asked for");
  if (client->connection)
    uvow__client_lose(client,
                      uvow__error_make(uvow__client_mem(client), &spec));
}

/* Without methods it was a refusal that could not be sent, no more. */
static void on_failed(uvow__callee_t *callee, int code) {
  uvow_client_t *client = client_of(callee);
  (void)code;
  if (callee->methods && !uvow__task_queued(&client->fail))
    uvow__runtime_push(&client->loop->rt, &client->fail);
}

static uvow_peer_t *face_of(uvow__callee_t *callee) {
  uvow_client_t *client = client_of(callee);
  if (!client->face && !client->freed)
    client->face = uvow__peer_of_client(client, client->loop, client->protocol);
  return client->face;
}

static const uvow__callee_hooks_t callee_hooks = {on_idle, on_sent, on_failed,
                                                  face_of};

void uvow__client_session_init(uvow_client_t *client,
                               const uvow_client_options_t *options) {
  uvow__session_t *session = &client->session;
  uvow__ws_channel_init(&client->ws, NULL, NULL);
  uvow__task_init(&client->fail, run_fail);
  uvow__callee_init(&session->callee, client->loop, client->protocol,
                    options->methods, &callee_hooks);
  session->callee.max_calls = options->max_calls ? options->max_calls : 65536;
  session->callee.max_bytes =
      options->max_call_bytes ? options->max_call_bytes : 32 * MIB;
  session->rtt = &client->rtt;
  session->max_unsent = client->config.max_unsent_bytes;
  session->stall_ms = 30000;
  uvow__session_init(session, &client->dispatcher, &session_hooks);
}

void uvow__client_session_use(uvow_client_t *client,
                              uvow__connection_t *connection) {
  client->ws.connection = connection;
  if (connection) {
    client->session.callee.channel = &client->ws.channel;
    return;
  }
  uvow__task_cancel(&client->fail);
  uvow__session_stop(&client->session);
  uvow__callee_drop_calls(&client->session.callee);
}

void uvow__client_session_done(uvow_client_t *client) {
  uvow__callee_done(&client->session.callee);
  uvow__peer_client_gone(client->face);
}

const uvow__session_t *uvow__peer_session(const uvow_peer_t *peer) {
  return peer->client ? &peer->client->session : &peer->session;
}
