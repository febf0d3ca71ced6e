/* A unit test of one's own methods: both ends in one process, no socket, and no
 * time that passes but as the test says. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>

#include <uv.h>
#include <uvow.h>

/* [tested] */
static uvow_next_t divide(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  int64_t a, b;
  (void)data;
  if (uvow_result_get_int64(params, "/0", &a) ||
      uvow_result_get_int64(params, "/1", &b) || b == 0)
    return uvow_next_error(uvow_error_new_peer(uvow_call_loop(call), -32602,
                                               "two integers, the second not 0",
                                               NULL, 0));
  uvow_peer_notifyf(uvow_call_peer(call), "divided", "[I,I]", a, b);
  return uvow_next_value(uvow_value_int64(a / b));
}
/* [tested] */

/* [slow] */
static uvow_next_t ring(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  int64_t minutes = 0;
  (void)data;
  (void)uvow_result_get_int64(params, "/0", &minutes);
  return uvow_next_future(
      uvow_future_delay(uvow_call_loop(call), (uint64_t)minutes * 60000));
}
/* [slow] */

/* [test] */
static void test_divide(uvow_loop_t *loop, uvow_peer_t *client) {
  uvow_result_t r;
  int64_t n = 0;
  uvow_future_t *told = uvow_stream_first(uvow_peer_events(client, "divided"));
  uvow_future_t *f = uvow_peer_requestf(client, "divide", "[i,i]", 6, 3);
  assert(uvow_loop_await(loop, f, &r) == 0);
  assert(uvow_result_get_int64(&r, "", &n) == 0 && n == 2);
  assert(uvow_loop_await(loop, told, &r) == 0);
  assert(uvow_result_get_int64(&r, "/0", &n) == 0 && n == 6);
  f = uvow_peer_requestf(client, "divide", "[i,i]", 1, 0);
  assert(uvow_loop_await(loop, f, &r) == UVOW_EREMOTE);
  assert(uvow_error_peer_code(r.error) == -32602);
}
/* [test] */

/* [time] */
/* Lets time pass, and all that is due by then happen. */
static void pass(uvow_loop_t *loop, uint64_t ms) {
  assert(uvow_loop_advance(loop, ms) == 0);
  uv_run(uvow_loop_uv(loop), UV_RUN_DEFAULT);
}

static void test_ring(uvow_loop_t *loop, uvow_peer_t *client) {
  uvow_future_t *patient =
      uvow_peer_request_with(client, "ring", uvow_value_raw("[10]"),
                             UVOW_WITH(request, .timeout_ms = UVOW_NO_TIMEOUT));
  uvow_future_t *f = uvow_peer_requestf(client, "ring", "[i]", 10);
  pass(loop, 0); /* from here on the clock stands still; both calls came */
  pass(loop, 29999);
  assert(uvow_future_state(f) == UVOW_PENDING);
  assert(uvow_loop_advance(loop, 1) == 0); /* the peer's timeout_ms */
  assert(uvow_loop_await(loop, f, NULL) == UVOW_ETIMEDOUT);
  assert(uvow_future_state(patient) == UVOW_PENDING);
  pass(loop, 570000); /* ten minutes in all */
  assert(uvow_future_state(patient) == UVOW_FULFILLED);
  uvow_future_unref(patient);
}
/* [time] */

/* [ends] */
int main(void) {
  uv_loop_t uv;
  uvow_channel_t here, there;
  const uvow_protocol_t *protocol = uvow_protocol_by_name("jsonrpc2");
  assert(uv_loop_init(&uv) == 0);
  uvow_loop_t *loop = uvow_loop_new(&uv, NULL);
  uvow_methods_t *methods = uvow_methods_new(loop);
  assert(uvow_methods_add(methods, "divide", divide, NULL) == 0);
  assert(uvow_methods_add(methods, "ring", ring, NULL) == 0);
  assert(uvow_channel_pair(loop, &here, &there) == 0);
  uvow_peer_t *client =
      uvow_peer_new(loop, here, UVOW_WITH(peer, .protocol = protocol));
  uvow_peer_t *server = uvow_peer_new(
      loop, there, UVOW_WITH(peer, .protocol = protocol, .methods = methods));
  test_divide(loop, client);
  test_ring(loop, client);
  uvow_methods_unref(methods);
  uvow_peer_unref(client);
  uvow_peer_unref(server);
  uvow_loop_close(loop, NULL, NULL);
  uv_run(&uv, UV_RUN_DEFAULT);
  assert(uv_loop_close(&uv) == 0);
  printf("divide: ok\nring: ok\n");
  return 0;
}
/* [ends] */
