/*
 * An io through a proxy: HTTP CONNECT, RFC 9110 9.3.6.
 *
 *   connect -> (below: on_open) -> ask -> (below: on_read) shake -> opened
 *                                                  |            (on_open)
 *                           another status: on_end +
 *   open: what comes and goes is passed on as it is
 *   close -> close below -> (below: on_closed) -> freed
 *
 * 1. What stands behind the proxy's head is the server's first bytes.
 * 2. Before it's open, every failure is UVOW_EPROXY, and names the proxy; what
 *    failed below is its cause. Neither user nor password is in any message.
 * 3. After on_end no more is called back but on_closed.
 */
#include "tunnel.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "net/loop.h"
#include "wire/handshake.h"

typedef enum state { CONNECTING, ASKING, OPEN, ENDED, CLOSED } state_t;

typedef struct tunnel {
  uvow__io_t io; /* first */
  uvow_loop_t *loop;
  uvow__io_t *lower;
  state_t state;
  uvow__http_t http;
  uvow__buf_t out; /* the request */
  char *name;      /* the proxy's, for messages */
} tunnel_t;

static void free_tunnel(tunnel_t *t) {
  uvow__http_done(&t->http);
  uvow__buf_done(&t->out);
  uvow__free(uvow__loop_mem(t->loop), t->name);
  uvow__free(uvow__loop_mem(t->loop), t);
}

/* Errors. */

/* "the proxy NAME WHAT", and why. */
static uvow_error_t *make_error(const tunnel_t *t, int status, const char *what,
                                const uvow_error_t *cause) {
  char detail[512];
  uvow__error_spec_t spec = {0};
  int len = snprintf(detail, sizeof(detail), "the proxy %.100s %.150s%s%.200s",
                     t->name, what, cause ? ": " : "",
                     cause ? uvow_error_message(cause) : "");
  spec.code = UVOW_EPROXY;
  spec.status = status;
  spec.detail.ptr = detail;
  spec.detail.len = (size_t)len;
  spec.cause = cause;
  return uvow__error_make(uvow__loop_mem(t->loop), &spec);
}

/* It's over: takes the error; NULL: in order. */
static void end(tunnel_t *t, uvow_error_t *error) {
  t->state = ENDED;
  t->io.callbacks->on_end(t->io.ctx, error);
}

static void fail(tunnel_t *t, int code) {
  uvow_error_t *cause =
      uvow__error_code(uvow__loop_mem(t->loop), code, UVOW_OUTCOME_NONE);
  if (code == UVOW_ENOMEM) { /* not the proxy's fault */
    end(t, cause);
    return;
  }
  const char *why = uvow__http_why(&t->http);
  if (why) {
    char what[128];
    snprintf(what, sizeof(what), "answered with too much: %s", why);
    end(t, make_error(t, 0, what, cause));
    uvow_error_unref(cause);
    return;
  }
  uvow_error_t *error =
      make_error(t, 0,
                 code == UVOW_EHTTP ? "answered with what can't be read"
                                    : "could not be asked",
                 cause);
  uvow_error_unref(cause);
  end(t, error);
}

static uvow_error_t *tunnel_trouble(const uvow__io_t *io) {
  const tunnel_t *t = (const tunnel_t *)(const void *)io;
  if (t->state == ASKING)
    return make_error(t, 0, "has not answered yet", NULL);
  if (t->state != CONNECTING)
    return NULL;
  uvow_error_t *below = uvow__io_trouble(t->lower);
  uvow_error_t *error = make_error(t, 0, "is not reached yet", below);
  uvow_error_unref(below);
  return error;
}

static int tunnel_who(const uvow__io_t *io, int what, uvow__buf_t *out) {
  return uvow__io_who(((const tunnel_t *)(const void *)io)->lower, what, out);
}

/* The handshake. */

static void refused(tunnel_t *t, int status) {
  char what[160], reason[104];
  uvow__text_shown(reason, sizeof(reason), uvow__http_reason(&t->http));
  snprintf(what, sizeof(what), "answered HTTP %d %s", status, reason);
  end(t, make_error(t, status, what, NULL));
}

static void answered(tunnel_t *t) {
  int status = uvow__http_status(&t->http);
  if (status == 100 || status == 102 || status == 103) {
    uvow__http_reset(&t->http); /* interim: the answer comes behind it */
  } else if (status < 200 || status > 299) {
    refused(t, status);
  } else {
    uvow__http_done(&t->http);
    t->state = OPEN;
    t->io.writing = t->lower->writing;
    t->io.callbacks->on_open(t->io.ctx);
  }
}

/* The io below. */

static void on_lower_open(void *ctx) {
  tunnel_t *t = (tunnel_t *)ctx;
  t->state = ASKING;
  int rc = t->lower->ops->write(t->lower, &t->out);
  if (rc)
    fail(t, rc);
}

static void on_lower_read(void *ctx, const uint8_t *bytes, size_t len) {
  tunnel_t *t = (tunnel_t *)ctx;
  while (len && t->state == ASKING) {
    size_t used = len;
    int rc = uvow__http_feed(&t->http, bytes, len, &used);
    if (rc < 0)
      fail(t, rc);
    else if (rc == 0)
      answered(t);
    bytes += used;
    len -= used;
  }
  if (len && t->state == OPEN)
    t->io.callbacks->on_read(t->io.ctx, bytes, len);
}

static void on_lower_drained(void *ctx) {
  tunnel_t *t = (tunnel_t *)ctx;
  if (t->state != OPEN)
    return;
  t->io.writing = 0;
  t->io.callbacks->on_drained(t->io.ctx);
}

static void on_lower_end(void *ctx, uvow_error_t *error) {
  tunnel_t *t = (tunnel_t *)ctx;
  uvow_error_t *cause = error;
  if (t->state == ENDED) {
    uvow_error_unref(error);
    return;
  }
  if (t->state != OPEN) {
    error = make_error(t, 0,
                       t->state == CONNECTING
                           ? "can't be reached"
                           : "ended the connection before it answered",
                       cause);
    uvow_error_unref(cause);
  }
  end(t, error);
}

static void on_lower_closed(void *ctx) {
  tunnel_t *t = (tunnel_t *)ctx;
  const uvow__io_callbacks_t *callbacks = t->io.callbacks;
  void *own_ctx = t->io.ctx;
  free_tunnel(t);
  callbacks->on_closed(own_ctx);
}

static const uvow__io_callbacks_t lower_callbacks = {
    on_lower_open, on_lower_read, on_lower_drained, on_lower_end,
    on_lower_closed};

/* The io. */

static int tunnel_write(uvow__io_t *io, uvow__buf_t *out) {
  tunnel_t *t = (tunnel_t *)(void *)io;
  int rc = t->lower->ops->write(t->lower, out);
  io->writing = t->lower->writing;
  return rc;
}

static void tunnel_close(uvow__io_t *io) {
  tunnel_t *t = (tunnel_t *)(void *)io;
  t->state = CLOSED;
  t->lower->ops->close(t->lower);
}

static void tunnel_hold(uvow__io_t *io, int hold) {
  tunnel_t *t = (tunnel_t *)(void *)io;
  t->lower->ops->hold(t->lower, hold);
}

static void tunnel_pause(uvow__io_t *io, int pause) {
  tunnel_t *t = (tunnel_t *)(void *)io;
  if (t->state == OPEN)
    t->lower->ops->pause(t->lower, pause);
}

static size_t tunnel_unsent(const uvow__io_t *io) {
  const tunnel_t *t = (const tunnel_t *)(const void *)io;
  return t->lower->ops->unsent(t->lower);
}

static const uvow__io_ops_t tunnel_ops = {
    tunnel_write, tunnel_close, tunnel_hold, tunnel_pause, tunnel_unsent};

/* Making one. */

/* Whom the proxy is to connect to: RFC 9110 7.2, and always with a port. */
static int put_authority(uvow__buf_t *out, const uvow__endpoint_t *endpoint) {
  int is_ipv6 = strchr(endpoint->host, ':') != NULL;
  int rc = is_ipv6 ? uvow__buf_append_text(out, "[") : 0;
  if (rc == 0)
    rc = uvow__buf_append_text(out, endpoint->host);
  if (rc == 0)
    rc = uvow__buf_append_text(out, is_ipv6 ? "]:" : ":");
  return rc ? rc : uvow__buf_append_u64(out, endpoint->port);
}

static int put_request(uvow__buf_t *out, const uvow__endpoint_t *endpoint,
                       const uvow__url_t *proxy) {
  int rc = uvow__buf_append_text(out, "CONNECT ");
  if (rc == 0)
    rc = put_authority(out, endpoint);
  if (rc == 0)
    rc = uvow__buf_append_text(out, " HTTP/1.1\r\nHost: ");
  if (rc == 0)
    rc = put_authority(out, endpoint);
  if (rc == 0)
    rc = uvow__buf_append_text(out, "\r\n");
  if (rc == 0 && proxy->user)
    rc = uvow__handshake_write_basic(out, "Proxy-Authorization", proxy->user,
                                     proxy->password);
  return rc ? rc : uvow__buf_append_text(out, "\r\n");
}

static int tunnel_connect(const uvow__transport_t *transport, uvow_loop_t *loop,
                          const uvow__endpoint_t *endpoint,
                          const uvow__io_callbacks_t *callbacks, void *ctx,
                          uvow__io_t **ret_io) {
  const uvow__tunnel_transport_t *self =
      (const uvow__tunnel_transport_t *)(const void *)transport;
  const uvow__mem_t *mem = uvow__loop_mem(loop);
  uvow__endpoint_t to_proxy = {0};
  tunnel_t *t = (tunnel_t *)uvow__calloc(mem, sizeof(*t));
  if (!t)
    return UVOW_ENOMEM;
  t->io.ops = &tunnel_ops;
  t->io.callbacks = callbacks;
  t->io.ctx = ctx;
  t->io.trouble = tunnel_trouble;
  t->io.who = tunnel_who;
  t->loop = loop;
  uvow__http_init(&t->http, mem, UVOW__HTTP_TUNNEL, UVOW__HTTP_MAX_HEAD);
  uvow__buf_init(&t->out, mem, SIZE_MAX);
  const char *name = self->proxy->authority;
  t->name = uvow__strdup(mem, name);
  int rc = t->name ? put_request(&t->out, endpoint, self->proxy) : UVOW_ENOMEM;
  to_proxy.host = self->proxy->host;
  to_proxy.port = self->proxy->port;
  to_proxy.keepalive_s = endpoint->keepalive_s;
  if (rc == 0)
    rc = self->lower->connect(self->lower, loop, &to_proxy, &lower_callbacks, t,
                              &t->lower);
  if (rc)
    free_tunnel(t);
  else
    *ret_io = &t->io;
  return rc;
}

void uvow__tunnel_transport_init(uvow__tunnel_transport_t *transport,
                                 const uvow__transport_t *lower,
                                 const uvow__url_t *proxy) {
  transport->transport.connect = tunnel_connect;
  transport->transport.listen = NULL; /* a proxy's peers are its own */
  transport->transport.accept = NULL;
  transport->lower = lower;
  transport->proxy = proxy;
}
