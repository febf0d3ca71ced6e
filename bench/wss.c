/*
 * What does wss take beside what OpenSSL itself takes?
 *
 * A client echoes payloads through a server of uvow's in a process of its own,
 * by ws and by wss. In turns with that as many bytes go through a plain socket
 * and through plain OpenSSL, to a process that reads a whole burst and writes it
 * back: SSL_write of all of it, SSL_read of as much as there is, TLS 1.3 with
 * the same cipher, blocking, and nothing else. All sockets are TCP over
 * loopback.
 *
 * How to read it: us of CPU a message, both ends together, medians of
 * interleaved rounds. "TLS" is what wss takes more than ws, "OpenSSL" what
 * plain OpenSSL takes more than the plain socket, "ratio" the one as a multiple
 * of the other, the median of the rounds' own, and "rate" the messages/s of wss
 * as a part of plain OpenSSL's. What TLS makes of the socket's work is in both:
 * where a message is small, and one at a time, that is most of it, and the
 * difference of two such numbers is rough.
 *
 * usage: bench_wss [rounds]
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "../test/support/certs.h"
#include "bed.h"

enum { ROUNDS = 5, LEN_MAX = 1 << 20, ENVELOPE = 60, READ_AHEAD = 65536 };

/* A connection, or its other end. */
typedef struct plain {
  int fd;
  SSL *ssl; /* NULL: without */
  pid_t pid;
  clockid_t clock; /* of the other end's process */
  char *bytes;
} plain_t;

static void put(const plain_t *plain, const void *bytes, size_t len) {
  const char *at = (const char *)bytes;
  size_t done;
  for (; len; at += done, len -= done) {
    if (plain->ssl) {
      MEASURE_CHECK(SSL_write_ex(plain->ssl, at, len, &done) == 1);
    } else {
      ssize_t sent = send(plain->fd, at, len, 0);
      MEASURE_CHECK(sent > 0);
      done = (size_t)sent;
    }
  }
}

/* Returns 0: the other end is gone. */
static int get(const plain_t *plain, void *bytes, size_t len) {
  char *at = (char *)bytes;
  size_t done;
  for (; len; at += done, len -= done) {
    ssize_t got = 0;
    if (plain->ssl && SSL_read_ex(plain->ssl, at, len, &done) != 1)
      return 0;
    if (!plain->ssl && (got = recv(plain->fd, at, len, 0)) <= 0)
      return 0;
    done = plain->ssl ? done : (size_t)got;
  }
  return 1;
}

/* A burst: its length, and so many bytes. Until the other end is gone. */
static void echo(const plain_t *plain) {
  uint64_t len;
  while (get(plain, &len, sizeof(len)) && get(plain, plain->bytes, len))
    put(plain, plain->bytes, len);
}

static SSL_CTX *new_context(const SSL_METHOD *method, const cert_t *cert) {
  SSL_CTX *context = SSL_CTX_new(method);
  MEASURE_CHECK(context);
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_read_ahead(context, 1); /* else two reads a record */
  SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
  if (cert)
    MEASURE_CHECK(SSL_CTX_use_certificate(context, cert->x509) == 1 &&
                  SSL_CTX_use_PrivateKey(context, cert->key) == 1);
  return context;
}

/* The handshake; no certificate is checked, which costs nothing later. */
static void secure(plain_t *plain, const cert_t *cert) {
  SSL_CTX *context =
      new_context(cert ? TLS_server_method() : TLS_client_method(), cert);
  plain->ssl = SSL_new(context);
  MEASURE_CHECK(plain->ssl && SSL_set_fd(plain->ssl, plain->fd) == 1);
  MEASURE_CHECK((cert ? SSL_accept : SSL_connect)(plain->ssl) == 1);
  SSL_CTX_free(context);
}

static void tune(plain_t *plain) {
  int on = 1;
  MEASURE_CHECK(
      setsockopt(plain->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
  plain->bytes = (char *)malloc(2 * LEN_MAX);
  MEASURE_CHECK(plain->bytes);
}

/* The other end's process. cert NULL: without TLS. */
static void serve(int listener, const cert_t *cert) {
  plain_t plain = {0};
  plain.fd = accept(listener, NULL, NULL);
  MEASURE_CHECK(plain.fd >= 0);
  tune(&plain);
  if (cert)
    secure(&plain, cert);
  echo(&plain);
  _exit(0);
}

static void start(plain_t *plain, const cert_t *cert) {
  struct sockaddr_in address = {0};
  struct sockaddr *at = (struct sockaddr *)&address;
  socklen_t len = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  MEASURE_CHECK(listener >= 0 && bind(listener, at, len) == 0 &&
                listen(listener, 1) == 0 &&
                getsockname(listener, at, &len) == 0);
  plain->pid = fork();
  MEASURE_CHECK(plain->pid >= 0);
  if (plain->pid == 0)
    serve(listener, cert);
  plain->fd = socket(AF_INET, SOCK_STREAM, 0);
  MEASURE_CHECK(plain->fd >= 0 && connect(plain->fd, at, len) == 0 &&
                clock_getcpuclockid(plain->pid, &plain->clock) == 0);
  close(listener);
  tune(plain);
  memset(plain->bytes, 'x', 2 * LEN_MAX);
  if (cert)
    secure(plain, NULL);
}

static void stop(plain_t *plain) {
  SSL_free(plain->ssl);
  close(plain->fd);
  free(plain->bytes);
}

typedef struct row {
  size_t len; /* of the params */
  size_t in_flight;
  size_t messages;
} row_t;

static const row_t rows[] = {
    {64, 1, 3000},     {64, 64, 100000},  {1024, 1, 3000},   {1024, 64, 30000},
    {16384, 16, 5000}, {65536, 16, 1500}, {LEN_MAX, 1, 100},
};

/* What a way takes. */
typedef struct cost {
  double cpu_us; /* a message */
  double rate;
} cost_t;

static double clock_us(clockid_t clock) {
  struct timespec at;
  MEASURE_CHECK(clock_gettime(clock, &at) == 0);
  return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

static cost_t since(uint64_t start, double cpu_us, const row_t *row) {
  cost_t cost;
  cost.rate = 1e9 / measure_ns_since(start, (double)row->messages);
  cost.cpu_us = cpu_us / (double)row->messages;
  return cost;
}

static cost_t run_plain(plain_t *plain, const row_t *row) {
  size_t burst = row->in_flight * (row->len + ENVELOPE);
  size_t bursts = row->messages / row->in_flight;
  uint64_t len = burst - sizeof(len);
  uint64_t start = uv_hrtime();
  double cpu = clock_us(plain->clock) + clock_us(CLOCK_PROCESS_CPUTIME_ID);
  memcpy(plain->bytes, &len, sizeof(len));
  for (size_t i = 0; i < bursts; i++) {
    put(plain, plain->bytes, burst);
    MEASURE_CHECK(get(plain, plain->bytes + sizeof(len), (size_t)len));
  }
  cpu = clock_us(plain->clock) + clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  return since(start, cpu, row);
}

typedef struct bench {
  bed_t bed;
  clockid_t clock;
  uvow_peer_t *clients[2]; /* ws, wss */
  plain_t plains[2];
  char *text;
} bench_t;

static cost_t run_uvow(bench_t *bench, int is_secure, const row_t *row) {
  bed_load_t load = {0};
  load.clients = &bench->clients[is_secure];
  load.client_count = 1;
  load.method = "echo";
  load.params = bench->text;
  load.len = row->len;
  load.in_flight = row->in_flight;
  load.requests = row->messages;
  uint64_t start = uv_hrtime();
  double cpu = clock_us(bench->clock) + clock_us(CLOCK_PROCESS_CPUTIME_ID);
  bed_run(&bench->bed, &load);
  cpu = clock_us(bench->clock) + clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  return since(start, cpu, row);
}

static void print_row(bench_t *bench, const row_t *row, int rounds) {
  measure_t cpu[4] = {{0}}, own = {0}, theirs = {0}, ratio = {0}, rate = {0};
  memset(bench->text, 'x', row->len);
  memcpy(bench->text, "[\"", 2);
  memcpy(bench->text + row->len - 2, "\"]", 2);
  for (int round = -1; round < rounds; round++) { /* the first warms up */
    cost_t cost[4];
    for (int is_secure = 0; is_secure < 2; is_secure++) {
      cost[is_secure] = run_uvow(bench, is_secure, row);
      cost[2 + is_secure] = run_plain(&bench->plains[is_secure], row);
    }
    if (round < 0)
      continue;
    for (int i = 0; i < 4; i++)
      measure_add(&cpu[i], cost[i].cpu_us);
    measure_add(&own, cost[1].cpu_us - cost[0].cpu_us);
    measure_add(&theirs, cost[3].cpu_us - cost[2].cpu_us);
    measure_add(&ratio, (cost[1].cpu_us - cost[0].cpu_us) /
                            (cost[3].cpu_us - cost[2].cpu_us));
    measure_add(&rate, cost[1].rate / cost[3].rate);
  }
  printf("%8zu %9zu", row->len, row->in_flight);
  for (int i = 0; i < 4; i++)
    printf(" %9.2f", measure_median(&cpu[i]));
  printf(" %9.2f %9.2f %6.2f %6.2f\n", measure_median(&own),
         measure_median(&theirs), measure_median(&ratio),
         measure_median(&rate));
  fflush(stdout);
}

static int serve_bed(const cert_t *cert) {
  bed_serve_options_t options = {0};
  options.cert_pem = cert->pem;
  options.key_pem = cert->key_pem;
  return bed_serve(&options);
}

int main(int argc, char **argv) {
  static bench_t bench;
  cert_t *cert = cert_new_localhost(NULL);
  if (bed_is_server(argc, argv))
    return serve_bed(cert);
  int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
  MEASURE_CHECK(rounds > 0 && rounds <= MEASURE_ROUNDS_MAX);
  signal(SIGPIPE, SIG_IGN);
  start(&bench.plains[0], NULL);
  start(&bench.plains[1], cert);
  bed_start(&bench.bed);
  MEASURE_CHECK(clock_getcpuclockid(bench.bed.server.pid, &bench.clock) == 0);
  bench.clients[0] = bed_client(&bench.bed, BED_PLAIN);
  bench.clients[1] = bed_client(&bench.bed, BED_SECURE);
  bench.text = (char *)malloc(LEN_MAX);
  MEASURE_CHECK(bench.text);
  for (int i = 0; i < 2; i++)
    bed_await(&bench.bed, bench.clients[i]);
  printf("%-18s %-39s %19s\n%8s %9s %9s %9s %9s %9s %9s %9s %6s %6s\n", "",
         "us of CPU a message", "of that", "bytes", "in flight", "ws", "wss",
         "socket", "OpenSSL", "TLS", "OpenSSL", "ratio", "rate");
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
    print_row(&bench, &rows[i], rounds);
  for (int i = 0; i < 2; i++) {
    uvow_peer_unref(bench.clients[i]);
    stop(&bench.plains[i]);
  }
  free(bench.text);
  cert_free(cert);
  bed_stop(&bench.bed);
  return 0;
}
