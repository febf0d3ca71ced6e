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

#include <stdio.h>
#include <string.h>

#include "intake.h"

#define REFUSAL_HEAD 8192 /* bytes of a refusing head that are kept */

/* All that the server says of it is there, or all that it will say. */
void uvow__opening_report(uvow__connection_t *c) {
  char detail[160];
  uvow__error_spec_t spec = {0};
  uvow__slice_t reason = uvow__http_reason(&c->http);
  uvow__buf_t *head = &c->http.head;
  uvow__buf_t *body = &c->body.bytes;
  int shown = reason.len > 100 ? 100 : (int)reason.len;
  spec.code = UVOW_EHANDSHAKE;
  spec.status = uvow__http_status(&c->http);
  int len = snprintf(detail, sizeof(detail), "the server answered HTTP %d %.*s",
                     spec.status, shown, shown ? reason.ptr : "");
  spec.detail = (uvow__slice_t){detail, (size_t)len};
  spec.head.ptr = (const char *)uvow__buf_front(head);
  spec.head.len = uvow__buf_size(head);
  if (spec.head.len > REFUSAL_HEAD)
    spec.head.len = REFUSAL_HEAD;
  spec.data.len = uvow__buf_size(body);
  spec.data.ptr = spec.data.len ? (const char *)uvow__buf_front(body) : "";
  uvow__connection_finish(c, uvow__error_make(uvow__connection_mem(c), &spec));
}

static void refused(uvow__connection_t *c, int code, const char *why) {
  if (code != UVOW_EHANDSHAKE) {
    uvow__connection_fail(c, code, uvow__http_status(&c->http), why, NULL);
    return;
  }
  c->state = REFUSED;
  uvow__body_init(&c->body, uvow__connection_mem(c), &c->http);
  if (uvow__body_complete(&c->body))
    uvow__opening_report(c);
}

static void check_response(uvow__connection_t *c) {
  const char *subprotocol;
  const char *why = NULL;
  int status = uvow__http_status(&c->http);
  if (status == 100 || status == 102 || status == 103) {
    uvow__http_reset(&c->http); /* interim: the answer comes behind it */
    return;
  }
  int rc = uvow__handshake_check_response(&c->http, c->key, c->subprotocols,
                                          c->subprotocol_count, &c->terms.terms,
                                          &subprotocol, &why);
  if (rc)
    refused(c, rc, why);
  else
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
  (void)uvow__http_header(&c->http, "Sec-WebSocket-Key", &key);
  uvow__extension_choose(&c->http, &c->terms.terms);
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
  if (uvow__handshake_check_request(&c->http, &accepted)) {
    refuse(c, accepted.status, accepted.why);
    return;
  }
  if (c->callbacks && c->on_request)
    status = c->on_request(c->ctx, &c->http);
  if (status == UVOW__AWAIT)
    c->state = AWAITING;
  else if (status)
    refuse(c, status, "not welcome");
  else
    uvow__connection_answer(
        c, 101,
        uvow__handshake_choose_subprotocol(&c->http, c->subprotocols,
                                           c->subprotocol_count),
        NULL);
}

void uvow__connection_answer(uvow__connection_t *c, int status,
                             const char *subprotocol, const char *text) {
  if (c->state != HANDSHAKE && c->state != AWAITING)
    return;
  if (status != 101)
    refuse(c, status, text);
  else
    accept_request(c, subprotocol);
  if (c->state != DONE && uvow__buf_size(&c->early))
    uvow__intake_feed(c, uvow__buf_front(&c->early), uvow__buf_size(&c->early));
  uvow__buf_done(&c->early);
}

/* What comes before the answer that it must wait for. */
static void keep_early(uvow__connection_t *c, const uint8_t *bytes,
                       size_t len) {
  int rc = uvow__buf_append(&c->early, bytes, len);
  if (rc)
    uvow__connection_fail(
        c, rc, 0, "too much came before the handshake was answered", NULL);
}

/* A server answers what it can't read, too. */
static void unreadable(uvow__connection_t *c, int rc) {
  if (c->is_server) {
    uvow__handshake_write_refusal(&c->out, rc == UVOW_ETOOBIG ? 431 : 400,
                                  uvow_strerror(rc));
    uvow__connection_write_last(c);
  }
  uvow__connection_fail(c, rc, 0, NULL, NULL);
}

static size_t read_head(uvow__connection_t *c, const uint8_t *bytes,
                        size_t len) {
  size_t used = len;
  int rc = uvow__http_feed(&c->http, bytes, len, &used);
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
  else if (uvow__body_feed(&c->body, bytes, len))
    uvow__opening_report(c);
  return len;
}

int uvow__opening_request(uvow__connection_t *c,
                          const uvow__connection_config_t *config) {
  uint8_t nonce[UVOW__HANDSHAKE_NONCE];
  char extensions[UVOW__EXTENSION_TEXT];
  uvow__handshake_request_t request = {0};
  int rc = uvow__loop_random(c->loop, nonce, sizeof(nonce));
  if (rc)
    return rc;
  uvow__handshake_key(nonce, c->key);
  request.target = config->url->target;
  request.authority = config->url->authority;
  request.user = config->url->user;
  request.password = config->url->password;
  request.key = c->key;
  request.subprotocols = config->subprotocols;
  request.subprotocol_count = config->subprotocol_count;
  uvow__extension_offer(&config->deflate.terms, extensions);
  request.extensions = extensions;
  request.bearer = config->bearer;
  request.origin = config->origin;
  request.headers = config->headers;
  request.header_count = config->header_count;
  return uvow__handshake_write_request(&c->out, &request);
}
