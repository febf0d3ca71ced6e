/* F15: ready, drained and close give each asker a future of its own. */
#include "rpc/peer.h"

#include "support/script.h"

#include <uvow/combine.h>

typedef uvow_future_t *(*ask_t)(uvow_peer_t *client);

static const ask_t asks[] = {uvow_peer_ready, uvow_peer_room, uvow_peer_close};
enum { ASKS = sizeof(asks) / sizeof(*asks) };

/* Whatever is asked for is pending: it doesn't read, and isn't open. */
static void begin(script_t *s) {
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = script_options(s);
  options.websocket.max_unsent_bytes = 400;
  options.peer.close_timeout_ms = 60000;
  options.peer.timeout_ms = UVOW_NO_TIMEOUT;
  options.websocket.connect_timeout_ms = 100000;
  assert_int_equal(script_client(s, &options), 0);
  script_connected(s);
  char params[300];
  memset(params, ' ', sizeof(params));
  params[0] = '[';
  params[sizeof(params) - 1] = ']';
  assert_int_equal(uvow_peer_notify(s->client, "n",
                                    uvow_value_slice(&(uvow_slice_t){
                                        params, sizeof(params)})),
                   0);
}

/* It gets what it waits for. */
static void finish(script_t *s, ask_t ask) {
  if (ask == uvow_peer_close)
    script_advance(s, 60001);
  else
    script_accept(s);
  script_turns(s);
}

TEST_CASE(a_cancel_is_ones_own) {
  for (int i = 0; i < ASKS; i++) {
    script_t s;
    begin(&s);
    script_mark_t before = script_mark(&s, "before");
    script_mark_t canceled = script_mark(&s, "canceled");
    script_mark_t after = script_mark(&s, "after");
    script_watch(asks[i](s.client), &before);
    uvow_future_t *f = asks[i](s.client);
    script_watch(uvow_future_ref(f), &canceled);
    assert_int_equal(uvow_future_cancel(f), 0);
    uvow_future_unref(f);
    script_turns(&s);
    script_expect(&s, "canceled!ECANCELED");
    script_watch(asks[i](s.client), &after);
    script_turns(&s);
    script_expect(&s, "");
    finish(&s, asks[i]);
    script_expect(&s, "before= after=");
    script_end(&s);
  }
}

TEST_CASE(a_timeout_is_ones_own) {
  for (int i = 0; i < ASKS; i++) {
    script_t s;
    begin(&s);
    script_mark_t timed = script_mark(&s, "timed");
    script_mark_t before = script_mark(&s, "before");
    script_mark_t after = script_mark(&s, "after");
    script_watch(uvow_future_timeout(asks[i](s.client), 100), &timed);
    script_watch(asks[i](s.client), &before);
    script_turns(&s);
    script_advance(&s, 101);
    script_expect(&s, "timed!ETIMEDOUT");
    script_watch(asks[i](s.client), &after);
    finish(&s, asks[i]);
    script_expect(&s, "before= after=");
    script_end(&s);
  }
}

/* A close whose only asker has gone goes on. */
TEST_CASE(a_canceled_close_still_closes) {
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t closed = script_mark(&s, "closed");
  uvow_future_t *f = uvow_peer_close(s.client);
  uvow_future_cancel(f);
  uvow_future_unref(f);
  script_turns(&s);
  script_expect_sent(&s, "close:1000");
  script_watch(uvow_peer_close(s.client), &closed);
  script_close_frame(&s, 1000);
  script_hang_up(&s, 0);
  script_turns(&s);
  script_expect(&s, "closed=");
  script_end(&s);
}

/* Without memory there's no future, and nothing else happens. */
TEST_CASE(no_memory_gives_null) {
  for (int i = 0; i < ASKS; i++) {
    script_t s;
    begin(&s);
    script_mark_t after = script_mark(&s, "after");
    s.alloc->fail_at = s.alloc->calls + 1;
    s.alloc->fail_all_after = 1;
    uvow_future_t *f[64];
    int count = 0;
    while (count < 64 && (f[count] = asks[i](s.client)) != NULL)
      count++; /* the pool's first block may be there */
    assert_true(count < 64);
    while (count)
      uvow_future_unref(f[--count]);
    s.alloc->fail_at = 0;
    s.alloc->fail_all_after = 0;
    script_watch(asks[i](s.client), &after);
    script_turns(&s); /* the deadline of close begins */
    finish(&s, asks[i]);
    script_expect(&s, "after=");
    script_end(&s);
  }
}

TEST_MODULE(readers) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_cancel_is_ones_own),
      cmocka_unit_test(a_timeout_is_ones_own),
      cmocka_unit_test(a_canceled_close_still_closes),
      cmocka_unit_test(no_memory_gives_null),
  };
  return cmocka_run_group_tests_name("rpc/readers", tests, NULL, NULL);
}
