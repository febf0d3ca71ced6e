/* Programs that close every handle of the uv loop, ours too, before they close
 * uvow's loop: as a shutdown of many programs of libuv does. */
#include "net/loop.h"

#include "support/script.h"
#include "support/serve.h"

#include <uvow/combine.h>
#include <uvow/thread.h>

#include <stdio.h>

/* Set before the loop is closed; later is what must not come twice. */
typedef struct ends {
  int closed;
  int errors;
} ends_t;

static void on_end(const uvow_result_t *result, void *data) {
  ((ends_t *)data)->errors += result->error != NULL;
}

static void on_closed(void *data) {
  ((ends_t *)data)->closed++;
}

static void close_one(uv_handle_t *handle, void *data) {
  (void)data;
  if (!uv_is_closing(handle))
    uv_close(handle, NULL);
}

static uvow_next_t wait_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)params;
  (void)data;
  return uvow_next_future(uvow_future_delay(uvow_call_loop(call), 60000));
}

static void watch(uvow_future_t *f, ends_t *ends) {
  assert_int_equal(uvow_future_done(f, on_end, ends), 0);
}

/* In use: a listener, both ends of a connection, a timer, two mailboxes. */
static void walk_and_close(int turns) {
  script_t s;
  ends_t ends = {0, 0};
  uvow_server_t *server;
  uvow_thread_promise_t *mail;
  char url[64];
  test_serve_t served = test_serve_options();
  script_init(&s);
  assert_int_equal(test_serve(s.loop, &served, &server), 0);
  assert_int_equal(test_method(server, "wait", wait_cb, NULL), 0);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(server));
  test_connect_t connect = script_options(&s);
  connect.url = url;
  assert_int_equal(test_connect(s.loop, &connect, &s.client), 0);
  script_mark_t open = script_mark(&s, "");
  script_watch(uvow_peer_ready(s.client), &open);
  script_until(&s, &open.done);
  watch(script_request(&s, "wait", NULL), &ends);
  watch(uvow_future_delay(s.loop, 60000), &ends);
  uvow_thread_loop_t *box = uvow_thread_loop_new(s.loop, NULL);
  assert_non_null(box);
  watch(uvow_thread_promise_new(s.loop, &mail), &ends);
  for (int i = 0; i < 3; i++)
    uv_run(&s.uv, UV_RUN_NOWAIT);

  uv_walk(&s.uv, close_one, NULL);
  for (int i = 0; i < turns; i++)
    uv_run(&s.uv, UV_RUN_NOWAIT);
  uvow_loop_close(s.loop, on_closed, &ends);
  uv_run(&s.uv, UV_RUN_DEFAULT);
  assert_int_equal(ends.closed, 1);
  assert_int_equal(ends.errors, 3);
  uvow_thread_loop_unref(box);
  uvow_thread_promise_drop(mail);
  uvow_peer_unref(s.client);
  uvow_server_free(server);
  assert_int_equal(uv_loop_close(&s.uv), 0);
  assert_int_equal(s.alloc->live, 0);
  free(s.own_alloc.allocator.data);
}

TEST_CASE(it_ends_right_behind_the_walk) {
  walk_and_close(0);
}

TEST_CASE(it_ends_once_libuv_is_done_with_the_handles) {
  walk_and_close(1);
  walk_and_close(3);
}

TEST_MODULE(walked) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_ends_right_behind_the_walk),
      cmocka_unit_test(it_ends_once_libuv_is_done_with_the_handles),
  };
  return cmocka_run_group_tests_name("rpc/walked", tests, NULL, NULL);
}
