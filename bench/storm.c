/*
 * How often does a client hammer a server that fails, and what does it send that
 * nobody wants?
 *
 * A client and a server, each with a loop of its own, in one thread, over
 * loopback; the clocks are driven, 2 ms at a time, so hours cost seconds and
 * nothing depends on the machine.
 *
 * How to read it: what is printed are counts.
 *   hammer  connections to a server that accepts and closes at once: all, and in
 *           the first second, in 10 minutes
 *   upload  an idempotent request of 200 KB to a server that takes 64 KiB (code
 *           1009), and one whose method ends the connection: how often each was
 *           sent, and how many connections there were, in 10 minutes
 *   giveup  1000 requests, 20 in flight, given up at 100 ms in three ways: what
 *           the server gets after that
 *   late    133 requests that are answered in time while the client's loop is
 *           blocked for a second, until after their deadline: how many are lost
 *
 * usage: bench_storm
 */
#include <string.h>

#include <uvow.h>

#include "measure.h"

enum { STEP_MS = 2, TEN_MINUTES_MS = 600000, UPLOAD = 200 * 1024 };
enum { FAN = 1000, FLIGHT = 20, LATE = 133 };

typedef struct side {
  uv_loop_t uv;
  uvow_loop_t *loop;
} side_t;

static side_t client_side;
static side_t server_side;
static uvow_listener_t *listener;
static uvow_stream_t *accepted; /* of it, where no server takes it */
static uvow_server_t *server;
static uvow_peer_t *client;
static unsigned long connections;
static unsigned long sent;
static unsigned long calls;
static unsigned long settled[2]; /* fulfilled, rejected */

static void on_unhandled(uvow_loop_t *loop, const uvow_error_t *error,
                         void *data) {
  (void)loop;
  (void)error;
  (void)data;
}

static void open_side(side_t *side) {
  MEASURE_CHECK(uv_loop_init(&side->uv) == 0);
  side->loop =
      uvow_loop_new(&side->uv, UVOW_WITH(loop, .on_unhandled = on_unhandled));
  MEASURE_CHECK(side->loop);
  MEASURE_CHECK(uvow_loop_advance(side->loop, 0) == 0);
}

/* What is on its way arrives, and what this causes, too. */
static void settle_down(void) {
  for (int i = 0; i < 4; i++) {
    uv_run(&client_side.uv, UV_RUN_NOWAIT);
    uv_run(&server_side.uv, UV_RUN_NOWAIT);
  }
}

static void pass(uint64_t ms) {
  for (uint64_t at = 0; at < ms; at += STEP_MS) {
    MEASURE_CHECK(uvow_loop_advance(client_side.loop, STEP_MS) == 0);
    MEASURE_CHECK(uvow_loop_advance(server_side.loop, STEP_MS) == 0);
    settle_down();
  }
}

static void begin(const uvow_listener_options_t *options) {
  connections = sent = calls = settled[0] = settled[1] = 0;
  open_side(&client_side);
  open_side(&server_side);
  listener = uvow_listener_new(server_side.loop, options);
  MEASURE_CHECK(listener);
}

static void end(void) {
  uvow_peer_unref(client);
  if (accepted) {
    uvow_stream_unref(accepted);
    uvow_listener_free(listener);
  }
  uvow_server_free(server);
  accepted = NULL;
  server = NULL;
  measure_close(&client_side.uv, client_side.loop);
  measure_close(&server_side.uv, server_side.loop);
}

/* ---- the client ---- */

static void on_sent(const uvow_peer_t *peer, uint64_t id, const char *method,
                    void *data) {
  (void)peer;
  (void)id;
  (void)method;
  (void)data;
  sent++;
}

static void on_client_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                            void *data) {
  (void)peer;
  (void)data;
  connections += change->state == UVOW_PEER_OPEN;
}

static void on_settled(const uvow_result_t *result, void *data) {
  (void)data;
  settled[result->error != NULL]++;
}

static void connect_client(uint16_t port, uint64_t base_ms, size_t flight) {
  static const uvow_trace_t trace = {.size = sizeof(trace), .on_sent = on_sent};
  char url[64];
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/", (unsigned)port);
  client = uvow_peer_connect(
      client_side.loop, url,
      UVOW_WITH(peer, .protocol = uvow_protocol_by_name("jsonrpc2"),
                .on_state = on_client_state, .trace = &trace,
                .max_in_flight = flight,
                .reconnect = UVOW_WITH(reconnect, .base_ms = base_ms)));
  MEASURE_CHECK(client);
}

static uvow_future_t *ask(const char *method, const char *params,
                          uint32_t timeout_ms, int idempotent) {
  uvow_future_t *f = uvow_peer_request_with(
      client, method, uvow_value_raw(params),
      UVOW_WITH(request, .timeout_ms = timeout_ms, .idempotent = idempotent));
  MEASURE_CHECK(f);
  return f;
}

/* ---- hammer ---- */

static uvow_next_t close_it(const uvow_result_t *item, void *data) {
  (void)data;
  uvow_future_detach(
      uvow_websocket_close(uvow_result_websocket(item), 1000, NULL));
  return uvow_next_pass();
}

static void hammer(uint64_t base_ms) {
  begin(UVOW_DEFAULTS(listener));
  uvow_stream_t *all = uvow_listener_accept(listener);
  accepted = uvow_stream_ref(all);
  uvow_future_detach(uvow_stream_each(all, close_it, NULL));
  connect_client(uvow_listener_port(listener), base_ms, 0);
  uvow_future_detach(ask("get", "[]", UVOW_NO_TIMEOUT, 0));
  pass(1000);
  unsigned long first = connections;
  pass(TEN_MINUTES_MS - 1000);
  printf("hammer  base_ms %-4llu  %4lu connections, %3lu in the first second\n",
         (unsigned long long)base_ms, connections, first);
  end();
}

/* ---- upload ---- */

static uvow_next_t poison(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  (void)params;
  (void)data;
  calls++;
  uvow_peer_end(uvow_call_peer(call));
  return uvow_next_pass();
}

/* Until what was given up at 100 ms has no use for it. */
static uvow_next_t work(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  const char *text = uvow_result_bytes(params).bytes;
  (void)data;
  calls++;
  if (strncmp(text, "[30]", 4) == 0)
    return uvow_next_code(UVOW_EREMOTE, "no");
  return uvow_next_future(uvow_future_delay(uvow_call_loop(call), 60));
}

static uvow_next_t answer(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  (void)call;
  (void)params;
  (void)data;
  calls++;
  return uvow_next_pass();
}

static void serve(size_t max_message_bytes) {
  begin(UVOW_WITH(listener, .max_message_bytes = max_message_bytes));
  uvow_methods_t *methods = uvow_methods_new(server_side.loop);
  MEASURE_CHECK(uvow_methods_add(methods, "poison", poison, NULL) == 0);
  MEASURE_CHECK(uvow_methods_add(methods, "work", work, NULL) == 0);
  MEASURE_CHECK(uvow_methods_add(methods, "answer", answer, NULL) == 0);
  server = uvow_server_new(
      listener, UVOW_WITH(peer, .protocol = uvow_protocol_by_name("jsonrpc2"),
                          .methods = methods));
  uvow_methods_unref(methods);
  MEASURE_CHECK(server);
}

static void upload(const char *method, size_t len) {
  char *params = (char *)malloc(len + 1);
  MEASURE_CHECK(params);
  memset(params, ' ', len);
  params[0] = '[';
  params[len - 1] = ']';
  params[len] = '\0';
  serve(64 * 1024);
  connect_client(uvow_server_port(server), 0, 0);
  uvow_future_t *f = ask(method, params, UVOW_NO_TIMEOUT, 1);
  MEASURE_CHECK(uvow_future_done(f, on_settled, NULL) == 0);
  pass(TEN_MINUTES_MS);
  printf("upload  %-12s sent %lu times, %lu connections, %s\n", method, sent,
         connections, settled[1] ? "rejected" : "not settled");
  free(params);
  end();
}

/* ---- giveup ---- */

static void give_up(const char *how) {
  static uvow_future_t *all[FAN];
  char params[16];
  serve(0);
  connect_client(uvow_server_port(server), 0, FLIGHT);
  for (int i = 0; i < FAN; i++) {
    snprintf(params, sizeof(params), "[%d]", how[0] == 'o' ? i : i + FAN);
    all[i] = ask("work", params, 0, 0);
  }
  uvow_future_t *f = uvow_future_all(client_side.loop, all, FAN);
  if (how[0] == 't')
    f = uvow_future_timeout(f, 100);
  uvow_future_t *own = uvow_future_ref(f);
  uvow_future_detach(f);
  if (how[0] == 'c') {
    pass(100);
    uvow_future_cancel(own);
  }
  while (uvow_future_state(own) == UVOW_PENDING)
    pass(STEP_MS);
  unsigned long before = sent;
  pass(300);
  printf("giveup  %-12s %lu sent until then, %lu after\n", how, before,
         sent - before);
  uvow_future_unref(own);
  end();
}

/* ---- late ---- */

static void late(void) {
  serve(0);
  connect_client(uvow_server_port(server), 0, 0);
  pass(100);
  for (int i = 0; i < LATE; i++)
    MEASURE_CHECK(
        uvow_future_done(ask("answer", "[]", 500, 0), on_settled, NULL) == 0);
  for (int i = 0; i < 8; i++) /* it sends, and is blocked from then on */
    uv_run(&client_side.uv, UV_RUN_NOWAIT);
  for (int i = 0; i < 8; i++)
    uv_run(&server_side.uv, UV_RUN_NOWAIT);
  MEASURE_CHECK(calls == LATE);
  MEASURE_CHECK(settled[0] + settled[1] == 0);
  MEASURE_CHECK(uvow_loop_advance(client_side.loop, 1000) == 0);
  pass(100);
  printf("late    %lu of %d fulfilled, %lu lost\n", settled[0], LATE,
         settled[1]);
  end();
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  hammer(500);
  hammer(1);
  upload("big", UPLOAD);
  upload("poison", 16);
  give_up("cancel");
  give_up("one fails");
  give_up("timeout");
  late();
  return 0;
}
