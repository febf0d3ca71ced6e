/* A method that returns a stream, over sockets, to a peer that doesn't read: its
 * pace is the peer's. By counts. */
#include "rpc/serve.h"

#include <stdio.h>

#include "rpc/server.h"
#include "support/loop_bed.h"
#include "support/serve.h"

enum { ITEMS = 3000, TEXT = 4000 };

typedef struct flow {
  loop_bed_t bed;
  uvow_server_t *server;
  uvow_peer_t *peer;
  uvow_websocket_t *reader;
  uvow_sink_t *sink;
  size_t made;
  size_t came;
} flow_t;

static uvow_value_t numbered(uvow_loop_t *loop, size_t number) {
  char text[TEXT];
  memset(text, 'x', sizeof(text));
  snprintf(text, 16, "[\"%08zu", number);
  text[10] = 'x';
  memcpy(text + sizeof(text) - 2, "\"]", 2);
  return uvow_value_bytes(loop, text, sizeof(text));
}

/* Makes items for as long as there's room. */
static void make(flow_t *flow);

static void on_room(const uvow_result_t *result, void *data) {
  if (!result->error)
    make((flow_t *)data);
}

static void make(flow_t *flow) {
  int rc = 0;
  while (rc == 0 && flow->made < ITEMS) {
    rc = uvow_sink_push(flow->sink, numbered(flow->bed.loop, flow->made));
    assert_true(rc >= 0);
    flow->made++;
  }
  if (flow->made == ITEMS) {
    uvow_sink_end_value(flow->sink, uvow_value_int64(ITEMS));
    flow->sink = NULL;
  } else {
    assert_int_equal(
        uvow_future_done(uvow_sink_room(flow->sink), on_room, flow), 0);
  }
}

static uvow_next_t all(uvow_call_t *call, const uvow_result_t *params,
                       void *data) {
  flow_t *flow = (flow_t *)data;
  (void)params;
  flow->peer = uvow_peer_ref(uvow_call_peer(call));
  uvow_stream_t *stream =
      uvow_stream_new(uvow_call_loop(call), NULL, &flow->sink);
  make(flow);
  return uvow_next_stream(stream);
}

static size_t unsent(const flow_t *flow) {
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  assert_int_equal(uvow_peer_get_stats(flow->peer, &stats), 0);
  return (size_t)stats.unsent_bytes;
}

/* Each is an event of the method's name; the answer is last. */
static uvow_next_t on_message(const uvow_result_t *message, void *data) {
  flow_t *flow = (flow_t *)data;
  uvow_slice_t got = uvow_result_bytes(message);
  char head[80];
  if (flow->came < ITEMS)
    snprintf(head, sizeof(head),
             "{\"jsonrpc\":\"2.0\",\"method\":\"all\",\"params\":[\"%08zu",
             flow->came);
  else
    snprintf(head, sizeof(head), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%d",
             (int)ITEMS);
  assert_true(got.len >= strlen(head));
  assert_memory_equal(got.bytes, head, strlen(head));
  return flow->came++ == ITEMS ? uvow_next_end(uvow_value_none())
                               : uvow_next_none();
}

/* Until nothing is made, nor leaves, in so many turns. */
static void settle(flow_t *flow) {
  for (int still = 0; still < 200; still++) {
    size_t made = flow->made;
    uv_run(&flow->bed.uv, UV_RUN_NOWAIT);
    if (made != flow->made || !flow->peer)
      still = 0;
  }
}

TEST_CASE(test_a_peer_that_does_not_read) {
  flow_t flow;
  char url[64];
  test_serve_t options = test_serve_options();
  memset(&flow, 0, sizeof(flow));
  loop_bed_open(&flow.bed);
  assert_int_equal(test_serve(flow.bed.loop, &options, &flow.server), 0);
  assert_int_equal(test_method(flow.server, "all", all, &flow), 0);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(flow.server));
  flow.reader = uvow_websocket_connect(flow.bed.loop, url, NULL);
  assert_int_equal(
      loop_bed_wait(&flow.bed, uvow_websocket_ready(flow.reader), NULL), 0);
  assert_int_equal(
      uvow_websocket_send(
          flow.reader,
          uvow_value_text("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"all\"}")),
      0);
  settle(&flow);
  size_t made = flow.made;
  assert_true(made > 64 && made < ITEMS);
  assert_true(unsent(&flow) <= 64 * 1024 + TEXT + 100);
  settle(&flow); /* for as long as it waits: no more */
  assert_int_equal(flow.made, made);
  uvow_future_t *end =
      uvow_stream_each(uvow_websocket_messages(flow.reader), on_message, &flow);
  assert_int_equal(loop_bed_wait(&flow.bed, end, NULL), 0);
  assert_int_equal(flow.came, ITEMS + 1);
  assert_int_equal(flow.made, ITEMS);
  uvow_peer_unref(flow.peer);
  uvow_websocket_unref(flow.reader);
  uvow_server_free(flow.server);
  loop_bed_close(&flow.bed, "closed");
}

TEST_MODULE(serve_flow) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_peer_that_does_not_read),
  };
  return cmocka_run_group_tests_name("rpc/serve_flow", tests, NULL, NULL);
}
