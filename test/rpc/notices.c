#include "rpc/notices.h"

#include <stdio.h>

#include "rpc/peer.h"

#include "support/link.h"

static uvow__slice_t slice(const char *text) {
  return (uvow__slice_t){text, strlen(text)};
}

typedef struct told {
  script_t s;
  int ends_it; /* who is told of a state ends the peer and releases it */
  int read;    /* what who is told of a stray answers */
  int is_over; /* nothing is logged any more */
} told_t;

static void on_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                     void *data) {
  told_t *told = (told_t *)data;
  char text[64];
  if (told->is_over)
    return;
  snprintf(text, sizeof(text), "%s%s", uvow_peer_state_name(change->state),
           change->why ? "!" : "");
  script_log(&told->s, "state:", text);
  if (!told->ends_it)
    return;
  told->s.client = NULL;
  uvow_peer_end(peer);
  uvow_peer_unref(peer);
}

static int on_stray(uvow_peer_t *peer, uvow_stray_t stray, uvow_slice_t message,
                    const uvow_error_t *error, void *data) {
  told_t *told = (told_t *)data;
  char text[64];
  (void)peer;
  snprintf(text, sizeof(text), "%d:%.*s%s", (int)stray, (int)message.len,
           message.bytes ? message.bytes : "", error ? "!" : "");
  script_log(&told->s, "stray:", text);
  return told->read;
}

/* A peer that waits to be connected, and whose first state was told. */
static void start(told_t *told) {
  memset(told, 0, sizeof(*told));
  script_init(&told->s);
  test_connect_t options = script_options(&told->s);
  options.peer.on_state = on_state;
  options.peer.on_stray = on_stray;
  options.peer.data = told;
  assert_int_equal(script_client(&told->s, &options), 0);
  script_turns(&told->s);
  script_expect(&told->s, "state:connecting");
}

static void end(told_t *told) {
  told->is_over = 1;
  script_end(&told->s);
}

/* Something of the peer's happens, as from a socket. */
static void state(told_t *told, uvow_peer_state_t state) {
  uvow__runtime_enter(&told->s.loop->rt);
  uvow__notices_state(told->s.client, state, NULL);
  uvow__runtime_leave(&told->s.loop->rt);
}

TEST_CASE(all_is_told_in_order_and_later) {
  told_t told;
  char message[] = "{\"x\":1}";
  start(&told);
  uvow__runtime_enter(&told.s.loop->rt);
  uvow__notices_state(told.s.client, UVOW_PEER_WAITING, NULL);
  uvow__notices_stray(told.s.client, UVOW_STRAY_LATE, slice(message), NULL);
  uvow__notices_state(told.s.client, UVOW_PEER_CONNECTING, NULL);
  memset(message, 'y', sizeof(message) - 1); /* it was copied */
  assert_string_equal(told.s.log, "");
  uvow__runtime_leave(&told.s.loop->rt);
  char stray[64];
  snprintf(stray, sizeof(stray),
           "state:waiting stray:%d:{\"x\":1} "
           "state:connecting",
           (int)UVOW_STRAY_LATE);
  script_expect(&told.s, stray);
  assert_true(uvow__list_empty(&told.s.client->notices.list));
  end(&told);
}

TEST_CASE(the_error_is_kept_until_it_is_told) {
  told_t told;
  start(&told);
  uvow_error_t *why = uvow_error_new(told.s.loop, UVOW_ELOST, NULL);
  uvow__runtime_enter(&told.s.loop->rt);
  uvow__notices_state(told.s.client, UVOW_PEER_WAITING, why);
  uvow_error_unref(why);
  uvow__runtime_leave(&told.s.loop->rt);
  script_expect(&told.s, "state:waiting!");
  end(&told);
}

TEST_CASE(muted_it_tells_nothing) {
  told_t told;
  start(&told);
  uvow__runtime_enter(&told.s.loop->rt);
  uvow__notices_state(told.s.client, UVOW_PEER_WAITING, NULL);
  uvow__notices_mute(told.s.client);
  uvow__notices_mute(told.s.client);
  uvow__notices_state(told.s.client, UVOW_PEER_CONNECTING, NULL);
  uvow__notices_stray(told.s.client, UVOW_STRAY_LATE, slice("1"), NULL);
  uvow__runtime_leave(&told.s.loop->rt);
  script_expect(&told.s, "");
  end(&told);
}

/* The peer goes within the first of three: the others are told to nobody. */
TEST_CASE(who_is_told_may_release_the_peer) {
  told_t told;
  start(&told);
  told.ends_it = 1;
  uvow__runtime_enter(&told.s.loop->rt);
  uvow__notices_state(told.s.client, UVOW_PEER_WAITING, NULL);
  uvow__notices_state(told.s.client, UVOW_PEER_CONNECTING, NULL);
  uvow__notices_stray(told.s.client, UVOW_STRAY_LATE, slice("1"), NULL);
  uvow__runtime_leave(&told.s.loop->rt);
  script_expect(&told.s, "state:waiting");
  end(&told);
}

/* An answer of 1 says that it was the application's, and no stray. */
TEST_CASE(a_stray_that_was_read_is_not_counted) {
  told_t told;
  start(&told);
  uvow_peer_t *peer = told.s.client;
  for (told.read = 0; told.read < 2; told.read++) {
    uvow__runtime_enter(&told.s.loop->rt);
    uvow__session_stray(&peer->session, UVOW_STRAY_UNKNOWN, slice("1"));
    uvow__runtime_leave(&told.s.loop->rt);
    assert_int_equal(script_stats(&told.s).unknown, 1);
  }
  told.s.log[0] = '\0';
  end(&told);
}

static void destroyed(void *data) {
  script_log((script_t *)data, "data:", "destroyed");
}

/* Also where nothing else is told any more. */
TEST_CASE(the_data_is_destroyed_once) {
  told_t told;
  start(&told);
  uvow_peer_set_data(told.s.client, &told.s, destroyed);
  uvow__notices_mute(told.s.client);
  uvow_peer_t *peer = told.s.client;
  told.s.client = NULL;
  uvow_peer_unref(peer);
  script_turns(&told.s);
  script_expect(&told.s, "data:destroyed");
  end(&told);
}

static void swept(test_alloc_t *alloc, void *data) {
  told_t told;
  (void)data;
  memset(&told, 0, sizeof(told));
  script_init_with(&told.s, alloc);
  test_connect_t options = script_options(&told.s);
  options.peer.on_state = on_state;
  options.peer.data = &told;
  if (told.s.loop && script_client(&told.s, &options) == 0) {
    state(&told, UVOW_PEER_WAITING);
    state(&told, UVOW_PEER_CONNECTING);
    uvow_peer_set_data(told.s.client, &told.s, destroyed);
    uvow_peer_t *peer = told.s.client;
    told.s.client = NULL;
    uvow_peer_unref(peer);
    script_turns(&told.s);
    assert_non_null(strstr(told.s.log, "data:destroyed"));
  }
  script_quit(&told.s);
}

/* A state that there is no memory for isn't told; the data's end is. */
TEST_CASE(the_data_is_destroyed_without_memory) {
  test_alloc_sweep(swept, NULL);
}

static void close_it(script_mark_t *mark) {
  uvow_future_detach(uvow_peer_close(mark->s->client));
}

/* What comes of one message changes the state, while the change that comes of
 * what is behind it in the same turn waits for its root: that one came first. */
TEST_CASE(states_of_two_roots) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  a.act = close_it;
  script_call(&s, "m", &a);
  script_turns(&s);
  uvow__runtime_enter(&s.loop->rt);
  link_answer(&s, 1);
  script_close_frame(&s, 1001);
  script_hang_up(&s, 0);
  uvow__runtime_leave(&s.loop->rt);
  script_turns(&s);
  script_expect(&s, "a=1 state:WAITING!ECLOSED state:CLOSING state:CLOSED");
  script_end(&s);
}

TEST_MODULE(notices) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(states_of_two_roots),
      cmocka_unit_test(all_is_told_in_order_and_later),
      cmocka_unit_test(the_error_is_kept_until_it_is_told),
      cmocka_unit_test(muted_it_tells_nothing),
      cmocka_unit_test(who_is_told_may_release_the_peer),
      cmocka_unit_test(a_stray_that_was_read_is_not_counted),
      cmocka_unit_test(the_data_is_destroyed_once),
      cmocka_unit_test(the_data_is_destroyed_without_memory),
  };
  return cmocka_run_group_tests_name("rpc/notices", tests, NULL, NULL);
}
