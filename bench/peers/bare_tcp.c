/*
 * What TCP alone can do: libuv, no WebSocket, no JSON, nobody to correlate.
 *
 *   bare_tcp serve                          echoes; says its port
 *   bare_tcp <port> <in flight> <seconds>   sends as many bytes as a request of
 *                                           the others has, counts what returns
 */
#include "peer.h"

#include <uv.h>

enum { READ_SIZE = 65536 };

/* A frame's header, its mask, and the text. */
static const char request[] =
    "HDMASK{\"jsonrpc\":\"2.0\",\"id\":1234567,"
    "\"method\":\"echo\",\"params\":{\"x\":1234567}}";

enum { UNIT = sizeof(request) - 1 };

typedef struct client {
  peer_t peer;
  uv_loop_t *uv;
  uv_tcp_t tcp;
  uv_connect_t connect;
  char *batch;    /* in_flight requests, one after another */
  uint64_t *sent; /* ns; a ring, since answers come in order */
  uint64_t next;
  uint64_t answered;
  size_t odd; /* bytes of an answer that isn't whole yet */
} client_t;

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)handle;
  (void)suggested;
  *buf = uv_buf_init((char *)malloc(READ_SIZE), READ_SIZE);
  PEER_CHECK(buf->base);
}

/* A write that couldn't leave at once. */
typedef struct rest {
  uv_write_t req;
  char bytes[];
} rest_t;

static void on_rest_written(uv_write_t *req, int status) {
  (void)status;
  free(req->data);
}

static void send_all(uv_stream_t *stream, char *bytes, size_t len) {
  uv_buf_t buf = uv_buf_init(bytes, (unsigned)len);
  int rc = stream->write_queue_size ? UV_EAGAIN : uv_try_write(stream, &buf, 1);
  size_t sent = rc > 0 ? (size_t)rc : 0;
  if (sent == len)
    return;
  rest_t *rest = (rest_t *)malloc(sizeof(*rest) + len - sent);
  PEER_CHECK(rest);
  memcpy(rest->bytes, bytes + sent, len - sent);
  rest->req.data = rest;
  buf = uv_buf_init(rest->bytes, (unsigned)(len - sent));
  PEER_CHECK(uv_write(&rest->req, stream, &buf, 1, on_rest_written) == 0);
}

/* The server. */

static void on_freed(uv_handle_t *handle) {
  free(handle);
}

static void on_echo_read(uv_stream_t *stream, ssize_t len,
                         const uv_buf_t *buf) {
  if (len > 0)
    send_all(stream, buf->base, (size_t)len);
  free(buf->base);
  if (len < 0)
    uv_close((uv_handle_t *)stream, on_freed);
}

static void on_echo_peer(uv_stream_t *listener, int status) {
  uv_tcp_t *tcp = (uv_tcp_t *)malloc(sizeof(*tcp));
  PEER_CHECK(status == 0 && tcp);
  PEER_CHECK(uv_tcp_init(listener->loop, tcp) == 0);
  PEER_CHECK(uv_accept(listener, (uv_stream_t *)tcp) == 0);
  uv_tcp_nodelay(tcp, 1);
  uv_read_start((uv_stream_t *)tcp, on_alloc, on_echo_read);
}

/* Until it's killed. */
static int serve(void) {
  struct sockaddr_in address;
  int len = sizeof(address);
  uv_loop_t *uv = uv_default_loop();
  uv_tcp_t tcp;
  uv_ip4_addr("127.0.0.1", 0, &address);
  PEER_CHECK(uv_tcp_init(uv, &tcp) == 0);
  PEER_CHECK(uv_tcp_bind(&tcp, (const struct sockaddr *)&address, 0) == 0);
  PEER_CHECK(uv_listen((uv_stream_t *)&tcp, 16, on_echo_peer) == 0);
  PEER_CHECK(uv_tcp_getsockname(&tcp, (struct sockaddr *)&address, &len) == 0);
  const unsigned char *port = (const unsigned char *)&address.sin_port;
  printf("listening on tcp://127.0.0.1:%d/\n", port[0] << 8 | port[1]);
  fflush(stdout);
  return uv_run(uv, UV_RUN_DEFAULT);
}

/* The client. */

static void send_requests(client_t *client, size_t count, uint64_t now) {
  for (size_t i = 0; i < count; i++)
    client->sent[client->next++ % client->peer.in_flight] = now;
  send_all((uv_stream_t *)&client->tcp, client->batch, count * UNIT);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  client_t *client = (client_t *)stream->data;
  uint64_t now = peer_now_ns();
  free(buf->base);
  PEER_CHECK(len >= 0);
  client->odd += (size_t)len;
  size_t whole = client->odd / UNIT;
  client->odd %= UNIT;
  for (size_t i = 0; i < whole; i++) {
    uint64_t sent = client->sent[client->answered++ % client->peer.in_flight];
    if (peer_answered(&client->peer, sent, now)) {
      uv_stop(client->uv);
      return;
    }
  }
  if (whole)
    send_requests(client, whole, now);
}

static void on_connected(uv_connect_t *req, int status) {
  client_t *client = (client_t *)req->data;
  PEER_CHECK(status == 0);
  uv_tcp_nodelay(&client->tcp, 1);
  uv_read_start((uv_stream_t *)&client->tcp, on_alloc, on_read);
  peer_start(&client->peer);
  send_requests(client, client->peer.in_flight, peer_now_ns());
}

int main(int argc, char **argv) {
  static client_t client;
  struct sockaddr_in address;
  if (argc == 2 && strcmp(argv[1], "serve") == 0)
    return serve();
  peer_init(&client.peer, "bare-tcp", argc, argv);
  client.uv = uv_default_loop();
  client.sent = (uint64_t *)calloc(client.peer.in_flight, sizeof(uint64_t));
  client.batch = (char *)malloc(client.peer.in_flight * UNIT);
  PEER_CHECK(client.sent && client.batch);
  for (size_t i = 0; i < client.peer.in_flight; i++)
    memcpy(client.batch + i * UNIT, request, UNIT);
  uv_ip4_addr("127.0.0.1", client.peer.port, &address);
  uv_tcp_init(client.uv, &client.tcp);
  client.tcp.data = client.connect.data = &client;
  PEER_CHECK(uv_tcp_connect(&client.connect, &client.tcp,
                            (const struct sockaddr *)&address,
                            on_connected) == 0);
  uv_run(client.uv, UV_RUN_DEFAULT);
  free(client.sent);
  free(client.batch);
  return client.peer.counted == 0;
}
