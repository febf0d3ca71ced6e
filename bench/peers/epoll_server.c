/*
 * The server that is not the bottleneck: what answers echoes and nothing else.
 *
 *   epoll_server
 *
 * Linux's sockets and epoll. It says its port, as `uvow serve` does, and runs
 * until it's terminated. Of a burst that was read all requests are answered
 * with one write: an answer is the request's id and its params, copied from
 * where they lie once the frame is unmasked.
 *
 * 1. It answers every client of bench/compare: members come in any order, with
 *    spaces between them or none; id and params are looked for by their names,
 *    which is enough for params of one number.
 * 2. A connection whose answers don't leave isn't read until they have left.
 * 3. Anything unexpected ends it: fragments, messages over 64 KiB, other
 *    methods. A close frame ends its connection, a ping is answered.
 *
 * What it leaves out, and a library can't: limits, deadlines, UTF-8, errors.
 */
#include "peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* SLACK: words are unmasked past a text's end. OUT_MAX: an answer is never
 * longer than its request and this. */
enum { READ_SIZE = 262144, SLACK = 64, HEAD_MAX = 4096, OUT_MORE = 64 };

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

typedef struct peer_conn {
  int fd;
  int is_open; /* the handshake is over */
  int waits;   /* for room to write */
  char *in;
  size_t in_len;
  char *out;
  size_t out_at;
  size_t out_len;
} conn_t;

typedef struct server {
  int fd;
  int epoll;
} server_t;

static void watch(const server_t *server, int how, conn_t *conn,
                  uint32_t events) {
  struct epoll_event event;
  memset(&event, 0, sizeof(event));
  event.events = events;
  event.data.ptr = conn;
  PEER_CHECK(
      epoll_ctl(server->epoll, how, conn ? conn->fd : server->fd, &event) == 0);
}

static void drop(conn_t *conn) {
  close(conn->fd);
  free(conn->in);
  free(conn->out);
  free(conn);
}

/* Writing. */

static void write_out(const server_t *server, conn_t *conn) {
  int waited = conn->waits;
  ssize_t sent =
      send(conn->fd, conn->out + conn->out_at, conn->out_len - conn->out_at,
           MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0)
    conn->out_at += (size_t)sent;
  if (conn->out_at == conn->out_len || (sent < 0 && errno != EAGAIN))
    conn->out_at = conn->out_len = 0; /* a broken one is seen when it's read */
  conn->waits = conn->out_len > 0;
  if (conn->waits != waited)
    watch(server, EPOLL_CTL_MOD, conn, conn->waits ? EPOLLOUT : EPOLLIN);
}

static char *put(char *to, const char *from, size_t len) {
  memcpy(to, from, len);
  return to + len;
}

static char *put_head(char *to, int opcode, size_t len) {
  *to++ = (char)(0x80 | opcode);
  if (len > 125) {
    *to++ = 126;
    *to++ = (char)(len >> 8);
  }
  *to++ = (char)len;
  return to;
}

/* Requests. */

/* Past `name`, which is there; what follows isn't a space. */
static const char *member(const char *text, const char *end, const char *name,
                          size_t name_len) {
  const char *at =
      (const char *)memmem(text, (size_t)(end - text), name, name_len);
  PEER_CHECK(at);
  for (at += name_len; at < end && (*at == ' ' || *at == ':');)
    at++;
  PEER_CHECK(at < end);
  return at;
}

#define MEMBER(text, end, name) member(text, end, name, sizeof(name) - 1)
#define PUT(to, text) put(to, text, sizeof(text) - 1)

static void answer(conn_t *conn, const char *text, const char *end) {
  PEER_CHECK(memcmp(MEMBER(text, end, "\"method\""), "\"echo\"", 6) == 0);
  const char *id = MEMBER(text, end, "\"id\"");
  const char *params = MEMBER(text, end, "\"params\"");
  const char *id_end = id;
  while (id_end < end && *id_end >= '0' && *id_end <= '9')
    id_end++;
  const char *params_end =
      (const char *)memchr(params, '}', (size_t)(end - params));
  PEER_CHECK(id_end > id && params_end);
  size_t id_len = (size_t)(id_end - id);
  size_t params_len = (size_t)(params_end + 1 - params);
  size_t len = sizeof("{\"jsonrpc\":\"2.0\",\"id\":,\"result\":}") - 1 +
               id_len + params_len;
  char *to = put_head(conn->out + conn->out_len, 1, len);
  to = PUT(to, "{\"jsonrpc\":\"2.0\",\"id\":");
  to = put(to, id, id_len);
  to = PUT(to, ",\"result\":");
  to = put(to, params, params_len);
  *to++ = '}';
  conn->out_len = (size_t)(to - conn->out);
}

static void unmask(char *text, size_t len, const char *key) {
  uint32_t half;
  memcpy(&half, key, 4);
  uint64_t both = half | (uint64_t)half << 32;
  size_t i = 0;
  for (; i + 8 <= len; i += 8) {
    uint64_t word;
    memcpy(&word, text + i, 8);
    word ^= both;
    memcpy(text + i, &word, 8);
  }
  for (; i < len; i++)
    text[i] ^= key[i % 4];
}

/* A whole frame. Returns 0: the peer closes. */
static int take_frame(conn_t *conn, int opcode, char *text, size_t len) {
  PEER_CHECK(opcode == 0x81 || opcode == 0x82 || opcode == 0x88 ||
             opcode == 0x89 || opcode == 0x8a);
  if (opcode <= 0x82) {
    answer(conn, text, text + len);
  } else if (opcode != 0x8a) {
    char *to =
        put_head(conn->out + conn->out_len, opcode == 0x88 ? 8 : 10, len);
    conn->out_len = (size_t)(put(to, text, len) - conn->out);
  }
  return opcode != 0x88;
}

/* All that is whole; the rest goes to the beginning. Returns 0: it closes. */
static int take_frames(conn_t *conn) {
  char *at = conn->in;
  char *end = conn->in + conn->in_len;
  int goes_on = 1;
  while (goes_on && end - at >= 8) {
    size_t len = (unsigned char)at[1] & 0x7f;
    size_t head = len == 126 ? 8 : 6;
    PEER_CHECK((at[1] & 0x80) && len < 127);
    if (len == 126)
      len = (size_t)(unsigned char)at[2] << 8 | (unsigned char)at[3];
    if ((size_t)(end - at) < head + len)
      break;
    unmask(at + head, len, at + head - 4);
    goes_on = take_frame(conn, (unsigned char)at[0], at + head, len);
    at += head + len;
  }
  /* The only frame below 8 bytes that comes is an empty one that closes. */
  conn->in_len = (size_t)(end - at);
  if (conn->in_len)
    memmove(conn->in, at, conn->in_len);
  return goes_on;
}

/* The handshake. RFC 6455 4.2.2. */

static void shake_hands(conn_t *conn, const char *key) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  char text[128];
  unsigned char accept[64];
  size_t key_len = strcspn(key, "\r\n ");
  PEER_CHECK(key_len == 24);
  int len = snprintf(text, sizeof(text), "%.24s" GUID, key);
  PEER_CHECK(EVP_Digest(text, (size_t)len, digest, NULL, EVP_sha1(), NULL));
  EVP_EncodeBlock(accept, digest, 20);
  conn->out_len = (size_t)snprintf(
      conn->out, HEAD_MAX,
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
      (const char *)accept);
  conn->is_open = 1;
}

static int take_handshake(conn_t *conn) {
  conn->in[conn->in_len] = 0;
  char *end = strstr(conn->in, "\r\n\r\n");
  if (!end)
    return conn->in_len < HEAD_MAX;
  const char *key = strcasestr(conn->in, "\r\nsec-websocket-key:");
  PEER_CHECK(key && key < end);
  key = strchr(key, ':') + 1;
  shake_hands(conn, key + strspn(key, " "));
  conn->in_len -= (size_t)(end + 4 - conn->in);
  memmove(conn->in, end + 4, conn->in_len);
  return 1;
}

/* Connections. */

static void read_in(const server_t *server, conn_t *conn) {
  ssize_t len = recv(conn->fd, conn->in + conn->in_len,
                     READ_SIZE - conn->in_len, MSG_DONTWAIT);
  if (len < 0 && errno == EAGAIN)
    return;
  int goes_on = len > 0;
  if (goes_on) {
    conn->in_len += (size_t)len;
    if (!conn->is_open)
      goes_on = take_handshake(conn);
    if (goes_on && conn->is_open)
      goes_on = take_frames(conn);
    if (conn->out_len)
      write_out(server, conn);
  }
  if (!goes_on)
    drop(conn); /* which takes it out of epoll too */
}

static void accept_one(const server_t *server) {
  int on = 1;
  int fd = accept(server->fd, NULL, NULL);
  if (fd < 0)
    return;
  conn_t *conn = (conn_t *)calloc(1, sizeof(*conn));
  PEER_CHECK(conn);
  conn->fd = fd;
  conn->in = (char *)malloc(READ_SIZE + SLACK);
  /* A request has 40 bytes and more: so many answers fit. */
  conn->out = (char *)malloc(READ_SIZE + READ_SIZE / 40 * OUT_MORE + HEAD_MAX);
  PEER_CHECK(conn->in && conn->out);
  PEER_CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
  watch(server, EPOLL_CTL_ADD, conn, EPOLLIN);
}

static void start(server_t *server) {
  struct sockaddr_in address;
  socklen_t len = sizeof(address);
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  server->fd = socket(AF_INET, SOCK_STREAM, 0);
  server->epoll = epoll_create1(0);
  PEER_CHECK(server->fd >= 0 && server->epoll >= 0);
  PEER_CHECK(bind(server->fd, (struct sockaddr *)&address, len) == 0);
  PEER_CHECK(listen(server->fd, 128) == 0);
  PEER_CHECK(getsockname(server->fd, (struct sockaddr *)&address, &len) == 0);
  watch(server, EPOLL_CTL_ADD, NULL, EPOLLIN);
  printf("listening on ws://127.0.0.1:%d/\n", ntohs(address.sin_port));
  fflush(stdout);
}

int main(void) {
  server_t server;
  struct epoll_event events[64];
  start(&server);
  for (;;) {
    int ready = epoll_wait(server.epoll, events, 64, -1);
    PEER_CHECK(ready > 0 || errno == EINTR);
    for (int i = 0; i < ready; i++) {
      conn_t *conn = (conn_t *)events[i].data.ptr;
      if (!conn)
        accept_one(&server);
      else if (events[i].events & EPOLLOUT)
        write_out(&server, conn);
      else
        read_in(&server, conn);
    }
  }
}
