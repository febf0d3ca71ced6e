/*
 * The practical bound: what somebody writes who needs this traffic only.
 *
 *   epoll_ws <port> <in flight> <seconds>
 *
 * Linux's sockets and epoll, no library, and nothing that is general: one
 * connection, one method, answers of one shape. Of a burst that was read all
 * frames are taken where they lie; an answer's id stands where it always does,
 * its result is compared with what the table has for that id, and the next
 * request takes its place. All requests of a burst leave with one write.
 *
 * 1. It does the work that `uvow bench --verify` does for the same numbers: the
 *    clock is read once for each answer, a latency is from one such reading to
 *    another, and every answer is compared with its own request.
 * 2. Each frame has a mask key of its own, from a generator seeded once. Text
 *    is masked in words as it is put down, and not read again before the write.
 * 3. Anything unexpected ends it: other frames, other texts, a lost connection.
 *
 * What it leaves out, and a library can't: pings, fragments, long frames, UTF-8
 * checks, limits, deadlines, other orders of members, errors, reconnecting.
 */
#include "peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/* SLACK: words are read and written past a text's end. */
enum { READ_SIZE = 262144, FRAME_MAX = 128, SLACK = 64 };

/* RFC 6455 1.3: one key will do, and what belongs to it is known. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

#define ANSWER_HEAD "{\"jsonrpc\":\"2.0\",\"id\":"
#define ANSWER_MIDDLE ",\"result\":{\"x\":"
#define ANSWER_TAIL "}}"
#define ONES UINT64_C(0x0101010101010101)

/* Whole words can be read of these. */
static const char request_head[40] = "{\"jsonrpc\":\"2.0\",\"id\":";
static const char request_middle[40] =
    ",\"method\":\"echo\",\"params\":{\"x\":";
static const char request_tail[8] = "}}";

enum {
  REQUEST_HEAD = sizeof("{\"jsonrpc\":\"2.0\",\"id\":") - 1,
  REQUEST_MIDDLE = sizeof(",\"method\":\"echo\",\"params\":{\"x\":") - 1,
  REQUEST_TAIL = 2
};

/* A request in flight. */
typedef struct slot {
  uint64_t id; /* 0: none */
  uint64_t x;
  uint64_t sent_ns;
} slot_t;

typedef struct client {
  peer_t peer;
  int fd;
  int epoll;
  slot_t *table; /* by id & mask */
  uint64_t mask;
  uint64_t next; /* id */
  uint64_t random;
  char *in;
  size_t in_len;
  char *out;
  size_t out_len;
  int waits; /* for room to write */
  int over;
} client_t;

/* Words and digits. */

static uint64_t word_at(const char *at) {
  uint64_t word;
  memcpy(&word, at, 8);
  return word;
}

/* Eight digits, zeros in front: the first is the lowest byte, which is the
 * first in memory too (x86 and ARM). */
static uint64_t digits_of(uint32_t number) {
  uint64_t pairs = number / 10000 | (uint64_t)(number % 10000) << 32;
  uint64_t high = (pairs * 10486) >> 20 & UINT64_C(0x7f0000007f);
  pairs = high | (pairs - high * 100) << 16;
  high = (pairs * 103) >> 10 & UINT64_C(0xf000f000f000f);
  return high | (pairs - high * 10) << 8;
}

/* A number, and past it. */
static const char *take_number(const char *at, uint64_t *ret) {
  uint64_t word = word_at(at) ^ '0' * ONES;
  uint64_t others = ((word + 6 * ONES) | word) & (ONES * 0xf0);
  uint64_t number = 0;
  unsigned count = others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
  PEER_CHECK(count > 0);
  word <<= 64 - 8 * count;
  word = word * 10 + (word >> 8);
  number = ((word & UINT64_C(0xff000000ff)) * UINT64_C(0xf424000000064) +
            (word >> 16 & UINT64_C(0xff000000ff)) * UINT64_C(0x271000000001)) >>
           32;
  at += count;
  for (; count == 8 && *at >= '0' && *at <= '9'; at++)
    number = number * 10 + (uint64_t)(*at - '0');
  *ret = number;
  return at;
}

/* Writing. */

static uint32_t mask_key(client_t *client) {
  client->random ^= client->random << 13;
  client->random ^= client->random >> 7;
  client->random ^= client->random << 17;
  return (uint32_t)(client->random >> 16);
}

/* A text goes out masked; the key is turned to where it ends. */
typedef struct masked {
  char *at;
  uint64_t key; /* twice */
} masked_t;

static void put_word(masked_t *out, uint64_t word, unsigned len) {
  unsigned turn = 8 * (len % 4);
  word ^= out->key;
  memcpy(out->at, &word, 8);
  out->at += len;
  if (turn)
    out->key = out->key >> turn | out->key << (64 - turn);
}

/* len is known when it's compiled. */
static inline void put_text(masked_t *out, const char *text, unsigned len) {
  unsigned i = 0;
  for (; i + 8 < len; i += 8)
    put_word(out, word_at(text + i), 8);
  put_word(out, word_at(text + i), len - i);
}

static void put_number(masked_t *out, uint64_t number) {
  uint64_t digits = digits_of((uint32_t)(number % 100000000));
  unsigned zeros = 0;
  if (number >= 100000000)
    put_number(out, number / 100000000);
  else
    zeros = (unsigned)__builtin_ctzll(digits | UINT64_C(1) << 63) / 8;
  put_word(out, (digits + '0' * ONES) >> 8 * zeros, 8 - zeros);
}

static void add_request(client_t *client, uint64_t now) {
  char *frame = client->out + client->out_len;
  uint64_t id = client->next++;
  uint32_t key = mask_key(client);
  slot_t *slot = &client->table[id & client->mask];
  masked_t out = {frame + 6, key | (uint64_t)key << 32};
  PEER_CHECK(slot->id == 0);
  slot->id = id;
  slot->x = id;
  slot->sent_ns = now;
  put_text(&out, request_head, REQUEST_HEAD);
  put_number(&out, slot->id);
  put_text(&out, request_middle, REQUEST_MIDDLE);
  put_number(&out, slot->x);
  put_text(&out, request_tail, REQUEST_TAIL);
  size_t len = (size_t)(out.at - frame);
  frame[0] = (char)0x81;
  frame[1] = (char)(0x80 | (len - 6));
  memcpy(frame + 2, &key, 4);
  client->out_len += len;
}

static void watch(client_t *client, int how, uint32_t events) {
  struct epoll_event event;
  memset(&event, 0, sizeof(event));
  event.events = events;
  PEER_CHECK(epoll_ctl(client->epoll, how, client->fd, &event) == 0);
}

/* One write; what it doesn't take waits for room, and so does what follows. */
static void write_out(client_t *client) {
  int waited = client->waits;
  ssize_t sent = send(client->fd, client->out, client->out_len,
                      MSG_NOSIGNAL | MSG_DONTWAIT);
  PEER_CHECK(sent >= 0 || errno == EAGAIN);
  client->out_len -= sent > 0 ? (size_t)sent : 0;
  client->waits = client->out_len > 0;
  if (client->waits && sent > 0)
    memmove(client->out, client->out + sent, client->out_len);
  if (client->waits != waited)
    watch(client, EPOLL_CTL_MOD, EPOLLIN | (client->waits ? EPOLLOUT : 0));
}

/* Reading. */

static int is_text(const char *at, const char *text, size_t len) {
  return memcmp(at, text, len) == 0;
}

/* An answer: compared, counted, followed by the next request. */
static void take_answer(client_t *client, const char *at, const char *end) {
  uint64_t id, x;
  PEER_CHECK(is_text(at, ANSWER_HEAD, sizeof(ANSWER_HEAD) - 1));
  at = take_number(at + sizeof(ANSWER_HEAD) - 1, &id);
  PEER_CHECK(is_text(at, ANSWER_MIDDLE, sizeof(ANSWER_MIDDLE) - 1));
  at = take_number(at + sizeof(ANSWER_MIDDLE) - 1, &x);
  PEER_CHECK(is_text(at, ANSWER_TAIL, 2) && at + 2 == end);
  slot_t *slot = &client->table[id & client->mask];
  PEER_CHECK(slot->id == id && slot->x == x);
  slot->id = 0;
  uint64_t now = peer_now_ns();
  client->over = peer_answered(&client->peer, slot->sent_ns, now);
  add_request(client, now);
}

/* All that is whole; the rest goes to the beginning. */
static void take_frames(client_t *client) {
  const char *at = client->in;
  const char *end = client->in + client->in_len;
  while (end - at >= 2 && !client->over) {
    unsigned len = (unsigned char)at[1];
    PEER_CHECK((unsigned char)at[0] == 0x81 && len < 126);
    if ((size_t)(end - at) < 2 + len)
      break;
    take_answer(client, at + 2, at + 2 + len);
    at += 2 + len;
  }
  client->in_len = (size_t)(end - at);
  if (client->in_len)
    memmove(client->in, at, client->in_len);
}

static void read_in(client_t *client) {
  ssize_t len = recv(client->fd, client->in + client->in_len,
                     READ_SIZE - client->in_len, MSG_DONTWAIT);
  if (len < 0 && errno == EAGAIN)
    return;
  PEER_CHECK(len > 0);
  client->in_len += (size_t)len;
  take_frames(client);
  if (client->out_len && !client->waits && !client->over)
    write_out(client);
}

/* Once. */

static void connect_socket(client_t *client) {
  struct sockaddr_in address;
  int on = 1;
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)client->peer.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  client->fd = socket(AF_INET, SOCK_STREAM, 0);
  PEER_CHECK(client->fd >= 0);
  PEER_CHECK(connect(client->fd, (const struct sockaddr *)&address,
                     sizeof(address)) == 0);
  PEER_CHECK(
      setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
}

/* The server says nothing before the first request. */
static void shake_hands(client_t *client) {
  char text[512];
  int len = snprintf(text, sizeof(text),
                     "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                     "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: " KEY
                     "\r\n"
                     "Sec-WebSocket-Version: 13\r\n\r\n",
                     client->peer.port);
  PEER_CHECK(send(client->fd, text, (size_t)len, MSG_NOSIGNAL) == len);
  size_t have = 0;
  while (have < 4 || memcmp(client->in + have - 4, "\r\n\r\n", 4) != 0) {
    ssize_t more = recv(client->fd, client->in + have, 4096 - have, 0);
    PEER_CHECK(more > 0);
    have += (size_t)more;
  }
  client->in[have] = 0;
  PEER_CHECK(strncmp(client->in, "HTTP/1.1 101 ", 13) == 0);
  PEER_CHECK(strstr(client->in, ACCEPT "\r\n") != NULL);
}

static void prepare(client_t *client) {
  uint64_t in_flight = client->peer.in_flight;
  client->mask = 1;
  while (client->mask < in_flight * 2)
    client->mask *= 2;
  client->mask--;
  client->next = 1;
  client->table = (slot_t *)calloc(client->mask + 1, sizeof(*client->table));
  client->in = (char *)malloc(READ_SIZE + SLACK);
  client->out = (char *)malloc(in_flight * FRAME_MAX + SLACK);
  PEER_CHECK(client->table && client->in && client->out);
  PEER_CHECK(getrandom(&client->random, 8, 0) == 8);
  client->random |= 1;
}

static void run(client_t *client) {
  struct epoll_event event;
  client->epoll = epoll_create1(0);
  PEER_CHECK(client->epoll >= 0);
  watch(client, EPOLL_CTL_ADD, EPOLLIN);
  peer_start(&client->peer);
  for (uint64_t i = 0; i < client->peer.in_flight; i++)
    add_request(client, peer_now_ns());
  write_out(client);
  while (!client->over) {
    int ready = epoll_wait(client->epoll, &event, 1, -1);
    PEER_CHECK(ready == 1 || (ready < 0 && errno == EINTR));
    if (event.events & EPOLLOUT)
      write_out(client);
    if (event.events & ~(uint32_t)EPOLLOUT)
      read_in(client);
  }
}

int main(int argc, char **argv) {
  static client_t client;
  peer_init(&client.peer, "epoll-ws", argc, argv);
  prepare(&client);
  connect_socket(&client);
  shake_hands(&client);
  run(&client);
  close(client.epoll);
  close(client.fd);
  free(client.table);
  free(client.in);
  free(client.out);
  return 0;
}
