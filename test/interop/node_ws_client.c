/*
 * A server, for a client on node-ws: each case is one of node_ws_client.js,
 * which knows what must come.
 */
#include "support/interop.h"
#include "support/serve.h"

#include <stdio.h>

enum { HELD_MAX = 200 };

typedef struct house {
  interop_t *it;
  uvow_server_t *server;
  uvow_promise_t *held[HELD_MAX];
  int held_count;
} house_t;

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static uvow_next_t hold(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  house_t *house = (house_t *)data;
  (void)params;
  if (house->held_count == HELD_MAX)
    return uvow_next_code(UVOW_EOVERLOAD, NULL);
  return uvow_next_future(uvow_promise_new(uvow_call_loop(call),
                                           &house->held[house->held_count++]));
}

/* Those that are held, the last one first. */
static uvow_next_t release(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  house_t *house = (house_t *)data;
  int count = house->held_count;
  (void)call;
  (void)params;
  while (house->held_count)
    uvow_promise_fulfill(house->held[--house->held_count],
                         uvow_value_text("held"));
  return uvow_next_value(uvow_value_int64(count));
}

static uvow_next_t fail_call(uvow_call_t *call, const uvow_result_t *params,
                             void *data) {
  (void)params;
  (void)data;
  return uvow_next_error(uvow_error_new_peer(
      uvow_call_loop(call), 404, "no such \"table\"", "{\"hint\":1}", 10));
}

/* A promise that is given up. */
static uvow_next_t broken(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  uvow_promise_t *promise;
  uvow_future_t *f = uvow_promise_new(uvow_call_loop(call), &promise);
  (void)params;
  (void)data;
  uvow_promise_drop(promise);
  return uvow_next_future(f);
}

static uvow_next_t publish(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  house_t *house = (house_t *)data;
  (void)call;
  (void)params;
  if (uvow_group_notify(uvow_server_peers(house->server), "news",
                        uvow_value_raw("{\"x\":1}")))
    return uvow_next_code(UVOW_EINVAL, "not published");
  return uvow_next_none();
}

static uvow_next_t leave(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  house_t *house = (house_t *)data;
  (void)call;
  (void)params;
  interop_watch(house->it, uvow_server_close(house->server));
  return uvow_next_none();
}

static void add_methods(house_t *house) {
  static const struct {
    const char *name;
    uvow_method_cb cb;
  } methods[] = {{"echo", echo},      {"hold", hold},     {"release", release},
                 {"fail", fail_call}, {"broken", broken}, {"publish", publish},
                 {"leave", leave}};
  for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
    assert_int_equal(
        test_method(house->server, methods[i].name, methods[i].cb, house), 0);
}

static void open_house(house_t *house, interop_t *it, const char *protocol) {
  static const char *const subprotocols[] = {"uvow.one", "uvow.two"};
  test_serve_t options = test_serve_options();
  options.peer.protocol = uvow_protocol_by_name(protocol);
  options.listener.subprotocols = subprotocols;
  options.listener.subprotocol_count = 2;
  memset(house, 0, sizeof(*house));
  house->it = it;
  assert_int_equal(test_serve(it->loop, &options, &house->server), 0);
  add_methods(house);
}

static void close_house(house_t *house) {
  uvow_server_free(house->server);
  while (house->held_count)
    uvow_promise_drop(house->held[--house->held_count]);
}

static void run_client(interop_t *it, const char *protocol, int port,
                       const char *name) {
  char path[1024];
  char url[64];
  const char *args[] = {
      "node",   process_script("node_ws_client.js", path, sizeof(path)),
      protocol, url,
      name,     NULL};
  snprintf(url, sizeof(url), "ws://127.0.0.1:%d/", port);
  interop_run(it, args);
  interop_check_script(it);
  free(interop_expect_line(it, "passed"));
}

/* With one protocol; everything is there for it, and gone after it. */
static void run_case(interop_t *it, const char *protocol, const char *name) {
  house_t house;
  open_house(&house, it, protocol);
  run_client(it, protocol, uvow_server_port(house.server), name);
  process_wait(&it->process);
  interop_wait(interop_watch(it, uvow_server_close(house.server)));
  assert_int_equal(test_peers(house.server), 0);
  close_house(&house);
}

/* cmocka gives each test the name of a case as its state. */
static void with_both_protocols(void **state) {
  interop_t *it = (interop_t *)*state;
  run_case(it, "callback_id", it->name);
  run_case(it, "jsonrpc2", it->name);
  interop_finish(it);
}

static int setup(void **state) {
  const char *name = (const char *)*state;
  int rc = interop_setup(state);
  if (rc == 0)
    ((interop_t *)*state)->name = name;
  return rc;
}

#define CASE(name)                                                             \
  {                                                                            \
    name, with_both_protocols, setup, interop_teardown,                        \
        (void *)(uintptr_t)name                                                \
  }

TEST_MODULE(node_ws_client) {
  const struct CMUnitTest tests[] = {
      CASE("echo"),      CASE("order"),    CASE("many"),        CASE("unknown"),
      CASE("fail"),      CASE("notify"),   CASE("garbage"),     CASE("ping"),
      CASE("fragments"), CASE("mebibyte"), CASE("subprotocol"), CASE("close"),
      CASE("vanish"),    CASE("violate"),  CASE("event"),       CASE("goodbye"),
  };
  return cmocka_run_group_tests_name("interop/node_ws_client", tests, NULL,
                                     NULL);
}
