/*
 * Is every request answered, however its bytes are cut? A server, clients and a
 * chopper between them, on one loop, over real sockets: ws and wss, with
 * deflate or without, with sockets that take little. Messages of no bytes to a
 * MiB go both ways, some are canceled; each answer must be the request's own.
 *
 *   a request waits, but nothing moves: no byte in the chopper, none in the
 *   kernel, for many turns of the loop -> it's a stall: where the bytes are is
 *   reported
 *
 * Every round is made of its seed alone; how the kernel cuts is its own affair.
 *
 * usage: soak [--seeds FROM-TO] [--requests N]
 */
#include "soak.h"
#include "support/serve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/certs.h"

#define MIB ((size_t)1024 * 1024)
#define QUIET_TURNS 200 /* without anything that moves */
#define LOOKS 3         /* the kernel may just have let go of what it had */
#define FAR_MS 600000u  /* a deadline that none should meet */

typedef struct ask {
  soak_t *soak;
  uvow_future_t *future; /* NULL: it isn't to be canceled */
  unsigned turns;        /* until it is */
  int settled;
  size_t len;    /* of what the answer must be */
  uint64_t seed; /* what that is made of */
  char *text;
  struct ask *next; /* of those to be canceled */
} ask_t;

typedef struct identity {
  cert_t *ca;
  cert_t *cert;
} identity_t;

static int requests_per_round = 60;
/* See uv_try_write. NULL: all that can leave leaves. */
static sim_random_t *short_writes;

/* Stands before libuv's, for the library too: now and then less leaves than
 * could, or nothing. */
int uv_try_write(uv_stream_t *handle, const uv_buf_t bufs[], unsigned count) {
  uv_buf_t first = bufs[0];
  if (short_writes && sim_one_in(short_writes, 4))
    return UV_EAGAIN;
  if (!short_writes || sim_one_in(short_writes, 2))
    return uv_try_write2(handle, bufs, count, NULL);
  first.len = 1 + sim_below(short_writes, first.len);
  return uv_try_write2(handle, &first, 1, NULL);
}

static uint32_t below(soak_t *soak, size_t bound) {
  return sim_below(&soak->random, bound);
}

static void must(int rc, const char *what) {
  if (rc == 0)
    return;
  printf("Bail out! %s: %s\n", what, uvow_strerror(rc));
  exit(1);
}

/* Text that deflate makes little of, or much. */
static void fill(char *text, size_t len, uint64_t seed) {
  static const char letters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  sim_random_t random = {seed};
  int random_to = seed % 3 == 0 ? 64 : seed % 3 == 1 ? 2 : 1;
  for (size_t i = 0; i < len;) {
    uint64_t bits = sim_next(&random);
    for (int k = 0; k < 10 && i < len; k++, bits >>= 6)
      text[i++] = letters[(int)(bits & 63) % random_to];
  }
}

/* A JSON array of one string; the shortest is empty. To be freed. */
static char *make_text(size_t len, uint64_t seed) {
  char *text = (char *)malloc(len + 1);
  must(text ? 0 : UVOW_ENOMEM, "text");
  text[len] = '\0';
  memset(text, ' ', len);
  if (len >= 4)
    fill(text + 2, len - 4, seed);
  if (len >= 2)
    text[0] = '[';
  if (len >= 4)
    text[1] = text[len - 2] = '"';
  if (len >= 2)
    text[len - 1] = ']';
  return text;
}

static size_t draw_size(soak_t *soak) {
  static const size_t most[] = {2, 100, 130, 300, 5000, 20000, 70000, 70000};
  if (below(soak, 24) == 0)
    return MIB - below(soak, 200000);
  return 2 + below(soak, most[below(soak, 8)]);
}

/* The server. */

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

/* [seed,len, ...]: answers with what make_text makes of them. */
static uvow_next_t give(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  char head[64] = {0};
  char *end;
  uvow_slice_t text = uvow_result_bytes(params);
  (void)data;
  memcpy(head, text.bytes,
         text.len < sizeof(head) ? text.len : sizeof(head) - 1);
  uint64_t seed = strtoull(head + 1, &end, 10);
  size_t len = (size_t)strtoull(end + 1, NULL, 10);
  char *answer = make_text(len, seed);
  uvow_next_t next =
      uvow_next_value(uvow_value_bytes(uvow_call_loop(call), answer, len));
  free(answer);
  return next;
}

/* Requests. */

static void free_ask(ask_t *ask) {
  uvow_future_unref(ask->future);
  free(ask->text);
  free(ask);
}

static int is_own(const ask_t *ask, const uvow_result_t *result) {
  if (ask->len == 0) /* it had no params: nothing to compare */
    return 1;
  uvow_slice_t text = uvow_result_bytes(result);
  char *expected = make_text(ask->len, ask->seed);
  int own = text.bytes && text.len == ask->len &&
            memcmp(text.bytes, expected, text.len) == 0;
  free(expected);
  return own;
}

static void on_settled(const uvow_result_t *result, void *data) {
  ask_t *ask = (ask_t *)data;
  soak_t *soak = ask->soak;
  int code = uvow_error_code(result->error);
  soak->waiting--;
  soak->settled++;
  if (!result->error) {
    soak->answered++;
    soak->bytes += ask->len;
    soak->wrong += !is_own(ask, result);
  } else if (code == UVOW_EOVERLOAD &&
             uvow_error_outcome(result->error) == UVOW_NOT_SENT) {
    soak->refused++;
    soak->to_make++; /* another time */
  } else if (!soak->over && !(code == UVOW_ECANCELED && ask->future)) {
    printf("# %s: %s\n", uvow_err_name(code),
           uvow_error_message(result->error));
    soak->wrong++;
  }
  ask->settled = 1;
  if (!ask->future) /* else cancel_some does */
    free_ask(ask);
}

/* Puts "[seed,len,"..."]" before what the text was. */
static void ask_for(ask_t *ask, soak_t *soak) {
  char head[64];
  int len = snprintf(head, sizeof(head), "[%llu,%zu,\"",
                     (unsigned long long)ask->seed, ask->len);
  size_t more = draw_size(soak);
  ask->text = (char *)malloc((size_t)len + more + 3);
  must(ask->text ? 0 : UVOW_ENOMEM, "text");
  memcpy(ask->text, head, (size_t)len);
  fill(ask->text + len, more, ask->seed + 1);
  memcpy(ask->text + len + more, "\"]", 3);
}

static void make_one(soak_t *soak) {
  uvow_request_options_t options = {.size = sizeof(options)};
  uvow_peer_t *client = soak->clients[below(soak, soak->client_count)];
  ask_t *ask = (ask_t *)calloc(1, sizeof(*ask));
  must(ask ? 0 : UVOW_ENOMEM, "request");
  int gives = below(soak, 3) == 0;
  ask->soak = soak;
  ask->seed = sim_next(&soak->random);
  ask->len = draw_size(soak);
  if (!gives && below(soak, 30) == 0)
    ask->len = 0;
  if (gives)
    ask_for(ask, soak);
  else if (ask->len)
    ask->text = make_text(ask->len, ask->seed);
  options.timeout_ms = below(soak, 2) ? FAR_MS : UVOW_NO_TIMEOUT;
  uvow_future_t *f =
      uvow_peer_request_with(client, gives ? "give" : "echo",
                             uvow_value_slice(&(uvow_slice_t){
                                 ask->text, ask->text ? strlen(ask->text) : 0}),
                             &options);
  if (below(soak, 12) == 0) {
    ask->future = uvow_future_ref(f);
    ask->turns = 1 + below(soak, 60);
    ask->next = soak->canceled;
    soak->canceled = ask;
  }
  soak->to_make--;
  soak->waiting++;
  must(uvow_future_done(f, on_settled, ask), "done");
  if (below(soak, 4) == 0) /* not later: what moves hides what doesn't */
    uvow_group_notify(uvow_server_peers(soak->server), "news",
                      uvow_value_raw("[1]"));
}

/* Cancels whose time has come; frees those that are settled. */
static void cancel_some(soak_t *soak) {
  for (ask_t **at = &soak->canceled; *at;) {
    ask_t *ask = *at;
    if (ask->turns && --ask->turns == 0)
      uvow_future_cancel(ask->future);
    if (ask->settled) {
      *at = ask->next;
      free_ask(ask);
    } else {
      at = &ask->next;
    }
  }
}

/* A round. */

static uvow_next_t on_event(uvow_call_t *call, const uvow_result_t *params,
                            void *data) {
  (void)call;
  (void)params;
  ((soak_t *)data)->events++;
  return uvow_next_none();
}

static uvow_tls_t *new_tls(soak_t *soak, const identity_t *who, int is_server,
                           int version) {
  uvow_tls_options_t options = {.size = sizeof(options)};
  uvow_tls_t *tls;
  options.is_server = is_server;
  options.max_version = version ? UVOW_TLS_1_2 : UVOW_TLS_1_3;
  if (is_server) {
    options.cert_pem = who->cert->pem;
    options.key_pem = who->cert->key_pem;
  } else {
    options.ca_pem = who->ca->pem;
  }
  must(uvow_tls_new(soak->loop, &options, &tls, NULL), "tls");
  return tls;
}

/* What is sent is bounded, not what is received: a small window would wait for
 * the kernel's timers. */
static void set_size(uv_handle_t *handle, void *data) {
  const soak_t *soak = (const soak_t *)data;
  int bytes = soak->socket_bytes;
  if (handle->type == UV_TCP && bytes && !uv_is_closing(handle))
    uv_send_buffer_size(handle, &bytes);
}

static void start(soak_t *soak, const identity_t *who) {
  static const int sizes[] = {0, 0, 2000, 10000, 50000};
  test_serve_t server = test_serve_options();
  uvow_peer_options_t client = {.size = sizeof(client)};
  uvow_websocket_options_t websocket = {.size = sizeof(websocket)};
  uvow_deflate_options_t deflate = {.size = sizeof(deflate)};
  char url[64];
  int secure = soak->seed & 1;
  int old = below(soak, 3) == 0;
  soak->socket_bytes = sizes[below(soak, 5)];
  short_writes = below(soak, 2) ? &soak->random : NULL;
  server.peer.protocol = client.protocol = uvow_protocol_by_name("jsonrpc2");
  if (soak->seed & 2) {
    deflate.level = 1;
    deflate.threshold_bytes = 1 + below(soak, 400);
    deflate.client_no_context_takeover = below(soak, 3) == 0;
    deflate.server_no_context_takeover = below(soak, 3) == 0;
    server.listener.deflate = websocket.deflate = &deflate;
  }
  server.listener.tls = secure ? new_tls(soak, who, 1, old) : NULL;
  websocket.tls = secure ? new_tls(soak, who, 0, old) : NULL;
  must(test_serve(soak->loop, &server, &soak->server), "server");
  must(test_method(soak->server, "echo", echo, NULL), "echo");
  must(test_method(soak->server, "give", give, NULL), "give");
  uv_walk(&soak->uv, set_size, soak);
  must(chopper_start(&soak->chopper, &soak->uv, uvow_server_port(soak->server),
                     sim_next(&soak->random)),
       "chopper");
  snprintf(url, sizeof(url), "%s://127.0.0.1:%u/", secure ? "wss" : "ws",
           soak->chopper.port);
  client.websocket = &websocket;
  client.data = soak;
  client.methods = uvow_methods_new(soak->loop);
  must(uvow_methods_add(client.methods, NULL, on_event, soak), "events");
  client.timeout_ms = FAR_MS;
  websocket.ping_ms = below(soak, 4) ? 0 : 20;
  client.max_in_flight = below(soak, 2) ? 0 : 1 + below(soak, 8);
  websocket.max_unsent_bytes = below(soak, 2) ? 0 : MIB + MIB / 2;
  client.no_cancel = below(soak, 2) == 0;
  soak->client_count = 1 + below(soak, SOAK_CLIENTS);
  soak->at_once = 1 + below(soak, below(soak, 2) ? 4 : 40);
  for (size_t i = 0; i < soak->client_count; i++) {
    soak->clients[i] = uvow_peer_connect(soak->loop, url, &client);
    must(soak->clients[i] ? 0 : UVOW_ENOMEM, "client");
  }
  uvow_methods_unref(client.methods);
  uvow_tls_unref(server.listener.tls);
  uvow_tls_unref(websocket.tls);
  snprintf(soak->what, sizeof(soak->what),
           "%s%s%s, sockets of %d bytes%s, %zu clients, %zu at once, %zu in "
           "flight, ping %u, unsent %zu",
           secure ? "wss" : "ws", secure && old ? " of TLS 1.2" : "",
           server.listener.deflate ? " with deflate" : "", soak->socket_bytes,
           short_writes ? " cut short" : "", soak->client_count, soak->at_once,
           client.max_in_flight, websocket.ping_ms, websocket.max_unsent_bytes);
}

static void on_tick(uv_timer_t *timer) {
  (void)timer;
}

static void tend(soak_t *soak) {
  while (soak->to_make && soak->waiting < soak->at_once)
    make_one(soak);
  cancel_some(soak);
  if (soak->settled == 0) /* who has just connected */
    uv_walk(&soak->uv, set_size, soak);
}

/* Before, a thread of libuv's looks names up; a deadline ends that. */
static int all_open(const soak_t *soak) {
  for (size_t i = 0; i < soak->client_count; i++)
    if (uvow_peer_state(soak->clients[i]) == UVOW_PEER_CONNECTING)
      return 0;
  return 1;
}

static int is_still(soak_t *soak) {
  return all_open(soak) && soak->chopper.held == 0 && soak_in_kernel(soak) == 0;
}

static void report_stall(soak_t *soak) {
  printf("# seed %llu (%s): nothing moves, and %zu requests wait\n",
         (unsigned long long)soak->seed, soak->what, soak->waiting);
  soak_report(soak);
  soak->stalls++;
}

/* Until all is answered, or nothing moves. */
static void run(soak_t *soak) {
  size_t before = 0;
  int quiet = 0;
  int still = 0; /* looks in a row that found nothing anywhere */
  while ((soak->to_make || soak->waiting) && !soak->stalls) {
    tend(soak);
    uv_run(&soak->uv, UV_RUN_NOWAIT);
    size_t now = soak->chopper.moved + soak->settled;
    quiet = now == before ? quiet + 1 : 0;
    still = now == before ? still : 0;
    before = now;
    if (quiet < QUIET_TURNS)
      continue;
    quiet = 0;
    still = is_still(soak) ? still + 1 : 0;
    if (still == LOOKS)
      report_stall(soak);
    if (still)
      continue;
    /* The kernel has it, and its own timers: that's worth a sleep. */
    uv_timer_start(&soak->timer, on_tick, 1, 0);
    uv_run(&soak->uv, UV_RUN_ONCE);
  }
}

static void check_stats(soak_t *soak) {
  for (size_t i = 0; i < soak->client_count; i++) {
    uvow_peer_stats_t stats = {.size = sizeof(stats)};
    uvow_peer_get_stats(soak->clients[i], &stats);
    uint64_t strays = stats.duplicate + stats.unknown + stats.malformed;
    if (strays || stats.late > stats.canceled || stats.connected != 1 ||
        stats.lost || stats.timed_out) {
      printf("# seed %llu (%s): client %zu\n", (unsigned long long)soak->seed,
             soak->what, i);
      soak_report(soak);
      soak->wrong++;
    }
  }
}

static void on_loop_closed(void *data) {
  (void)data;
}

static void stop(soak_t *soak) {
  soak->over = 1;
  for (size_t i = 0; i < soak->client_count; i++)
    uvow_peer_unref(soak->clients[i]);
  for (int i = 0; soak->waiting && i < QUIET_TURNS; i++)
    uv_run(&soak->uv, UV_RUN_NOWAIT);
  cancel_some(soak); /* none: they are settled */
  uvow_server_free(soak->server);
  chopper_stop(&soak->chopper);
  uv_close((uv_handle_t *)&soak->timer, NULL);
  uvow_loop_close(soak->loop, on_loop_closed, NULL);
  uv_run(&soak->uv, UV_RUN_DEFAULT);
  cancel_some(soak);
  soak->wrong += soak->waiting + (uv_loop_close(&soak->uv) != 0);
}

/* Returns whether all went well. */
static int play(uint64_t seed, const identity_t *who, soak_t *sum) {
  static soak_t soak;
  memset(&soak, 0, sizeof(soak));
  soak.seed = soak.random.state = seed;
  soak.to_make = (size_t)requests_per_round;
  must(uv_loop_init(&soak.uv), "uv_loop_init");
  soak.loop = uvow_loop_new(&soak.uv, NULL);
  must(soak.loop ? 0 : UVOW_ENOMEM, "uvow_loop_new");
  uv_timer_init(&soak.uv, &soak.timer);
  unsigned budget = below(&soak, 3) ? 0 : 1 + below(&soak, 20);
  soak_set_budget(&soak, budget);
  start(&soak, who);
  run(&soak);
  if (!soak.stalls)
    check_stats(&soak);
  if (soak.wrong)
    printf("# seed %llu (%s): %zu wrong\n", (unsigned long long)seed, soak.what,
           soak.wrong);
  stop(&soak);
  sum->answered += soak.answered;
  sum->bytes += soak.bytes;
  sum->refused += soak.refused;
  sum->stalls += soak.stalls;
  sum->wrong += soak.wrong;
  sum->chopper.moved += soak.chopper.moved;
  return soak.stalls == 0 && soak.wrong == 0;
}

static int read_options(int argc, char **argv, uint64_t seeds[2]) {
  for (int i = 1; i < argc; i += 2) {
    char *end = NULL;
    unsigned long long value =
        i + 1 < argc ? strtoull(argv[i + 1], &end, 10) : 0;
    if (!end)
      return 0;
    if (strcmp(argv[i], "--seeds") == 0) {
      seeds[0] = seeds[1] = value;
      if (*end == '-')
        seeds[1] = strtoull(end + 1, &end, 10);
    } else if (strcmp(argv[i], "--requests") == 0) {
      requests_per_round = (int)value;
    } else {
      return 0;
    }
    if (*end)
      return 0;
  }
  return 1;
}

int main(int argc, char **argv) {
  static soak_t sum;
  uint64_t seeds[2] = {1, 8};
  size_t bad = 0;
  if (!read_options(argc, argv, seeds)) {
    fprintf(stderr, "usage: soak [--seeds FROM-TO] [--requests N]\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  setvbuf(stdout, NULL, _IOLBF, 0);
  identity_t who;
  who.ca = cert_new_ca("soak CA");
  who.cert = cert_new_localhost(who.ca);
  printf("1..1\n");
  for (uint64_t seed = seeds[0]; seed <= seeds[1]; seed++)
    bad += !play(seed, &who, &sum);
  printf(
      "# %zu answers, %zu KiB of them, %zu KiB through the chopper, %zu "
      "refused; %zu stalls, %zu wrong\n",
      sum.answered, sum.bytes / 1024, sum.chopper.moved / 1024, sum.refused,
      sum.stalls, sum.wrong);
  printf("%sok 1 - every request is answered, however its bytes are cut\n",
         bad ? "not " : "");
  cert_free(who.cert);
  cert_free(who.ca);
  return bad != 0;
}
