/*
 * Peers within a session: handles to a part of what another peer carries.
 *
 *   request, notify -> the session's name -> the whole's slots and connection
 *   event with a session -> whoever listens within that, and on the whole
 *
 * 1. What is asked of one is the whole's request, with a number of its session:
 *    by that it is found when the session ends.
 * 2. It owns nothing of the whole, and ends with it.
 */
#include "within.h"

#include <stdarg.h>

#include "future/fail.h"
#include "wire/json_format.h"
#include "wire/json_pointer.h"
#include "wire/json_text.h"

static int is_within(const uvow__within_t *within, uvow__slice_t session) {
  return within->text && uvow__slice_is(session, within->text);
}

uvow__within_t *uvow__within_find(const uvow_peer_t *whole,
                                  uvow__slice_t session) {
  uvow__within_t *at = whole->kin.parts;
  while (at && !is_within(at, session))
    at = at->next;
  return at;
}

static const uvow_protocol_t *protocol_of(const uvow_peer_t *whole) {
  return whole->session.callee.protocol;
}

/* What a call says of the session's part of this name, or nothing. */
static uvow__slice_t said(const uvow__session_vars_t *vars, const char *name) {
  uvow__slice_t none = {NULL, 0};
  for (size_t i = 0; name && i < vars->count; i++)
    if (uvow__slice_is(vars->list[i].name, name))
      return vars->list[i].json;
  return none;
}

uvow__within_t *uvow__within_find_vars(const uvow_peer_t *whole,
                                       const uvow__session_vars_t *vars) {
  const uvow_protocol_t *protocol = protocol_of(whole);
  uvow__within_t *at = whole->kin.parts;
  while (at && !uvow__session_vars_match(&at->vars, protocol,
                                         said(vars, protocol->sessions[0]),
                                         said(vars, protocol->sessions[1])))
    at = at->next;
  return at;
}

void uvow__within_set_session(const uvow__within_t *within, uvow__op_t *op) {
  op->session_vars = within->vars.list;
  op->session_var_count = within->vars.count;
  if (within->text && !within->vars.count)
    op->session = (uvow__slice_t){within->text, strlen(within->text)};
}

static int give_by_vars(uvow_peer_t *whole, const uvow__msg_t *msg,
                        uvow__slice_t bytes) {
  int taken = 0;
  for (uvow__within_t *at = whole->kin.parts; at; at = at->next)
    if (uvow__session_vars_match(&at->vars, protocol_of(whole), msg->session,
                                 msg->session2))
      taken |= uvow__events_give(&at->listeners, msg, bytes);
  return taken;
}

int uvow__within_give(uvow_peer_t *whole, const uvow__msg_t *msg,
                      uvow__slice_t bytes) {
  uvow__buf_t buf;
  uvow__slice_t session;
  int taken = 0;
  if (!whole->kin.parts)
    return 0;
  if (uvow__session_is_named(protocol_of(whole)))
    return give_by_vars(whole, msg, bytes);
  uvow__buf_init(&buf, uvow__peer_mem(whole), SIZE_MAX);
  if (uvow__session_text(msg->session, &buf, &session) == 0)
    for (uvow__within_t *at = whole->kin.parts; at; at = at->next)
      if (is_within(at, session))
        taken |= uvow__events_give(&at->listeners, msg, bytes);
  uvow__buf_done(&buf);
  return taken;
}

/* ---- its end ---- */

static void remove_from(uvow_peer_t *whole, const uvow__within_t *within) {
  uvow__within_t **at = &whole->kin.parts;
  while (*at != within)
    at = &(*at)->next;
  *at = within->next;
}

void uvow__within_end(uvow__within_t *within, const uvow_error_t *error) {
  uvow_peer_t *peer = &within->peer;
  uvow_peer_t *whole = within->whole;
  uvow__error_spec_t spec = {0};
  if (uvow__peer_is_over(peer))
    return;
  peer->life.state = UVOW_PEER_CLOSED;
  peer->life.closing = error == NULL;
  peer->life.why = uvow_error_ref(error);
  remove_from(whole, within);
  within->whole = NULL;
  spec.code = UVOW_ECLOSED;
  spec.detail = UVOW__SLICE("the session has ended");
  spec.cause = error;
  if (within->text)
    uvow__dispatcher_fail_session(&whole->dispatcher, within->number, &spec);
  uvow__subscriptions_end_within(whole, within);
  uvow__events_end(&within->listeners, uvow__peer_why(peer));
  if (whole->outbox)
    uvow__outbox_pump_late(whole);
}

void uvow__within_end_session(uvow_peer_t *whole, uvow__slice_t session) {
  uvow__error_spec_t spec = {0};
  uvow__within_t *within = uvow__within_find(whole, session);
  if (!within)
    return;
  spec.code = UVOW_ECLOSED;
  spec.detail = UVOW__SLICE("the peer has ended the session");
  uvow_error_t *error = uvow__error_make(uvow__peer_mem(whole), &spec);
  for (; within; within = uvow__within_find(whole, session))
    uvow__within_end(within, error);
  uvow_error_unref(error);
}

void uvow__within_end_all(uvow_peer_t *whole, const uvow_error_t *error) {
  while (whole->kin.parts)
    uvow__within_end(whole->kin.parts, error);
}

void uvow__within_free(uvow__within_t *within) {
  uvow_loop_t *loop = within->peer.loop;
  uvow__events_done(&within->listeners);
  uvow_error_unref(within->peer.life.why);
  uvow__free(uvow__loop_mem(loop), within->text);
  uvow__vars_done(&within->vars);
  uvow__free(uvow__loop_mem(loop), within);
  uvow__loop_unpin(loop);
}

/* ---- made ---- */

uvow__within_t *uvow__within_first(uvow_peer_t *whole) {
  uvow__within_t *within =
      (uvow__within_t *)uvow__calloc(uvow__peer_mem(whole), sizeof(*within));
  if (!within)
    return NULL;
  uvow_peer_t *peer = &within->peer;
  peer->loop = whole->loop;
  peer->refs = 1;
  peer->kin.within = within;
  peer->life.was_open = 1;
  peer->life.state = UVOW_PEER_OPEN;
  (void)uvow__vars_init(&within->vars, uvow__peer_mem(whole), NULL);
  uvow__list_init(&peer->kin.groups);
  uvow__task_init(&peer->notices.closed, NULL);
  uvow__events_init(&within->listeners, &whole->loop->rt);
  within->whole = whole;
  within->next = whole->kin.parts;
  whole->kin.parts = within;
  whole->loop->rt.pins++; /* the whole ends it before the loop has closed */
  return within;
}

static uvow__within_t *within_new(uvow_peer_t *whole, uvow__slice_t session) {
  const uvow__mem_t *mem = uvow__peer_mem(whole);
  char *text = uvow__strndup(mem, session.ptr, session.len);
  uvow__within_t *within = text ? uvow__within_first(whole) : NULL;
  if (!within) {
    uvow__free(mem, text);
    return NULL;
  }
  within->text = text;
  within->number = uvow__intern(&whole->names.sessions, text) & 0x1FFF;
  return within;
}

/* The value of the only member of an object, as it was written here: a string,
 * or nothing. */
static uvow__slice_t only_member(uvow__slice_t object) {
  uvow__json_items_t items = uvow__json_items(object);
  uvow__slice_t value = {NULL, 0};
  uvow__slice_t name, other;
  if (*object.ptr == '{' && uvow__json_items_next(&items, &name, &value) &&
      (*value.ptr != '"' || uvow__json_items_next(&items, &name, &other)))
    value.ptr = NULL;
  return value;
}

/* Of a session with names: members are all that is known of it. */
static uvow_peer_t *make_named(uvow_peer_t *whole, uvow__slice_t members) {
  uvow__within_t *within = within_new(whole, members);
  int rc = UVOW_ENOMEM;
  if (within)
    rc = uvow__vars_init(&within->vars, uvow__peer_mem(whole), within->text);
  if (rc == 0 && within->vars.count == 0)
    rc = UVOW_EINVAL;
  if (rc == 0)
    return &within->peer;
  if (rc == UVOW_EINVAL)
    uvow__fail(whole->loop, rc, "format",
               "must be that of an object with members");
  if (within)
    uvow_peer_unref(&within->peer);
  return NULL;
}

static uvow_peer_t *make(uvow_peer_t *whole, uvow__slice_t members) {
  uvow_loop_t *loop = whole->loop;
  if (uvow__session_is_named(protocol_of(whole)))
    return make_named(whole, members);
  uvow__within_t *within = NULL;
  uvow__slice_t session = only_member(members);
  uvow__slice_t text;
  uvow__buf_t buf;
  if (!session.ptr || session.len == 2) {
    uvow__fail(loop, UVOW_EINVAL, "format",
               "must be that of an object with one member, a string");
    return NULL;
  }
  uvow__buf_init(&buf, uvow__loop_mem(loop), SIZE_MAX);
  if (uvow__session_text(session, &buf, &text) == 0)
    within = within_new(whole, text);
  uvow__buf_done(&buf);
  return within ? &within->peer : NULL;
}

/* Why there can't be one, or NULL. */
static const char *fault_of(const uvow_peer_t *peer) {
  if (peer->kin.within)
    return "is within a session already";
  if (uvow__peer_is_over(peer))
    return "is closed";
  return NULL;
}

uvow_peer_t *uvow_peer_within(uvow_peer_t *peer, const char *format, ...) {
  uvow_peer_t *within = NULL;
  va_list args;
  if (!peer)
    return NULL;
  uvow_loop_t *loop = peer->loop;
  uvow__buf_t *text = &loop->params;
  const char *fault = fault_of(peer);
  text->max = SIZE_MAX;
  va_start(args, format);
  int rc = format ? uvow__json_format(text, format, args) : UVOW_EINVAL;
  va_end(args);
  if (fault)
    uvow__fail(loop, peer->kin.within ? UVOW_EINVAL : UVOW_ECLOSED, "the peer",
               fault);
  else if (rc)
    uvow__fail(loop, rc, "format", "can't be written as JSON");
  else
    within = make(peer, (uvow__slice_t){(const char *)uvow__buf_front(text),
                                        uvow__buf_size(text)});
  uvow__buf_clear(text, UVOW__READ_SIZE);
  return within;
}
