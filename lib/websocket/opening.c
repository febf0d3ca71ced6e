/*
 * The opening handshake of a connection, from its first byte to OPEN.
 *
 *   client: HANDSHAKE --101--> OPEN
 *           HANDSHAKE --another status--> REFUSED --its body, the end, or the
 *                       deadline--> DONE, with what the server said
 *   server: HANDSHAKE --on_request--> AWAITING --uvow__connection_answer-->
 *                       OPEN or DONE
 *
 * 1. Whoever decides on a handshake isn't called from here but by a task: user
 *    code never runs on the socket's stack. What comes meanwhile is kept, up to
 *    UVOW__EARLY_MAX bytes, and the deadline goes on.
 * 2. What a server says of a refusal is kept up to REFUSAL_HEAD and
 *    UVOW__BODY_MAX bytes, and waited for no longer than for the handshake.
 */
#include "connection_private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "intake.h"

#define REFUSAL_HEAD 8192 /* bytes of a refusing head that are kept */
#define REASON 104        /* bytes, with its NUL, that are shown in a message */
#define LOCATION 256

int uvow__ws_opening_init(uvow__connection_t *c, uvow__http_role_t role) {
  const uvow__mem_t *mem = uvow__connection_mem(c);
  c->opening = (uvow__ws_opening_t *)uvow__calloc(mem, sizeof(*c->opening));
  if (!c->opening)
    return UVOW_ENOMEM;
  uvow__http_init(&c->opening->http, mem, role, UVOW__HTTP_MAX_HEAD);
  uvow__buf_init(&c->opening->early, mem, UVOW__EARLY_MAX);
  return 0;
}

void uvow__ws_opening_done(uvow__connection_t *c) {
  uvow__ws_opening_t *opening = c->opening;
  if (!opening)
    return;
  uvow__http_done(&opening->http);
  uvow__body_done(&opening->body);
  uvow__buf_done(&opening->early);
  uvow__free(uvow__connection_mem(c), opening);
  c->opening = NULL;
}

static int is_redirect(int status) {
  return status >= 300 && status <= 399;
}

static const char *const *subprotocols_of(const uvow__connection_t *c) {
  return (const char *const *)c->config->subprotocols.at;
}

/* All that the server says of it is there, or all that it will say. */
void uvow__opening_report(uvow__connection_t *c) {
  char detail[160 + REASON + LOCATION];
  char reason[REASON], location[LOCATION] = "";
  uvow__error_spec_t spec = {0};
  uvow__slice_t to;
  uvow__buf_t *head = &c->opening->http.head;
  uvow__buf_t *body = &c->opening->body.bytes;
  spec.code = UVOW_EHANDSHAKE;
  spec.status = uvow__http_status(&c->opening->http);
  if (is_redirect(spec.status) &&
      uvow__http_header(&c->opening->http, "Location", &to) == 1)
    uvow__text_shown(location, sizeof(location), to);
  uvow__text_shown(reason, sizeof(reason),
                   uvow__http_reason(&c->opening->http));
  int len =
      snprintf(detail, sizeof(detail), "the server answered HTTP %d %s%s%s",
               spec.status, reason, location[0] ? ", to " : "", location);
  spec.detail = (uvow__slice_t){detail, (size_t)len};
  spec.head.ptr = (const char *)uvow__buf_front(head);
  spec.head.len = uvow__buf_size(head);
  if (spec.head.len > REFUSAL_HEAD)
    spec.head.len = REFUSAL_HEAD;
  spec.data.len = uvow__buf_size(body);
  spec.data.ptr = spec.data.len ? (const char *)uvow__buf_front(body) : "";
  uvow__connection_ended(c, uvow__error_make(uvow__connection_mem(c), &spec));
}

static void refused(uvow__connection_t *c, int code, const char *why) {
  if (code != UVOW_EHANDSHAKE) {
    uvow__connection_fail(c, code, uvow__http_status(&c->opening->http), why,
                          NULL);
    return;
  }
  c->state = REFUSED;
  uvow__body_init(&c->opening->body, uvow__connection_mem(c),
                  &c->opening->http);
  if (uvow__body_complete(&c->opening->body))
    uvow__opening_report(c);
}

/* The server speaks none of what the session's protocol is spoken in. */
static void refuse_subprotocol(uvow__connection_t *c) {
  const uvow__texts_t *offered = &c->config->subprotocols;
  uvow__slice_t chosen = {"", 0};
  char text[240];
  (void)uvow__http_header(&c->opening->http, "Sec-WebSocket-Protocol", &chosen);
  if (chosen.len)
    snprintf(text, sizeof(text),
             "the server agreed on the subprotocol %.*s, where %.80s was "
             "offered",
             chosen.len < 80 ? (int)chosen.len : 80, chosen.ptr,
             offered->at[0]);
  else
    snprintf(text, sizeof(text),
             "the server agreed on no subprotocol, where %.80s was offered",
             offered->at[0]);
  uvow__connection_fail(c, UVOW_EPROTOCOL, uvow__http_status(&c->opening->http),
                        text, NULL);
}

static void check_response(uvow__connection_t *c) {
  const char *subprotocol = NULL;
  const char *why = NULL;
  int status = uvow__http_status(&c->opening->http);
  if (status == 100 || status == 102 || status == 103) {
    uvow__http_reset(
        &c->opening->http); /* interim: the answer comes behind it */
    return;
  }
  int rc = uvow__handshake_check_response(
      &c->opening->http, c->opening->key, subprotocols_of(c),
      c->config->subprotocols.count, &c->terms.terms, &subprotocol, &why);
  if (c->config->must_agree && (rc == 0 ? !subprotocol : rc == UVOW_EPROTO)) {
    refuse_subprotocol(c);
    return;
  }
  if (rc) {
    refused(c, rc, why);
    return;
  }
  if (c->callbacks->on_response)
    c->callbacks->on_response(c->ctx, &c->opening->http, subprotocol);
  uvow__connection_opened(c);
}

static void refuse(uvow__connection_t *c, int status, const char *why) {
  uvow__handshake_write_refusal(&c->out, status, why);
  uvow__connection_write_last(c);
  uvow__connection_fail(c, UVOW_EHANDSHAKE, status, why, NULL);
}

static void accept_request(uvow__connection_t *c, const char *subprotocol) {
  uvow__slice_t key = {"", 0};
  char extensions[UVOW__EXTENSION_TEXT];
  (void)uvow__http_header(&c->opening->http, "Sec-WebSocket-Key", &key);
  uvow__extension_choose(&c->opening->http, &c->terms.terms);
  uvow__extension_answer(&c->terms.terms, extensions);
  int rc = uvow__handshake_write_accept(&c->out, key, subprotocol, extensions,
                                        NULL, 0);
  if (rc) {
    uvow__connection_fail(c, rc, 0, NULL, NULL);
    return;
  }
  uvow__connection_write_late(c);
  uvow__connection_opened(c);
}

static void check_request(uvow__connection_t *c) {
  uvow__handshake_accepted_t accepted;
  int status = 0;
  if (uvow__handshake_check_request(&c->opening->http, &accepted)) {
    refuse(c, accepted.status, accepted.why);
    return;
  }
  if (c->callbacks->on_request)
    status = c->callbacks->on_request(c->ctx, &c->opening->http);
  if (status == UVOW__AWAIT)
    c->state = AWAITING;
  else if (status)
    refuse(c, status, "not welcome");
  else
    uvow__connection_answer(c, 101,
                            uvow__handshake_choose_subprotocol(
                                &c->opening->http, subprotocols_of(c),
                                c->config->subprotocols.count),
                            NULL);
}

void uvow__connection_answer(uvow__connection_t *c, int status,
                             const char *subprotocol, const char *text) {
  assert(c->state == HANDSHAKE || c->state == AWAITING);
  uvow__buf_t early = c->opening->early;
  uvow__buf_init(&c->opening->early, early.mem, early.max);
  if (status != 101)
    refuse(c, status, text);
  else
    accept_request(c, subprotocol);
  if (c->state != DONE && uvow__buf_size(&early))
    uvow__intake_feed(c, uvow__buf_front(&early), uvow__buf_size(&early));
  uvow__buf_done(&early);
}

/* What comes before the answer that it must wait for. */
static void keep_early(uvow__connection_t *c, const uint8_t *bytes,
                       size_t len) {
  int rc = uvow__buf_append(&c->opening->early, bytes, len);
  if (rc)
    uvow__connection_fail(
        c, rc, 0, "too much came before the handshake was answered", NULL);
}

/* A server answers what it can't read, too. */
static void unreadable(uvow__connection_t *c, int rc) {
  char detail[128];
  const char *why = uvow__http_why(&c->opening->http);
  if (why)
    snprintf(detail, sizeof(detail), "the %s is too large: %s",
             c->is_server ? "client's handshake"
                          : "server's answer to the handshake",
             why);
  if (c->is_server) {
    uvow__handshake_write_refusal(&c->out, why ? 431 : 400,
                                  why ? detail : uvow_strerror(rc));
    uvow__connection_write_last(c);
  }
  uvow__connection_fail(c, rc, 0, why ? detail : NULL, NULL);
}

static size_t read_head(uvow__connection_t *c, const uint8_t *bytes,
                        size_t len) {
  size_t used = len;
  int rc = uvow__http_feed(&c->opening->http, bytes, len, &used);
  if (rc < 0)
    unreadable(c, rc);
  else if (rc == 0 && c->is_server)
    check_request(c);
  else if (rc == 0)
    check_response(c);
  return used;
}

size_t uvow__opening_read(uvow__connection_t *c, const uint8_t *bytes,
                          size_t len) {
  if (c->state == HANDSHAKE)
    return read_head(c, bytes, len);
  if (c->state == AWAITING)
    keep_early(c, bytes, len);
  else if (uvow__body_feed(&c->opening->body, bytes, len))
    uvow__opening_report(c);
  return len;
}

int uvow__opening_request(uvow__connection_t *c, const uvow__target_t *target) {
  uint8_t nonce[UVOW__HANDSHAKE_NONCE];
  char extensions[UVOW__EXTENSION_TEXT];
  uvow__handshake_request_t request = {0};
  int rc = uvow__loop_random(c->loop, nonce, sizeof(nonce));
  if (rc)
    return rc;
  uvow__handshake_key(nonce, c->opening->key);
  request.target = target->url.target;
  request.authority = target->url.authority;
  request.user = target->url.user;
  request.password = target->url.password;
  request.key = c->opening->key;
  request.subprotocols = subprotocols_of(c);
  request.subprotocol_count = c->config->subprotocols.count;
  uvow__extension_offer(&c->terms.terms, extensions);
  request.extensions = extensions;
  request.bearer = c->config->connect.bearer;
  request.origin = c->config->connect.origin;
  request.headers = target->headers;
  request.header_count = target->header_count;
  return uvow__handshake_write_request(&c->out, &request);
}
