/*
 * Two sockets a connection, and a fault that waits for them:
 *
 *   reset    RST, to both
 *   close    FIN, to both
 *   half     what the server sends is swallowed; a little later, a reset
 *   stall    nothing passes any more; a little later, a reset
 *
 * What passes is passed on in the pieces in which it came, but that a cut may
 * come in the middle of one.
 */
#include "proxy.h"

#include <stdlib.h>
#include <string.h>

enum { RESET, CLOSE, HALF, STALL, FAULTS };

typedef struct pair {
  proxy_t *proxy;
  struct pair *next;
  struct pair **at;
  uv_tcp_t ends[2]; /* the client, the server */
  uv_timer_t timer;
  uv_connect_t connect;
  int handles;
  int faulty; /* the fault has come, the end hasn't */
  int closing;
  unsigned fault;
  size_t left; /* bytes until it comes */
  char buffer[65536];
} pair_t;

typedef struct piece {
  uv_write_t req;
  char bytes[];
} piece_t;

uint64_t proxy_random(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static void on_closed(uv_handle_t *handle) {
  pair_t *pair = (pair_t *)handle->data;
  pair->proxy->open--;
  if (--pair->handles)
    return;
  if (pair->next)
    pair->next->at = pair->at;
  *pair->at = pair->next;
  free(pair);
}

static void end_pair(pair_t *pair) {
  if (pair->closing)
    return;
  pair->closing = 1;
  for (int i = 0; i < 2; i++)
    if (pair->fault == CLOSE || uv_tcp_close_reset(&pair->ends[i], on_closed))
      uv_close((uv_handle_t *)&pair->ends[i], on_closed);
  uv_close((uv_handle_t *)&pair->timer, on_closed);
}

static void on_timer(uv_timer_t *timer) {
  pair_t *pair = (pair_t *)timer->data;
  pair->proxy->cuts += !pair->faulty;
  end_pair(pair);
}

/* It's time. */
static void spoil(pair_t *pair) {
  if (pair->faulty)
    return;
  pair->proxy->cuts++;
  pair->faulty = 1;
  if (pair->fault == RESET || pair->fault == CLOSE)
    end_pair(pair);
  else
    uv_timer_start(&pair->timer, on_timer, 5, 0);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  pair_t *pair = (pair_t *)handle->data;
  (void)suggested;
  *buf = uv_buf_init(pair->buffer, sizeof(pair->buffer));
}

static void on_written(uv_write_t *req, int status) {
  (void)status;
  free(req->data);
}

static void pass(pair_t *pair, int to, const char *bytes, size_t len) {
  piece_t *piece = (piece_t *)malloc(sizeof(*piece) + len);
  if (!piece || len == 0) {
    free(piece);
    return;
  }
  memcpy(piece->bytes, bytes, len);
  piece->req.data = piece;
  uv_buf_t buf = uv_buf_init(piece->bytes, (unsigned)len);
  if (uv_write(&piece->req, (uv_stream_t *)&pair->ends[to], &buf, 1,
               on_written))
    free(piece);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  pair_t *pair = (pair_t *)stream->data;
  int from = stream == (uv_stream_t *)&pair->ends[1];
  if (pair->closing || len == 0)
    return;
  if (len < 0) {
    end_pair(pair);
    return;
  }
  size_t whole = (size_t)len;
  size_t passed = whole < pair->left ? whole : pair->left;
  if (pair->faulty)
    passed = pair->fault == HALF && from == 0 ? whole : 0;
  else
    pair->left -= passed;
  pass(pair, !from, buf->base, passed);
  if (passed < whole)
    spoil(pair);
}

static void on_connect(uv_connect_t *req, int status) {
  pair_t *pair = (pair_t *)req->data;
  if (pair->closing)
    return;
  if (status) {
    end_pair(pair);
    return;
  }
  for (int i = 0; i < 2; i++)
    uv_read_start((uv_stream_t *)&pair->ends[i], on_alloc, on_read);
}

/* When and how it ends. Some do in the handshake; most live for a while. */
static void draw(pair_t *pair) {
  uint64_t *random = &pair->proxy->random;
  pair->fault = (unsigned)(proxy_random(random) % FAULTS);
  pair->left = (size_t)(proxy_random(random) % 8 == 0
                            ? proxy_random(random) % 400
                            : 400 + proxy_random(random) % 30000);
  uv_timer_start(&pair->timer, on_timer, 1 + proxy_random(random) % 30, 0);
}

static void on_incoming(uv_stream_t *listener, int status) {
  proxy_t *proxy = (proxy_t *)listener->data;
  struct sockaddr_in address;
  pair_t *pair = (pair_t *)calloc(1, sizeof(*pair));
  if (!pair || status) {
    free(pair);
    return;
  }
  pair->proxy = proxy;
  pair->next = proxy->pairs;
  pair->at = &proxy->pairs;
  if (pair->next)
    pair->next->at = &pair->next;
  proxy->pairs = pair;
  pair->handles = 3;
  proxy->open += 3;
  uv_tcp_init(proxy->uv, &pair->ends[0]);
  uv_tcp_init(proxy->uv, &pair->ends[1]);
  uv_timer_init(proxy->uv, &pair->timer);
  pair->ends[0].data = pair->ends[1].data = pair->timer.data = pair;
  pair->connect.data = pair;
  draw(pair);
  uv_ip4_addr("127.0.0.1", (int)proxy->to_port, &address);
  if (uv_accept(listener, (uv_stream_t *)&pair->ends[0]) ||
      uv_tcp_connect(&pair->connect, &pair->ends[1],
                     (const struct sockaddr *)&address, on_connect))
    end_pair(pair);
}

static void on_listener_closed(uv_handle_t *handle) {
  ((proxy_t *)handle->data)->open--;
}

int proxy_start(proxy_t *proxy, uv_loop_t *uv, unsigned to_port,
                uint64_t seed) {
  struct sockaddr_in address;
  int len = sizeof(address);
  memset(proxy, 0, sizeof(*proxy));
  proxy->uv = uv;
  proxy->to_port = to_port;
  proxy->random = seed;
  uv_ip4_addr("127.0.0.1", 0, &address);
  int rc = uv_tcp_init(uv, &proxy->listener);
  if (rc)
    return rc;
  proxy->listener.data = proxy;
  proxy->open = 1;
  rc = uv_tcp_bind(&proxy->listener, (const struct sockaddr *)&address, 0);
  if (rc == 0)
    rc = uv_listen((uv_stream_t *)&proxy->listener, 128, on_incoming);
  if (rc == 0)
    rc =
        uv_tcp_getsockname(&proxy->listener, (struct sockaddr *)&address, &len);
  proxy->port = (unsigned)(((const uint8_t *)&address.sin_port)[0] << 8 |
                           ((const uint8_t *)&address.sin_port)[1]);
  return rc;
}

void proxy_stop(proxy_t *proxy) {
  for (pair_t *pair = proxy->pairs; pair; pair = pair->next)
    end_pair(pair);
  uv_close((uv_handle_t *)&proxy->listener, on_listener_closed);
}
