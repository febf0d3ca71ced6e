/*
 * What can one hostile end make a process hold, and how long does it keep it from
 * its other work?
 *
 * The attacker is a process of its own with plain sockets: it sends as fast as it
 * can for three seconds, and reads only where the attack needs it. Its victim is
 * a server of uvow's with all defaults (compression is on), or a client of one.
 *
 * How to read it: "most MiB" is the most that the loop's allocator held at any
 * time; "late ms" how late a timer of 10 ms was at the worst, which is how long
 * others had to wait, and "CPU ms" how much of the processor the victim used in
 * such a time at most, which no other work of the machine changes; "peers" are
 * the connections that were open in the end.
 *
 * usage: bench_attack [name]
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <zlib.h>

#include <uvow.h>

#include "../test/support/certs.h"
#include "counter.h"
#include "measure.h"

enum { ATTACK_MS = 3000, TICK_MS = 10, MANY = 500, ROOM = 4 * 1024 * 1024 };

/* ---- the attacker: blocking sockets, in a child ---- */

static uint16_t port;
static unsigned char room[ROOM];
static unsigned char text[ROOM];

static int dial(void) {
  struct sockaddr_in to = {0};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) /* it has all that there are */
    return -1;
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
    return fd;
  close(fd);
  return -1;
}

/* All of it; 0: it has gone. */
static int put(int fd, const void *bytes, size_t len) {
  for (const char *at = (const char *)bytes; len;) {
    ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
    if (n <= 0)
      return 0;
    at += n;
    len -= (size_t)n;
  }
  return 1;
}

/* As much as there is room for; 0: it has gone. */
static int put_some(int fd, const void *bytes, size_t len) {
  ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
  return n >= 0 || errno == EAGAIN;
}

/* It has as many as it can have. */
static void rest(void) {
  struct timespec ms = {0, 1000000};
  nanosleep(&ms, NULL);
}

static void drain(int fd) {
  static char unread[65536];
  while (recv(fd, unread, sizeof(unread), MSG_DONTWAIT) > 0)
    ;
}

static int upgraded(int packed) {
  static const char head[] =
      "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  static const char extension[] =
      "Sec-WebSocket-Extensions: permessage-deflate; "
      "client_no_context_takeover\r\n";
  char answer[2048];
  int fd = dial();
  if (fd < 0)
    return -1;
  put(fd, head, sizeof(head) - 1);
  if (packed)
    put(fd, extension, sizeof(extension) - 1);
  put(fd, "\r\n", 2);
  if (recv(fd, answer, sizeof(answer), 0) > 12 &&
      memcmp(answer + 9, "101", 3) == 0)
    return fd;
  close(fd);
  return -1;
}

/* The header of a frame, masked with zeros; a server's has no mask. */
static size_t put_head(unsigned char *to, int first, uint64_t len, int mask) {
  size_t at = 0;
  to[at++] = (unsigned char)first;
  if (len < 126) {
    to[at++] = (unsigned char)len;
  } else {
    to[at++] = len < 65536 ? 126 : 127;
    for (int shift = len < 65536 ? 8 : 56; shift >= 0; shift -= 8)
      to[at++] = (unsigned char)(len >> shift);
  }
  if (!mask)
    return at;
  to[1] |= 0x80;
  memset(to + at, 0, 4);
  return at + 4;
}

/* A frame in `room`, at `at`. Returns its end. */
static size_t frame(size_t at, int first, const void *bytes, size_t len) {
  at += put_head(room + at, first, len, 1);
  if (len)
    memcpy(room + at, bytes, len);
  return at + len;
}

/* Raw deflate, as RFC 7692 has it. Returns its length. */
static size_t pack(unsigned char *to, size_t size, const unsigned char *from,
                   size_t len) {
  z_stream z;
  memset(&z, 0, sizeof(z));
  MEASURE_CHECK(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, 0) == Z_OK);
  z.next_in = (unsigned char *)(uintptr_t)from;
  z.avail_in = (unsigned)len;
  z.next_out = to;
  z.avail_out = (unsigned)size;
  MEASURE_CHECK(deflate(&z, Z_SYNC_FLUSH) == Z_OK && z.avail_in == 0);
  size_t packed = size - z.avail_out - 4;
  deflateEnd(&z);
  return packed;
}

/* The same bytes, again and again, on one connection after the other. */
static void repeat(int packed, size_t len, int reads) {
  for (;;) {
    int fd = upgraded(packed);
    while (fd >= 0 && put(fd, room, len))
      if (reads)
        drain(fd);
    if (fd >= 0)
      close(fd);
  }
}

/* The same on many, as far as they have room: nobody reads. */
static void repeat_on_many(size_t len) {
  static int fds[MANY];
  for (int i = 0; i < MANY; i++)
    fds[i] = upgraded(0);
  for (;;)
    for (int i = 0; i < MANY; i++)
      if (fds[i] >= 0 && !put_some(fds[i], room, len)) {
        close(fds[i]);
        fds[i] = upgraded(0);
      }
}

/* A call with a mebibyte of spaces as params; "tell": an event. */
static size_t big_message(const char *id) {
  static unsigned char packed[8192];
  size_t len = (size_t)snprintf((char *)text, sizeof(text),
                                "{\"jsonrpc\":\"2.0\",%s\"method\":\"never\","
                                "\"params\":[",
                                id);
  memset(text + len, ' ', 1 << 20);
  memcpy(text + len + (1 << 20), "]}", 2);
  size_t small = pack(packed, sizeof(packed), text, len + (1 << 20) + 2);
  return frame(0, 0xC1, packed, small);
}

static void amplified_events(void) {
  repeat(1, big_message(""), 0);
}

/* 900 KiB of compressed calls, and no more. */
static void amplified_calls(void) {
  size_t len = big_message("\"id\":1,");
  int fd = upgraded(1);
  for (size_t sent = 0; fd >= 0 && sent < 900 * 1024; sent += len)
    if (!put(fd, room, len))
      break;
  pause();
}

/* 15.9 MiB of a message of 16 MiB, on a hundred connections. */
static void unfinished(void) {
  size_t left[100];
  int fds[100];
  for (int i = 0; i < 100; i++) {
    size_t len = put_head(room, 0x81, 16 << 20, 1);
    fds[i] = upgraded(0);
    left[i] = (16 << 20) - 65536;
    if (fds[i] >= 0)
      put(fds[i], room, len);
  }
  memset(room, ' ', ROOM);
  for (;;)
    for (int i = 0; i < 100; i++)
      if (fds[i] >= 0 && left[i] > 65536) {
        if (!put(fds[i], room, 65536))
          fds[i] = -1;
        left[i] -= 65536;
      }
}

static void many_times(int first, const void *bytes, size_t len, size_t *at) {
  while (*at + len + 14 < 65536)
    *at = frame(*at, first, bytes, len);
}

static void pings(void) {
  size_t len = 0;
  memset(text, 'p', 125);
  many_times(0x89, text, 125, &len);
  repeat_on_many(len);
}

static void nonsense(void) {
  size_t len = 0;
  many_times(0x81, "{", 1, &len);
  repeat_on_many(len);
}

/* What opens a TLS handshake. Returns its length. */
static size_t hello(void) {
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  SSL *ssl = SSL_new(ctx);
  BIO *out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
  SSL_set_connect_state(ssl);
  (void)SSL_do_handshake(ssl);
  int len = BIO_read(out, room, ROOM);
  SSL_free(ssl);
  SSL_CTX_free(ctx);
  return len > 0 ? (size_t)len : 0;
}

/* All that were opened begin their handshakes at once, and go. */
static void hellos(void) {
  int fds[MANY];
  size_t len = hello();
  for (;;) {
    for (int i = 0; i < MANY; i++)
      fds[i] = dial();
    for (int i = 0; i < MANY; i++)
      if (fds[i] >= 0)
        put(fds[i], room, len);
    rest();
    for (int i = 0; i < MANY; i++)
      if (fds[i] >= 0)
        close(fds[i]);
  }
}

/* A message of fragments of a byte each, or of none, that never ends. */
static void fragments(size_t each) {
  size_t len = frame(0, 0x01, " ", 1);
  int fd = upgraded(0);
  if (fd >= 0)
    put(fd, room, len);
  len = 0;
  many_times(0x00, " ", each, &len);
  while (fd >= 0 && put(fd, room, len))
    ;
  repeat(0, len, 0);
}

static void bytewise(void) {
  fragments(1);
}

static void empty(void) {
  fragments(0);
}

/* A close frame, and pings for ever behind it; the server's isn't read. */
static void half_closed(void) {
  size_t len = frame(0, 0x88, "\x03\xe8", 2);
  many_times(0x89, "", 0, &len);
  repeat(0, len, 0);
}

/* Close frames on many connections, whose sockets stay open. */
static void never_gone(void) {
  size_t len = frame(0, 0x88, "\x03\xe8", 2);
  for (;;) {
    int fd = upgraded(0);
    if (fd < 0 || !put(fd, room, len))
      rest();
  }
}

/* Requests of which only the beginning comes. */
static void half_open(void) {
  static const char head[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgr";
  for (;;) {
    int fd = dial();
    if (fd < 0 || !put(fd, head, sizeof(head) - 1))
      rest();
  }
}

/* Nothing at all. */
static void silent(void) {
  while (dial() >= 0)
    ;
  pause();
}

static void endless_line(void) {
  memset(room, 'a', 65536);
  memcpy(room, "GET /", 5);
  for (;;) {
    int fd = dial();
    while (fd >= 0 && put(fd, room, 65536))
      ;
    close(fd);
  }
}

static void endless_headers(void) {
  for (size_t at = 0; at + 6 < 65536; at += 6)
    memcpy(room + at, "a: b\r\n", 6);
  for (;;) {
    int fd = dial();
    if (fd >= 0)
      put(fd, "GET / HTTP/1.1\r\n", 16);
    while (fd >= 0 && put(fd, room, 65536))
      ;
    close(fd);
  }
}

/* Frames that no extension has: a compressed ping, continuation, close. */
static void lookalikes(void) {
  static const int firsts[] = {0xC9, 0xC8, 0xC0, 0xCA, 0x91, 0xA1, 0x83, 0x8B};
  for (int i = 0;; i++) {
    size_t len = frame(0, firsts[i % 8], "\x03\xe8", 2);
    int fd = upgraded(1);
    if (fd < 0)
      continue;
    put(fd, room, len);
    drain(fd);
    close(fd);
  }
}

/* ---- what a client meets ---- */

static int listening; /* of the attacker */

static void listen_here(void) {
  struct sockaddr_in at = {0};
  socklen_t len = sizeof(at);
  listening = socket(AF_INET, SOCK_STREAM, 0);
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  MEASURE_CHECK(bind(listening, (struct sockaddr *)&at, sizeof(at)) == 0);
  MEASURE_CHECK(listen(listening, 64) == 0);
  MEASURE_CHECK(getsockname(listening, (struct sockaddr *)&at, &len) == 0);
  port = ntohs(at.sin_port);
}

/* Accepts a client and sends these bytes for ever. */
static void serve_for_ever(const char *head, size_t len) {
  for (;;) {
    int fd = accept(listening, NULL, NULL);
    if (fd < 0 || !put(fd, head, strlen(head)))
      continue;
    while (put(fd, room, len))
      ;
    close(fd);
  }
}

static void response_without_end(void) {
  memset(room, 'a', 65536);
  serve_for_ever("HTTP/1.1 101 Switching Protocols\r\nX: ", 65536);
}

static void refusal_without_end(void) {
  memset(room, 'a', 65536);
  serve_for_ever("HTTP/1.1 403 No\r\nContent-Length: 99999999999\r\n\r\n",
                 65536);
}

/* ---- the victim ---- */

typedef enum victim { SERVER, CLIENT, SECURE } victim_t;

typedef struct attack {
  const char *name;
  void (*run)(void);
  victim_t victim;
  const char *what;
} attack_t;

static const attack_t attacks[] = {
    {"events", amplified_events, SERVER, "compressed events, 1 MiB each"},
    {"calls", amplified_calls, SERVER, "900 KiB of compressed calls"},
    {"unfinished", unfinished, SERVER, "100 messages of 15.9 of 16 MiB"},
    {"pings", pings, SERVER, "500 peers that ping and never read"},
    {"nonsense", nonsense, SERVER, "500 peers that get errors and never read"},
    {"bytewise", bytewise, SERVER, "a message of fragments of 1 byte"},
    {"empty", empty, SERVER, "a message of empty fragments"},
    {"half closed", half_closed, SERVER, "pings behind a close frame"},
    {"never gone", never_gone, SERVER, "closed peers whose sockets stay"},
    {"half open", half_open, SERVER, "half of a request, many times"},
    {"silent", silent, SERVER, "connections that say nothing"},
    {"line", endless_line, SERVER, "a request line without end"},
    {"headers", endless_headers, SERVER, "headers without end"},
    {"lookalikes", lookalikes, SERVER, "RSV bits and opcodes that aren't"},
    {"response", response_without_end, CLIENT,
     "a 101 without end, to a client"},
    {"refusal", refusal_without_end, CLIENT, "a refusal's body, to a client"},
    {"hellos", hellos, SECURE, "500 TLS handshakes at once, again and again"},
};

static uv_loop_t uv;
static uvow_loop_t *loop;
static uvow_server_t *server;
static uvow_peer_t *client;
static pid_t attacker;
static uint64_t expected_ns;
static uint64_t latest_ns;
static uint64_t seen_cpu_ns;
static uint64_t busiest_ns;
static int ticks;

static uvow_next_t never(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  (void)params;
  (void)data;
  return uvow_next_future(uvow_future_delay(uvow_call_loop(call), 60000));
}

/* A context with a certificate that costs what those of most servers do. */
static uvow_tls_t *new_tls(void) {
  cert_spec_t spec = {.name = "localhost", .hosts = "DNS:localhost"};
  uvow_tls_options_t options = {.size = sizeof(options), .is_server = 1};
  uvow_tls_t *tls;
  spec.is_rsa = 1;
  cert_t *cert = cert_new(&spec);
  options.cert_pem = cert->pem;
  options.key_pem = cert->key_pem;
  MEASURE_CHECK(uvow_tls_new(loop, &options, &tls, NULL) == 0);
  cert_free(cert);
  return tls;
}

static void start_server(int secure) {
  uvow_tls_t *tls = secure ? new_tls() : NULL;
  uvow_methods_t *methods = uvow_methods_new(loop);
  MEASURE_CHECK(uvow_methods_add(methods, "never", never, NULL) == 0);
  uvow_listener_t *listener = uvow_listener_new(
      loop, UVOW_WITH(listener, .deflate = UVOW_DEFAULTS(deflate), .tls = tls));
  server = uvow_server_new(
      listener, UVOW_WITH(peer, .protocol = uvow_protocol_by_name("jsonrpc2"),
                          .methods = methods));
  uvow_methods_unref(methods);
  uvow_tls_unref(tls);
  MEASURE_CHECK(server);
  port = uvow_server_port(server);
}

static void start_client(void) {
  char url[64];
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/", (unsigned)port);
  client = uvow_peer_connect(
      loop, url,
      UVOW_WITH(peer, .protocol = uvow_protocol_by_name("jsonrpc2"),
                .reconnect = UVOW_DEFAULTS(reconnect)));
  MEASURE_CHECK(client);
}

static void start_attacker(const attack_t *attack) {
  fflush(stdout);
  attacker = fork();
  MEASURE_CHECK(attacker >= 0);
  if (attacker == 0) {
    alarm(ATTACK_MS / 1000 + 20);
    attack->run();
    _exit(0);
  }
}

static uint64_t cpu_ns(void) {
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static void on_tick(uv_timer_t *timer) {
  uint64_t now = uv_hrtime();
  uint64_t cpu = cpu_ns();
  if (cpu - seen_cpu_ns > busiest_ns)
    busiest_ns = cpu - seen_cpu_ns;
  seen_cpu_ns = cpu;
  uint64_t late = now > expected_ns ? now - expected_ns : 0;
  latest_ns = late > latest_ns ? late : latest_ns;
  if (++ticks * TICK_MS < ATTACK_MS) {
    expected_ns = now + TICK_MS * UINT64_C(1000000);
    uv_timer_start(timer, on_tick, TICK_MS, 0);
    return;
  }
  kill(attacker, SIGKILL);
  waitpid(attacker, NULL, 0);
  uv_close((uv_handle_t *)timer, NULL);
}

static void measure(const attack_t *attack) {
  counter_t counter = {0};
  uv_timer_t timer;
  MEASURE_CHECK(uv_loop_init(&uv) == 0);
  loop = counter_loop(&counter, &uv);
  latest_ns = busiest_ns = 0;
  ticks = 0;
  if (attack->victim == CLIENT)
    listen_here();
  else
    start_server(attack->victim == SECURE);
  start_attacker(attack);
  if (attack->victim == CLIENT)
    start_client();
  MEASURE_CHECK(uv_timer_init(&uv, &timer) == 0);
  expected_ns = uv_hrtime() + TICK_MS * UINT64_C(1000000);
  uv_timer_start(&timer, on_tick, TICK_MS, 0);
  seen_cpu_ns = cpu_ns();
  while (uv_is_active((uv_handle_t *)&timer))
    uv_run(&uv, UV_RUN_ONCE);
  size_t peers =
      server ? uvow_group_walk(uvow_server_peers(server), NULL, NULL) : 0;
  printf("%-12s %9.1f %9.1f %9.1f %7zu  %s\n", attack->name,
         (double)counter.most / (1 << 20), (double)latest_ns / 1e6,
         (double)busiest_ns / 1e6, peers, attack->what);
  uvow_server_free(server);
  uvow_peer_unref(client);
  server = NULL;
  client = NULL;
  if (attack->victim == CLIENT)
    close(listening);
  measure_close(&uv, loop);
  MEASURE_CHECK(counter.live == 0);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  printf("%-12s %9s %9s %9s %7s\n", "attack", "most MiB", "late ms", "CPU ms",
         "peers");
  for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++)
    if (argc < 2 || strcmp(argv[1], attacks[i].name) == 0)
      measure(&attacks[i]);
  return 0;
}
