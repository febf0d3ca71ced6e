/*
 * What a request takes of memory: no call of the allocator once warm (P2), and
 * so many bytes while it's pending.
 */
#include "support/script.h"
#include "support/serve.h"

#include <uvow/server.h>

#include <stdio.h>

#define IN_FLIGHT 64
#define PARAMS_MAX 131072

/* ---- a server and a client of it, on real sockets in one loop ---- */

typedef struct warm warm_t;

typedef struct slot {
  warm_t *warm;
  unsigned number;
} slot_t;

struct warm {
  uv_loop_t uv;
  uvow_loop_t *loop;
  test_alloc_t alloc;
  uvow_server_t *server;
  uvow_peer_t *client;
  slot_t slots[IN_FLIGHT];
  char *params;
  size_t params_len; /* 0: as short as {"x":1} */
  int chains;        /* a then before each done */
  unsigned left;     /* requests that are still to be sent */
  unsigned pending;
  int ready;
};

static uvow_next_t echo_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

/* As one that was read from somewhere. */
static uvow_next_t copy_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  uvow_slice_t got = uvow_result_bytes(params);
  (void)data;
  return uvow_next_value(
      uvow_value_bytes(uvow_call_loop(call), got.bytes, got.len));
}

static void on_ready(const uvow_result_t *result, void *data) {
  assert_null(result->error);
  ((warm_t *)data)->ready = 1;
}

static void start(warm_t *warm) {
  test_serve_t served = test_serve_options();
  test_connect_t options =
      test_connect_options(uvow_protocol_by_name("jsonrpc2"));
  uvow_loop_options_t of_loop = {.size = sizeof(of_loop)};
  char url[64];
  memset(warm, 0, sizeof(*warm));
  test_alloc_init_sized(&warm->alloc);
  of_loop.allocator = &warm->alloc.allocator;
  assert_int_equal(uv_loop_init(&warm->uv), 0);
  warm->loop = uvow_loop_new(&warm->uv, &of_loop);
  assert_non_null(warm->loop);
  /* It stands still: nothing that is kept is given back. */
  assert_int_equal(uvow_loop_advance(warm->loop, 0), 0);
  served.peer.max_calls = 1 << 20;
  assert_int_equal(test_serve(warm->loop, &served, &warm->server), 0);
  test_method(warm->server, "echo", echo_cb, NULL);
  test_method(warm->server, "copy", copy_cb, NULL);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(warm->server));
  options.url = url;
  assert_int_equal(test_connect(warm->loop, &options, &warm->client), 0);
  assert_int_equal(
      uvow_future_done(uvow_peer_ready(warm->client), on_ready, warm), 0);
  while (!warm->ready)
    assert_true(uv_run(&warm->uv, UV_RUN_ONCE));
  /* The first round trip of each power of two takes memory. */
  for (int i = 0; i < 42; i++)
    uvow__histogram_add(&warm->client->session.rtt, UINT64_C(1) << i, 1);
  for (unsigned i = 0; i < IN_FLIGHT; i++)
    warm->slots[i].warm = warm;
}

static void end(warm_t *warm) {
  uvow_peer_unref(warm->client);
  uvow_server_free(warm->server);
  uvow_loop_close(warm->loop, NULL, NULL);
  assert_int_equal(uv_run(&warm->uv, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&warm->uv), 0);
  assert_int_equal(warm->alloc.bytes, 0);
}

static void on_answer(const uvow_result_t *result, void *data);

static uvow_next_t pass_on(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
  return uvow_next_pass();
}

static void send_next(slot_t *slot) {
  warm_t *warm = slot->warm;
  char own[32];
  const char *params = own;
  slot->number = warm->left--;
  int len = snprintf(own, sizeof(own), "{\"x\":%u}", slot->number);
  if (warm->params_len) {
    params = warm->params;
    len = (int)warm->params_len;
  }
  uvow_future_t *f =
      uvow_peer_request(warm->client, slot->number & 1 ? "echo" : "copy",
                        uvow_value_slice(&(uvow_slice_t){params, (size_t)len}));
  if (warm->chains)
    f = uvow_future_then(f, pass_on, NULL);
  assert_int_equal(uvow_future_done(f, on_answer, slot), 0);
  warm->pending++;
}

static void on_answer(const uvow_result_t *result, void *data) {
  slot_t *slot = (slot_t *)data;
  warm_t *warm = slot->warm;
  char own[32];
  assert_null(result->error);
  uvow_slice_t got = uvow_result_bytes(result);
  if (warm->params_len) {
    assert_int_equal(got.len, warm->params_len);
    assert_memory_equal(got.bytes, warm->params, got.len);
  } else {
    snprintf(own, sizeof(own), "{\"x\":%u}", slot->number);
    assert_int_equal(got.len, strlen(own));
    assert_memory_equal(got.bytes, own, got.len);
  }
  warm->pending--;
  if (warm->left)
    send_next(slot);
}

static void run(warm_t *warm, unsigned requests, unsigned in_flight) {
  warm->left = requests;
  for (unsigned i = 0; i < in_flight; i++)
    send_next(&warm->slots[i]);
  while (warm->pending)
    assert_true(uv_run(&warm->uv, UV_RUN_ONCE));
}

/* {"x":"aaa..."} of this length. */
static void fill(warm_t *warm, size_t len) {
  warm->params_len = len;
  if (len == 0)
    return;
  memset(warm->params, 'a', len);
  memcpy(warm->params, "{\"x\":\"", 6);
  memcpy(warm->params + len - 2, "\"}", 2);
}

/* Not one call of the allocator, at either end, for any payload of bytes. */
TEST_CASE(p2_no_allocation_once_warm) {
  const size_t sizes[] = {0, 30, 39, 40, 41, 100, 1000, 3000};
  warm_t warm;
  start(&warm);
  warm.params = (char *)malloc(PARAMS_MAX);
  for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(*sizes); i++) {
    /* All of a turn fits one read, so that each turn is like the others. */
    unsigned in_flight = sizes[i / 2] > 900 ? 16 : IN_FLIGHT;
    warm.chains = i & 1;
    fill(&warm, sizes[i / 2]);
    run(&warm, 6 * in_flight, in_flight);
    size_t calls = warm.alloc.calls;
    run(&warm, 10 * in_flight, in_flight);
    if (warm.alloc.calls != calls)
      fail_msg("%zu calls of the allocator for %u requests of %zu bytes",
               warm.alloc.calls - calls, 10 * in_flight, warm.params_len);
  }
  free(warm.params);
  end(&warm);
}

/* A message of 4 to 128 KiB comes in pieces, which differ: at first it may need
 * a block of a class that it hasn't had. Each class once, in hundreds. */
TEST_CASE(large_messages_take_no_allocation_once_warm) {
  enum { CLASSES = 10, REQUESTS = 300, FLIGHT = 4 };
  const size_t sizes[] = {4100, 5000, 16384, 65536, 100000, PARAMS_MAX};
  warm_t warm;
  start(&warm);
  warm.params = (char *)malloc(PARAMS_MAX);
  for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
    fill(&warm, sizes[i]);
    run(&warm, 50, FLIGHT);
    size_t calls = warm.alloc.calls;
    run(&warm, REQUESTS, FLIGHT);
    if (warm.alloc.calls - calls > CLASSES)
      fail_msg("%zu calls of the allocator for %d requests of %zu bytes",
               warm.alloc.calls - calls, REQUESTS, warm.params_len);
  }
  free(warm.params);
  end(&warm);
}

static void pass_seconds(warm_t *warm, int count) {
  for (int i = 0; i < count; i++) {
    assert_int_equal(uvow_loop_advance(warm->loop, 1001), 0);
    for (int turn = 0; turn < 4; turn++)
      uv_run(&warm->uv, UV_RUN_NOWAIT);
  }
}

/* What messages of all sizes have left is bounded, and goes when nobody needs
 * it: the connection is idle then, and open still. */
TEST_CASE(an_idle_loop_keeps_little) {
  enum { FLIGHT = 16, BOUND = 13 * 1024 * 1024 }; /* docs/explanation/limits */
  const size_t sizes[] = {0, 100, 2000, 4100, 40000, PARAMS_MAX};
  warm_t warm;
  start(&warm);
  warm.params = (char *)malloc(PARAMS_MAX);
  fill(&warm, 0);
  run(&warm, 1, 1);
  pass_seconds(&warm, 3);
  size_t idle = warm.alloc.bytes;
  for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
    fill(&warm, sizes[i]);
    run(&warm, 100, FLIGHT);
  }
  assert_true(warm.alloc.bytes > idle + 1024 * 1024);
  assert_true(warm.alloc.bytes < idle + BOUND);
  pass_seconds(&warm, 3);
  print_message("idle: %zu bytes, after all: %zu\n", idle, warm.alloc.bytes);
  assert_true(warm.alloc.bytes < idle + 64 * 1024);
  free(warm.params);
  end(&warm);
}

/* ---- pending ---- */

/* The peer's end is elsewhere: what is counted here is the client's. */
TEST_CASE(p2_a_pending_request_takes_at_most_200_bytes) {
#ifdef UVOW_DEBUG
  printf("# skip: a debug build has names\n");
  skip();
#else
  const unsigned counts[] = {100000, 98304, 98305, 196608, 196609};
  for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
    script_t s;
    test_alloc_t alloc;
    test_alloc_init_sized(&alloc);
    script_init_with(&s, &alloc);
    test_connect_t options = script_options(&s);
    options.peer.max_pending = options.peer.max_in_flight = counts[i];
    options.websocket.max_unsent_bytes = 1 << 30;
    script_open_client(&s, &options);
    size_t before = alloc.bytes;
    script_mark_t mark = script_mark(&s, NULL);
    for (unsigned n = 0; n < counts[i]; n++) {
      script_watch(script_request(&s, "echo", "{\"x\":123456}"), &mark);
      if (n % 1000 == 0)
        script_turns(&s); /* what is written has left */
    }
    script_turns(&s);
    double each = (double)(alloc.bytes - before) / counts[i];
    print_message("%u pending: %.1f bytes each\n", counts[i], each);
    assert_true(each <= 200);
    script_quit(&s);
  }
#endif
}

TEST_MODULE(warm) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(p2_no_allocation_once_warm),
      cmocka_unit_test(large_messages_take_no_allocation_once_warm),
      cmocka_unit_test(an_idle_loop_keeps_little),
      cmocka_unit_test(p2_a_pending_request_takes_at_most_200_bytes),
  };
  return cmocka_run_group_tests_name("rpc/warm", tests, NULL, NULL);
}
