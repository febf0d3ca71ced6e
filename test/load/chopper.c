/*
 * Two sockets a connection, a ring of bytes for each way:
 *
 *   on_read: a piece of at most so many bytes -> ring -> on_idle: so many bytes
 *
 * Both lengths are drawn for each piece, most often small or very large; so is
 * for how many turns a way rests, and for how many it isn't read.
 */
#include "chopper.h"

#include <stdlib.h>
#include <string.h>

#define RING 65536

/* From one end to the other. */
typedef struct way {
  uv_tcp_t *from;
  uv_tcp_t *to;
  size_t at;
  size_t len;
  unsigned rest; /* turns until it writes */
  unsigned deaf; /* turns until it reads */
  int reading;
  int ended; /* the end was read */
  char ring[RING];
} way_t;

typedef struct chopper_pair {
  chopper_t *chopper;
  struct chopper_pair *next;
  struct chopper_pair **place;
  uv_tcp_t ends[2]; /* the client, the server */
  uv_connect_t connect;
  way_t ways[2];
  int handles;
  int closing;
  char piece[RING];
} pair_t;

/* How many bytes at once. */
static size_t draw_length(sim_random_t *random) {
  static const size_t most[] = {1, 1, 16, 16, 1500, 20000, RING, RING};
  return 1 + sim_below(random, most[sim_below(random, 8)]);
}

static unsigned draw_turns(sim_random_t *random) {
  if (!sim_one_in(random, 4))
    return 0;
  return sim_below(random, sim_one_in(random, 8) ? 200 : 5);
}

static void on_closed(uv_handle_t *handle) {
  pair_t *pair = (pair_t *)handle->data;
  pair->chopper->open--;
  if (--pair->handles)
    return;
  if (pair->next)
    pair->next->place = pair->place;
  *pair->place = pair->next;
  free(pair);
}

static void end_pair(pair_t *pair) {
  if (pair->closing)
    return;
  pair->closing = 1;
  for (int i = 0; i < 2; i++) {
    pair->chopper->held -= pair->ways[i].len;
    pair->ways[i].len = 0;
    uv_close((uv_handle_t *)&pair->ends[i], on_closed);
  }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  pair_t *pair = (pair_t *)handle->data;
  const way_t *way = &pair->ways[handle == (uv_handle_t *)&pair->ends[1]];
  size_t len = draw_length(&pair->chopper->random);
  (void)suggested;
  if (len > RING - way->len)
    len = RING - way->len;
  *buf = uv_buf_init(pair->piece, (unsigned)len);
}

static void stop_reading(way_t *way) {
  way->reading = 0;
  uv_read_stop((uv_stream_t *)way->from);
}

static void on_idle(uv_idle_t *idle);

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  pair_t *pair = (pair_t *)stream->data;
  chopper_t *chopper = pair->chopper;
  way_t *way = &pair->ways[stream == (uv_stream_t *)&pair->ends[1]];
  if (len == 0 || pair->closing)
    return;
  uv_idle_start(&chopper->idle, on_idle);
  if (len < 0) {
    way->ended = 1;
    stop_reading(way);
    return;
  }
  for (size_t i = 0; i < (size_t)len; i++)
    way->ring[(way->at + way->len + i) % RING] = buf->base[i];
  way->len += (size_t)len;
  chopper->held += (size_t)len;
  chopper->moved += (size_t)len;
  way->deaf = draw_turns(&chopper->random);
  if (way->deaf || way->len == RING)
    stop_reading(way);
}

/* Writes a piece, if it's time. */
static int pass(pair_t *pair, way_t *way) {
  chopper_t *chopper = pair->chopper;
  size_t len = draw_length(&chopper->random);
  if (way->rest) {
    way->rest--;
    return 0;
  }
  if (len > way->len)
    len = way->len;
  if (len > RING - way->at)
    len = RING - way->at;
  uv_buf_t buf = uv_buf_init(way->ring + way->at, (unsigned)len);
  int sent = uv_try_write((uv_stream_t *)way->to, &buf, 1);
  if (sent < 0)
    return sent == UV_EAGAIN ? 0 : sent;
  way->at = (way->at + (size_t)sent) % RING;
  way->len -= (size_t)sent;
  chopper->held -= (size_t)sent;
  chopper->moved += (size_t)sent;
  way->rest = draw_turns(&chopper->random);
  return 0;
}

/* A turn of one way. Returns whether it has anything left to do by itself. */
static int turn(pair_t *pair, way_t *way) {
  int rc = way->len ? pass(pair, way) : 0;
  if (rc || (way->ended && way->len == 0)) {
    end_pair(pair);
    return 0;
  }
  if (way->deaf)
    way->deaf--;
  if (!way->ended && !way->reading && !way->deaf && way->len < RING) {
    way->reading = 1;
    uv_read_start((uv_stream_t *)way->from, on_alloc, on_read);
  }
  return way->len || way->deaf;
}

static void on_idle(uv_idle_t *idle) {
  chopper_t *chopper = (chopper_t *)idle->data;
  int busy = 0;
  for (pair_t *pair = chopper->pairs; pair; pair = pair->next)
    for (int i = 0; i < 2; i++)
      if (!pair->closing && pair->ways[0].from)
        busy |= turn(pair, &pair->ways[i]);
  if (!busy)
    uv_idle_stop(idle);
}

static void on_connect(uv_connect_t *req, int status) {
  pair_t *pair = (pair_t *)req->data;
  if (pair->closing)
    return;
  if (status) {
    end_pair(pair);
    return;
  }
  for (int i = 0; i < 2; i++) {
    pair->ways[i].from = &pair->ends[i];
    pair->ways[i].to = &pair->ends[!i];
    uv_tcp_nodelay(&pair->ends[i], 1);
  }
  uv_idle_start(&pair->chopper->idle, on_idle);
}

static void on_incoming(uv_stream_t *listener, int status) {
  chopper_t *chopper = (chopper_t *)listener->data;
  struct sockaddr_in address;
  pair_t *pair = (pair_t *)calloc(1, sizeof(*pair));
  if (!pair || status) {
    free(pair);
    return;
  }
  pair->chopper = chopper;
  pair->next = chopper->pairs;
  pair->place = &chopper->pairs;
  if (pair->next)
    pair->next->place = &pair->next;
  chopper->pairs = pair;
  pair->handles = 2;
  chopper->open += 2;
  uv_tcp_init(chopper->uv, &pair->ends[0]);
  uv_tcp_init(chopper->uv, &pair->ends[1]);
  pair->ends[0].data = pair->ends[1].data = pair->connect.data = pair;
  uv_ip4_addr("127.0.0.1", (int)chopper->to_port, &address);
  if (uv_accept(listener, (uv_stream_t *)&pair->ends[0]) ||
      uv_tcp_connect(&pair->connect, &pair->ends[1],
                     (const struct sockaddr *)&address, on_connect))
    end_pair(pair);
}

static void on_own_closed(uv_handle_t *handle) {
  ((chopper_t *)handle->data)->open--;
}

int chopper_start(chopper_t *chopper, uv_loop_t *uv, unsigned to_port,
                  uint64_t seed) {
  struct sockaddr_in address;
  int len = sizeof(address);
  memset(chopper, 0, sizeof(*chopper));
  chopper->uv = uv;
  chopper->to_port = to_port;
  chopper->random.state = seed;
  uv_ip4_addr("127.0.0.1", 0, &address);
  uv_idle_init(uv, &chopper->idle);
  int rc = uv_tcp_init(uv, &chopper->listener);
  if (rc)
    return rc;
  chopper->listener.data = chopper->idle.data = chopper;
  chopper->open = 2;
  rc = uv_tcp_bind(&chopper->listener, (const struct sockaddr *)&address, 0);
  if (rc == 0)
    rc = uv_listen((uv_stream_t *)&chopper->listener, 128, on_incoming);
  if (rc == 0)
    rc = uv_tcp_getsockname(&chopper->listener, (struct sockaddr *)&address,
                            &len);
  chopper->port = (unsigned)(((const uint8_t *)&address.sin_port)[0] << 8 |
                             ((const uint8_t *)&address.sin_port)[1]);
  return rc;
}

void chopper_stop(chopper_t *chopper) {
  for (pair_t *pair = chopper->pairs; pair; pair = pair->next)
    end_pair(pair);
  uv_close((uv_handle_t *)&chopper->listener, on_own_closed);
  uv_close((uv_handle_t *)&chopper->idle, on_own_closed);
}
