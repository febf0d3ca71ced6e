/* What a listener says to a handshake: by host and origin, and by the word of
 * the application, at once or later. */
#include "websocket/listener.h"

#include "support/loop_bed.h"

#include <stdio.h>

typedef struct door {
  loop_bed_t bed;
  uvow_listener_t *listener;
  uvow_stream_t *accepted;
  char url[64];
  uvow_websocket_options_t options; /* of who knocks */
  /* Of on_handshake: */
  int asked;
  int canceled;
  int no_answer; /* answers with `promise`'s future */
  uvow_promise_t *promise;
  int code;   /* answers with this error */
  int status; /* after refusing with this one */
  const char *choose;
  int free_listener;
  int claim;               /* by a server, that takes none */
  uvow_stream_t *messages; /* asked for in the handshake; NULL: not */
  int asks_for_messages;
  uvow_websocket_t *seen; /* borrowed */
  char target[32];
} door_t;

static void on_cancel(void *data) {
  ((door_t *)data)->canceled++;
}

static uvow_next_t on_handshake(uvow_websocket_t *ws, void *data) {
  door_t *door = (door_t *)data;
  door->asked++;
  door->seen = ws;
  snprintf(door->target, sizeof(door->target), "%s", uvow_websocket_target(ws));
  if (door->free_listener) {
    uvow_listener_free(door->listener);
    door->listener = NULL;
  }
  if (door->asks_for_messages)
    door->messages = uvow_websocket_messages(ws);
  if (door->choose)
    assert_int_equal(uvow_websocket_choose(ws, door->choose), 0);
  assert_int_equal(uvow_websocket_refuse(ws, 299, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_websocket_refuse(ws, 600, NULL), UVOW_EINVAL);
  if (door->status)
    (void)uvow_websocket_refuse(ws, door->status, "go away");
  if (door->code)
    return uvow_next_code(door->code, NULL);
  if (!door->no_answer)
    return uvow_next_pass();
  uvow_future_t *f = uvow_promise_new(door->bed.loop, &door->promise);
  uvow_promise_on_cancel(door->promise, on_cancel, door, NULL);
  return uvow_next_future(f);
}

static void door_open(door_t *door, uvow_listener_options_t *options) {
  memset(door, 0, sizeof(*door));
  loop_bed_open(&door->bed);
  options->size = sizeof(*options);
  options->data = door;
  door->listener = uvow_listener_new(door->bed.loop, options);
  assert_non_null(door->listener);
  door->accepted = uvow_listener_accept(door->listener);
  snprintf(door->url, sizeof(door->url), "ws://127.0.0.1:%u/t?q",
           (unsigned)uvow_listener_port(door->listener));
  door->options.size = sizeof(door->options);
}

static void door_close(door_t *door) {
  uvow_stream_unref(door->accepted);
  uvow_listener_free(door->listener);
  loop_bed_close(&door->bed, "closed");
}

static uvow_websocket_t *knock(door_t *door) {
  uvow_websocket_t *ws =
      uvow_websocket_connect(door->bed.loop, door->url, &door->options);
  assert_non_null(ws);
  return ws;
}

/* The status that it is answered with; or the code that it fails with. */
static int answer_to(door_t *door, uvow_websocket_t *ws) {
  uvow_result_t result;
  int rc = loop_bed_wait(&door->bed, uvow_websocket_ready(ws), &result);
  if (rc != UVOW_EHANDSHAKE)
    return rc ? rc : 101;
  return uvow_error_status(result.error);
}

static int answer(door_t *door) {
  uvow_websocket_t *ws = knock(door);
  int status = answer_to(door, ws);
  uvow_websocket_unref(ws);
  return status;
}

TEST_CASE(test_origins) {
  static const char *const ours[] = {"app.example", "https://b.example:444"};
  static const struct {
    const char *origin;
    int status;
  } cases[] = {{NULL, 101},
               {"http://app.example", 101},
               {"https://APP.example", 101},
               {"http://app.example:81", 403},
               {"https://b.example:444", 101},
               {"http://b.example:444", 403},
               {"http://evil.example", 403},
               {"null", 403},
               {"http://app.example.evil", 403}};
  uvow_listener_options_t options = {.origins = ours, .origin_count = 2};
  door_t door;
  char own[64];
  door_open(&door, &options);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    door.options.origin = cases[i].origin;
    assert_int_equal(answer(&door), cases[i].status);
  }
  /* Its own pages are welcome whatever the list says. */
  snprintf(own, sizeof(own), "http://127.0.0.1:%u",
           (unsigned)uvow_listener_port(door.listener));
  door.options.origin = own;
  assert_int_equal(answer(&door), 101);
  door_close(&door);
}

TEST_CASE(test_any_origin) {
  static const char *const any[] = {"*"};
  uvow_listener_options_t options = {.origins = any, .origin_count = 1};
  door_t door;
  door_open(&door, &options);
  door.options.origin = "null";
  assert_int_equal(answer(&door), 101);
  door_close(&door);
}

/* DNS rebinding: a name of another's that leads here. A listener with hosts
 * takes those. */
TEST_CASE(test_hosts) {
  static const char *const names[] = {"127.0.0.1", "app.example"};
  uvow_listener_options_t options = {0};
  uvow_listener_options_t named = {.hosts = names + 1, .host_count = 1};
  uvow_listener_options_t both = {.hosts = names, .host_count = 2};
  door_t door;
  door_open(&door, &options);
  assert_int_equal(answer(&door), 101); /* an address */
  snprintf(door.url, sizeof(door.url), "ws://localhost:%u/",
           (unsigned)uvow_listener_port(door.listener));
  assert_int_equal(answer(&door), 101);
  door_close(&door);
  door_open(&door, &named);
  assert_int_equal(answer(&door), 403);
  door_close(&door);
  door_open(&door, &both);
  assert_int_equal(answer(&door), 101);
  door_close(&door);
}

TEST_CASE(test_asked_and_accepted) {
  static const char *const known[] = {"a", "b"};
  uvow_listener_options_t options = {.subprotocols = known,
                                     .subprotocol_count = 2,
                                     .on_handshake = on_handshake};
  static const char *const offered[] = {"c", "b", "a"};
  door_t door;
  door_open(&door, &options);
  door.options.subprotocols = offered;
  door.options.subprotocol_count = 3;
  uvow_websocket_t *ws = knock(&door);
  assert_int_equal(answer_to(&door, ws), 101);
  assert_string_equal(uvow_websocket_subprotocol(ws), "b");
  assert_string_equal(door.target, "/t?q");
  assert_int_equal(door.asked, 1);
  assert_int_equal(uvow_websocket_choose(door.seen, "a"), UVOW_EINVAL);
  assert_int_equal(uvow_websocket_refuse(door.seen, 403, NULL), UVOW_EINVAL);
  uvow_websocket_unref(ws);
  door.choose = "a";
  ws = knock(&door);
  assert_int_equal(answer_to(&door, ws), 101);
  assert_string_equal(uvow_websocket_subprotocol(ws), "a");
  uvow_websocket_unref(ws);
  door_close(&door);
}

TEST_CASE(test_refused) {
  uvow_listener_options_t options = {.on_handshake = on_handshake};
  door_t door;
  door_open(&door, &options);
  door.code = UVOW_ECLOSED;
  assert_int_equal(answer(&door), 403);
  door.status = 401;
  uvow_result_t result;
  size_t len;
  uvow_websocket_t *ws = knock(&door);
  assert_int_equal(loop_bed_wait(&door.bed, uvow_websocket_ready(ws), &result),
                   UVOW_EHANDSHAKE);
  assert_int_equal(uvow_error_status(result.error), 401);
  const char *body = uvow_error_data(result.error, &len);
  assert_true(len >= 7 && memcmp(body, "go away", 7) == 0);
  uvow_websocket_unref(ws);
  door.code = 0; /* who says 401 and accepts all the same, accepts */
  assert_int_equal(answer(&door), 101);
  assert_int_equal(door.listener->surplus, 0);
  door_close(&door);
}

/* A future: the answer waits, what the peer says meanwhile too. */
TEST_CASE(test_answered_later) {
  uvow_listener_options_t options = {.on_handshake = on_handshake};
  door_t door;
  uvow_result_t result;
  door_open(&door, &options);
  door.no_answer = 1;
  uvow_websocket_t *ws = knock(&door);
  while (!door.asked)
    uv_run(&door.bed.uv, UV_RUN_ONCE);
  for (int i = 0; i < 20; i++)
    uv_run(&door.bed.uv, UV_RUN_NOWAIT);
  assert_int_equal(uvow_stream_waiting(door.accepted), 0);
  uvow_promise_fulfill(door.promise, uvow_value_none());
  assert_int_equal(answer_to(&door, ws), 101);
  assert_int_equal(
      loop_bed_wait(&door.bed, uvow_stream_next(door.accepted), &result), 0);
  assert_ptr_equal(uvow_result_websocket(&result), door.seen);
  uvow_websocket_unref(ws);
  /* Refused later, with a status that is said later too. */
  door.asked = 0;
  ws = knock(&door);
  while (!door.asked)
    uv_run(&door.bed.uv, UV_RUN_ONCE);
  assert_int_equal(uvow_websocket_refuse(door.seen, 200, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_websocket_refuse(door.seen, 429, "slowly"), 0);
  uvow_promise_reject_code(door.promise, UVOW_EOVERLOAD, NULL);
  assert_int_equal(answer_to(&door, ws), 429);
  uvow_websocket_unref(ws);
  door_close(&door);
}

/* Who knocked goes away, or handshake_timeout_ms is over, or the listener is
 * freed: the future is given up. */
TEST_CASE(test_given_up) {
  for (int how = 0; how < 4; how++) {
    uvow_listener_options_t options = {.on_handshake = on_handshake};
    door_t door;
    options.handshake_timeout_ms = how == 1 ? 20 : 0;
    door_open(&door, &options);
    door.no_answer = 1;
    uvow_websocket_t *ws = knock(&door);
    while (!door.asked)
      uv_run(&door.bed.uv, UV_RUN_ONCE);
    if (how == 0)
      uvow_websocket_unref(ws);
    else if (how == 2) {
      uvow_listener_free(door.listener);
      door.listener = NULL;
    }
    if (how < 3) {
      while (!door.canceled)
        uv_run(&door.bed.uv, UV_RUN_ONCE);
      assert_int_equal(door.canceled, 1);
    } /* else the loop closes */
    uvow_promise_drop(door.promise);
    if (how != 0)
      uvow_websocket_unref(ws);
    door_close(&door);
  }
}

/* The listener goes within on_handshake. */
TEST_CASE(test_freed_within) {
  for (int no_answer = 0; no_answer < 2; no_answer++) {
    uvow_listener_options_t options = {.on_handshake = on_handshake};
    door_t door;
    door_open(&door, &options);
    door.free_listener = 1;
    door.no_answer = no_answer;
    uvow_websocket_t *ws = knock(&door);
    assert_true(answer_to(&door, ws) < 0);
    if (no_answer)
      uvow_promise_drop(door.promise);
    uvow_websocket_unref(ws);
    door_close(&door);
  }
}

static void on_open_of_none(void *ctx, uvow_websocket_t *ws) {
  ((door_t *)ctx)->claim++;
  (void)ws;
}

/* Its messages, asked for before it is open: they come; or, where a server has
 * claimed it, they are the server's. */
TEST_CASE(test_messages_in_the_handshake) {
  for (int claimed = 0; claimed < 2; claimed++) {
    uvow_listener_options_t options = {.on_handshake = on_handshake};
    uvow_result_t result;
    door_t door;
    door_open(&door, &options);
    door.asks_for_messages = 1;
    if (claimed)
      uvow__listener_claim(door.listener, on_open_of_none, &door);
    uvow_websocket_t *ws = knock(&door);
    assert_int_equal(answer_to(&door, ws), 101);
    assert_int_equal(uvow_websocket_choose(ws, NULL), UVOW_EINVAL);
    assert_int_equal(uvow_websocket_send(ws, uvow_value_text("hi")), 0);
    int rc = loop_bed_wait(&door.bed, uvow_stream_next(door.messages), &result);
    assert_int_equal(rc, claimed ? UVOW_EBUSY : 0);
    assert_int_equal(door.claim, claimed);
    uvow_stream_unref(door.messages);
    uvow_websocket_unref(ws);
    door_close(&door);
  }
}

/* Both ends, and an allocation that fails: nothing hangs, nothing is left. */
static void sweep(test_alloc_t *alloc, int *whole, int refuses) {
  static const char *const known[] = {"a"};
  uvow_listener_options_t options = {.subprotocols = known,
                                     .subprotocol_count = 1,
                                     .max_peers_per_address = 5,
                                     .on_handshake = on_handshake};
  door_t door;
  memset(&door, 0, sizeof(door));
  door.code = refuses ? UVOW_EOVERLOAD : 0;
  (void)loop_bed_open_with(&door.bed, alloc);
  options.size = sizeof(options);
  options.data = &door;
  door.status = door.code ? 409 : 0;
  door.listener =
      door.bed.loop ? uvow_listener_new(door.bed.loop, &options) : NULL;
  if (door.listener) {
    door.accepted = uvow_listener_accept(door.listener);
    snprintf(door.url, sizeof(door.url), "ws://127.0.0.1:%u/t?q",
             (unsigned)uvow_listener_port(door.listener));
    uvow_websocket_t *ws =
        uvow_websocket_connect(door.bed.loop, door.url, NULL);
    uvow_future_t *next = uvow_stream_next(door.accepted);
    for (int i = 0; i < 200; i++)
      uv_run(&door.bed.uv, UV_RUN_NOWAIT);
    *whole += refuses ? door.asked : uvow_future_state(next) == UVOW_FULFILLED;
    uvow_future_drop(next);
    uvow_websocket_unref(ws);
  }
  uvow_stream_unref(door.accepted);
  uvow_listener_free(door.listener);
  loop_bed_close(&door.bed, door.bed.loop ? "closed" : "");
}

static void accept_one(test_alloc_t *alloc, void *whole) {
  sweep(alloc, (int *)whole, 0);
}

static void refuse_one(test_alloc_t *alloc, void *whole) {
  sweep(alloc, (int *)whole, 1);
}

TEST_CASE(test_no_memory) {
  int whole = 0;
  test_alloc_sweep(accept_one, &whole);
  assert_true(whole >= 1);
  whole = 0;
  test_alloc_sweep(refuse_one, &whole);
  assert_true(whole >= 1);
}

TEST_MODULE(greeting) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_origins),
      cmocka_unit_test(test_any_origin),
      cmocka_unit_test(test_hosts),
      cmocka_unit_test(test_asked_and_accepted),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_answered_later),
      cmocka_unit_test(test_given_up),
      cmocka_unit_test(test_freed_within),
      cmocka_unit_test(test_messages_in_the_handshake),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests_name("websocket/greeting", tests, NULL, NULL);
}
