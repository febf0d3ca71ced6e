/*
 * Connecting: the addresses of a name raced as in RFC 8305, or one path.
 *
 *   begin: lookup -> on_resolved -> try_next -> (250 ms) try_next ...
 *  (a path, address:) run_begin ----^   ^  |
 *                                      |  +-> on_attempt: connected -> won
 *                     failed: at once -+      (the other attempts are closed)
 *                     the last: lost
 *   cancel: all attempts are closed; freed
 *
 * 1. IPv6 first, then the families in turn; within one, in the resolver's
 *    order, which is that of RFC 6724.
 * 2. A socket that is being closed has no owner: what libuv still calls back
 *    for it is ignored.
 * 3. Before on_connected or on_failed is called, the connector is freed.
 * 4. There's no limit of time here: whoever connects has one, and cancels.
 */
#include "connect.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "lookup.h"

typedef struct attempt {
  uvow__connector_t *connector;
  const struct sockaddr *address; /* NULL: the path */
  uvow__socket_t *socket;         /* under way; else NULL */
  uvow_error_t *error;            /* why it failed, or NULL */
} attempt_t;

struct uvow__connector {
  uvow_loop_t *loop;
  const uvow__connector_callbacks_t *callbacks;
  void *ctx;
  uvow__lookup_t *lookup; /* under way; else NULL */
  int unresolved;         /* the resolver's error */
  struct addrinfo *addresses;
  attempt_t *attempts;
  size_t count;
  size_t next;
  size_t under_way;
  uvow__deadline_t pause; /* until the next attempt */
  uvow__task_t begin;
  char *host; /* or the path */
  int is_path;
  uint16_t port;
  struct sockaddr_storage literal; /* what host is, if it's an address */
};

static const uvow__network_t system_network = {uv_getaddrinfo, uv_freeaddrinfo,
                                               uv_tcp_connect};

const uvow__network_t *uvow__network_of(const uvow_loop_t *loop) {
  return loop->network ? loop->network : &system_network;
}

static void free_connector(uvow__connector_t *c) {
  uvow_loop_t *loop = c->loop;
  const uvow__mem_t *mem = uvow__loop_mem(loop);
  uvow__wheel_disarm(&c->pause);
  uvow__task_cancel(&c->begin);
  if (c->lookup)
    uvow__lookup_cancel(c->lookup);
  for (size_t i = 0; i < c->count; i++) {
    uvow_error_unref(c->attempts[i].error);
    if (c->attempts[i].socket)
      uvow__socket_close(c->attempts[i].socket, NULL);
  }
  if (c->addresses)
    uvow__network_of(loop)->free_addresses(c->addresses);
  uvow__free(mem, c->attempts);
  uvow__free(mem, c->host);
  uvow__free(mem, c);
  uvow__loop_stream_closed(loop);
}

/* Errors. */

#define DETAIL 512 /* bytes */

static uvow_error_t *make_error(const uvow__connector_t *c, int code,
                                const char *detail, int len,
                                const uvow_error_t *const *causes,
                                size_t count) {
  uvow__error_spec_t spec = {0};
  spec.code = code;
  spec.detail.ptr = detail;
  spec.detail.len = len < DETAIL ? (size_t)len : DETAIL - 1;
  spec.causes = causes;
  spec.cause_count = count;
  return uvow__error_make(uvow__loop_mem(c->loop), &spec);
}

/* The end of a sentence: what became of an attempt; address NULL: the path, or
 * there's none. */
static uvow_error_t *attempt_error(const uvow__connector_t *c,
                                   const struct sockaddr *address, int code,
                                   const char *what) {
  char name[64] = "?";
  char detail[DETAIL];
  int len;
  if (address)
    (void)uv_ip_name(address, name, sizeof(name));
  if (c->is_path)
    len = snprintf(detail, sizeof(detail), "connect to %.200s: %s", c->host,
                   what);
  else if (address)
    len = snprintf(detail, sizeof(detail), "connect to %.200s (%s) port %u: %s",
                   c->host, name, (unsigned)c->port, what);
  else
    len = snprintf(detail, sizeof(detail), "connect to %.200s port %u: %s",
                   c->host, (unsigned)c->port, what);
  return make_error(c, code, detail, len, NULL, 0);
}

/* Of the machine rather than of the peer: says less. */
static int is_local(int code) {
  return code == UV_ENETUNREACH || code == UV_EADDRNOTAVAIL ||
         code == UV_EAFNOSUPPORT;
}

/* One error of all these attempts: takes them. */
static uvow_error_t *sum_up(const uvow__connector_t *c, uvow_error_t **errors,
                            size_t count) {
  char detail[DETAIL];
  const uvow_error_t *telling = errors[count - 1];
  if (count == 1)
    return errors[0];
  for (size_t i = count; i-- && is_local(uvow_error_code(telling));)
    telling = errors[i];
  if (is_local(uvow_error_code(telling)))
    telling = errors[count - 1];
  int len = snprintf(
      detail, sizeof(detail),
      "connect to %.200s port %u: none of %zu addresses%s "
      "took the connection; %.200s",
      c->host, (unsigned)c->port, count,
      count == UVOW__CONNECT_ADDRESSES ? ", and no more are tried," : "",
      uvow_error_message(telling));
  uvow_error_t *sum = make_error(c, uvow_error_code(telling), detail, len,
                                 (const uvow_error_t *const *)errors, count);
  for (size_t i = 0; i < count; i++)
    uvow_error_unref(errors[i]);
  return sum;
}

uvow_error_t *uvow__connect_trouble(const uvow__connector_t *c) {
  uvow_error_t *errors[UVOW__CONNECT_ADDRESSES];
  size_t count = 0;
  for (size_t i = 0; i < c->next; i++) {
    const attempt_t *attempt = &c->attempts[i];
    errors[count++] =
        attempt->error
            ? uvow_error_ref(attempt->error)
            : attempt_error(c, attempt->address, UV_ETIMEDOUT, "no answer yet");
  }
  if (count)
    return sum_up(c, errors, count);
  if (c->unresolved)
    return attempt_error(c, NULL, c->unresolved, uvow_strerror(c->unresolved));
  return attempt_error(c, NULL, UV_ETIMEDOUT, "its address isn't known yet");
}

/* Attempts. */

/* Nothing is left to try: says why, and is gone. */
static void lost(uvow__connector_t *c, uvow_error_t *error) {
  const uvow__connector_callbacks_t *callbacks = c->callbacks;
  void *ctx = c->ctx;
  free_connector(c);
  callbacks->on_failed(ctx, error);
}

/* The first that is connected: the others are closed. */
static void won(attempt_t *attempt) {
  uvow__connector_t *c = attempt->connector;
  const uvow__connector_callbacks_t *callbacks = c->callbacks;
  void *ctx = c->ctx;
  uvow__socket_t *socket = attempt->socket;
  attempt->socket = NULL;
  free_connector(c);
  callbacks->on_connected(ctx, socket);
}

static void note_failure(attempt_t *attempt, int code) {
  uvow__connector_t *c = attempt->connector;
  const char *what = uvow_strerror(code);
  if (c->is_path && code == UV_ENAMETOOLONG)
    what = "the path is too long for a socket";
  attempt->error = attempt_error(c, attempt->address, code, what);
  if (attempt->socket)
    uvow__socket_close(attempt->socket, NULL);
  attempt->socket = NULL;
}

static void try_next(uvow__connector_t *c);

static void on_attempt(uv_connect_t *req, int status) {
  uvow__socket_t *socket = (uvow__socket_t *)req->data;
  attempt_t *attempt = (attempt_t *)socket->owner;
  uvow_loop_t *loop = socket->loop;
  if (!attempt)
    return;
  uvow__runtime_enter(&loop->rt);
  if (status == 0) {
    uvow__socket_drop_request(socket);
    won(attempt);
  } else {
    attempt->connector->under_way--;
    note_failure(attempt, status);
    try_next(attempt->connector);
  }
  uvow__runtime_leave(&loop->rt);
}

static int start(attempt_t *attempt) {
  uvow__connector_t *c = attempt->connector;
  int rc = c->is_path ? uvow__socket_check_path(c->host) : 0;
  if (rc == 0)
    rc = uvow__socket_new(c->loop, c->is_path, attempt, &attempt->socket);
  if (rc == 0)
    rc = uvow__socket_need_request(attempt->socket);
  if (rc)
    return rc;
  uvow__socket_t *socket = attempt->socket;
  uv_connect_t *connect = &socket->request->connect;
  connect->data = socket;
  if (!c->is_path)
    return uvow__network_of(c->loop)->connect(connect, &socket->handle.tcp,
                                              attempt->address, on_attempt);
  uv_pipe_connect(connect, &socket->handle.pipe, c->host, on_attempt);
  return 0;
}

static void try_next(uvow__connector_t *c) {
  uvow__wheel_disarm(&c->pause);
  while (c->next < c->count) {
    attempt_t *attempt = &c->attempts[c->next++];
    int rc = start(attempt);
    if (rc) {
      note_failure(attempt, rc);
      continue;
    }
    c->under_way++;
    if (c->next < c->count)
      uvow__runtime_arm(&c->loop->rt, &c->pause, UVOW__CONNECT_PAUSE);
    return;
  }
  if (c->under_way == 0)
    lost(c, uvow__connect_trouble(c));
}

static void on_pause_over(uvow__deadline_t *deadline) {
  try_next(UVOW__CONTAINER(deadline, uvow__connector_t, pause));
}

/* Addresses. */

/* As many attempts as there may be. UVOW_ENOMEM. */
static int make_attempts(uvow__connector_t *c, size_t count) {
  c->attempts = (attempt_t *)uvow__calloc(uvow__loop_mem(c->loop),
                                          count * sizeof(*c->attempts));
  return c->attempts ? 0 : UVOW_ENOMEM;
}

static void add_attempt(uvow__connector_t *c, const struct sockaddr *address) {
  attempt_t *attempt = &c->attempts[c->count++];
  attempt->connector = c;
  attempt->address = address;
}

/* From this one on, the first that is, or isn't, of IPv6. */
static const struct addrinfo *of_family(const struct addrinfo *at, int is_v6) {
  while (at && (at->ai_family == AF_INET6) != is_v6)
    at = at->ai_next;
  return at;
}

/* RFC 8305 4. */
static void interleave(uvow__connector_t *c, size_t max) {
  const struct addrinfo *six = of_family(c->addresses, 1);
  const struct addrinfo *four = of_family(c->addresses, 0);
  for (int turn = 0; c->count < max && (six || four); turn ^= 1) {
    int is_v6 = six && (turn == 0 || !four);
    const struct addrinfo **from = is_v6 ? &six : &four;
    add_attempt(c, (*from)->ai_addr);
    *from = of_family((*from)->ai_next, is_v6);
  }
}

static void on_resolved(void *ctx, int status, struct addrinfo *addresses) {
  uvow__connector_t *c = (uvow__connector_t *)ctx;
  size_t count = 0;
  c->lookup = NULL;
  c->addresses = addresses;
  for (const struct addrinfo *at = addresses; at; at = at->ai_next)
    count += count < UVOW__CONNECT_ADDRESSES;
  c->unresolved = status;
  if (status == 0 && count == 0)
    c->unresolved = UV_EAI_NODATA;
  else if (count)
    c->unresolved = make_attempts(c, count);
  if (c->unresolved == 0)
    interleave(c, count);
  try_next(c);
}

static void run_begin(uvow__task_t *task) {
  try_next(UVOW__CONTAINER(task, uvow__connector_t, begin));
}

/* Begins and ends. */

static int begin_path(uvow__connector_t *c) {
  int rc = make_attempts(c, 1);
  if (rc)
    return rc;
  add_attempt(c, NULL);
  uvow__runtime_push(&c->loop->rt, &c->begin);
  return 0;
}

/* An address waits for no name that is being looked up. Returns whether host is
 * one. */
static int to_literal(uvow__connector_t *c) {
  return uv_ip4_addr(c->host, c->port, (struct sockaddr_in *)&c->literal) ==
             0 ||
         uv_ip6_addr(c->host, c->port, (struct sockaddr_in6 *)&c->literal) == 0;
}

static int begin_literal(uvow__connector_t *c) {
  int rc = make_attempts(c, 1);
  if (rc)
    return rc;
  add_attempt(c, (const struct sockaddr *)&c->literal);
  uvow__runtime_push(&c->loop->rt, &c->begin);
  return 0;
}

int uvow__connect_begin(uvow_loop_t *loop, const uvow__endpoint_t *endpoint,
                        const uvow__connector_callbacks_t *callbacks, void *ctx,
                        uvow__connector_t **ret_connector) {
  const char *host = endpoint->path ? endpoint->path : endpoint->host;
  uvow__connector_t *c =
      (uvow__connector_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*c));
  if (!c)
    return UVOW_ENOMEM;
  c->loop = loop;
  c->callbacks = callbacks;
  c->ctx = ctx;
  c->is_path = endpoint->path != NULL;
  c->port = endpoint->port;
  uvow__deadline_init(&c->pause, on_pause_over);
  uvow__task_init(&c->begin, run_begin);
  uvow__loop_stream_opened(loop);
  c->host = uvow__strdup(uvow__loop_mem(c->loop), host);
  int rc = UVOW_ENOMEM;
  if (c->host)
    rc = c->is_path      ? begin_path(c)
         : to_literal(c) ? begin_literal(c)
                         : uvow__lookup_begin(loop, c->host, c->port,
                                              on_resolved, c, &c->lookup);
  if (rc)
    free_connector(c);
  else
    *ret_connector = c;
  return rc;
}

void uvow__connect_cancel(uvow__connector_t *c) {
  free_connector(c);
}
