/* Partial answers: as items of a stream, as progress, as deadlines that move. */
#include "rpc/partial.h"

#include "support/link.h"
#include "support/parts.h"

static test_connect_t parts_options(script_t *s, uvow_protocol_t *protocol) {
  test_connect_t options = script_options(s);
  options.peer.protocol = protocol;
  options.peer.no_cancel = 0;
  options.peer.timeout_ms = 1000;
  options.on_event = NULL;
  return options;
}

static void start(script_t *s) {
  uvow_protocol_t *protocol = parts_protocol();
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = parts_options(s, protocol);
  script_open_client(s, &options);
  uvow_protocol_unref(protocol);
}

static uvow_stream_t *ask(script_t *s) {
  uvow_stream_t *stream =
      uvow_peer_request_stream(s->client, "m", uvow_value_raw("[1]"));
  assert_non_null(stream);
  script_turns(s);
  return stream;
}

TEST_CASE(test_items) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  parts_read(ask(&s), &a);
  parts_read(ask(&s), &b);
  script_expect_sent(&s, "{\"id\":1,\"call\":\"m\",\"params\":[1]}");
  script_expect_sent(&s, "{\"id\":2,\"call\":\"m\",\"params\":[1]}");
  script_text(&s, "{\"id\":1,\"part\":10}");
  script_text(&s, "{\"id\":2,\"part\":20}");
  script_text(&s, "{\"id\":1,\"part\":{\"x\":11}}");
  script_expect(&s, "a:10 b:20 a:{\"x\":11}");
  script_text(&s, "{\"id\":1,\"ok\":[12]}");
  script_expect(&s, "a=[12]");
  script_text(&s, "{\"id\":2,\"end\":true}");
  script_expect(&s, "b=");
  assert_int_equal(s.client->session.partials.table.count, 0);
  script_end(&s);
}

/* Items move the deadline of their request, if that is asked for. */
TEST_CASE(test_items_move_the_deadline) {
  for (int moves = 0; moves < 2; moves++) {
    script_t s;
    start(&s);
    script_mark_t a = script_mark(&s, "a");
    uvow_request_options_t options = {.size = sizeof(options)};
    options.timeout_ms = 100;
    options.partial_moves_deadline = moves;
    parts_read(uvow_peer_request_stream_with(s.client, "m", uvow_value_none(),
                                             &options),
               &a);
    script_turns(&s);
    for (int i = 0; i < 3; i++) {
      script_advance(&s, 60);
      script_text(&s, "{\"id\":1,\"part\":1}");
    }
    script_advance(&s, 110);
    script_expect(&s, moves ? "a:1 a:1 a:1 a!ETIMEDOUT:MAYBE"
                            : "a:1 a!ETIMEDOUT:MAYBE late:{\"id\":1,\"part\":"
                              "1} late:{\"id\":1,\"part\":1}");
    script_end(&s);
  }
}

/* Options that can't be read are those of its request. */
TEST_CASE(test_unreadable_options) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  uvow_request_options_t options = {.size = 1};
  parts_read(
      uvow_peer_request_stream_with(s.client, "m", uvow_value_none(), &options),
      &a);
  script_turns(&s);
  script_expect(&s, "a!EINVAL:NOT");
  script_expect_sent(&s, "");
  script_end(&s);
}

/* Items that wait come before the end, whoever reads when. */
TEST_CASE(test_late_reader) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  uvow_stream_t *stream = ask(&s);
  script_next(&s);
  script_text(&s, "{\"id\":1,\"part\":1}");
  script_text(&s, "{\"id\":1,\"part\":2}");
  script_text(&s, "{\"id\":1,\"ok\":3}");
  assert_int_equal(uvow_stream_waiting(stream), 2);
  script_watch(uvow_stream_next(stream), &a);
  script_turns(&s);
  script_expect(&s, "a=1");
  parts_read(stream, &a);
  script_turns(&s);
  script_expect(&s, "a:2 a=3");
  script_end(&s);
}

TEST_CASE(test_errors) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  parts_read(ask(&s), &a);
  script_next(&s);
  script_text(&s, "{\"id\":1,\"part\":1}");
  script_text(&s, "{\"id\":1,\"error\":{\"code\":5,\"message\":\"no\"}}");
  script_expect(&s, "a:1 a!EREMOTE:ANSWERED");
  parts_read(ask(&s), &a);
  parts_read(uvow_peer_request_stream(s.client, "m", uvow_value_raw("[")), &b);
  script_turns(&s);
  script_expect(&s, "b!EINVAL:NOT");
  script_next(&s);
  script_text(&s, "{\"id\":2,\"part\":1}");
  script_advance(&s, 1001);
  script_expect(&s, "a:1 a!ETIMEDOUT:MAYBE");
  script_expect_sent(&s, "{\"cancel\":2}");
  parts_read(ask(&s), &a);
  script_hang_up(&s, UV_ECONNRESET);
  script_expect(&s, "a!ELOST:MAYBE");
  parts_read(ask(&s), &a);
  script_turns(&s);
  script_expect(&s, "a!ELOST:NOT");
  assert_null(uvow_peer_request_stream(NULL, "m", uvow_value_none()));
  script_end(&s);
}

/* Letting go cancels the request, and nothing of it is a stray then but what is
 * late. */
TEST_CASE(test_let_go) {
  script_t s;
  start(&s);
  uvow_stream_unref(ask(&s));
  script_turns(&s);
  script_expect_sent(&s, "{\"id\":1,\"call\":\"m\",\"params\":[1]}");
  script_expect_sent(&s, "{\"cancel\":1}");
  assert_int_equal(script_stats(&s).canceled, 1);
  script_text(&s, "{\"id\":1,\"part\":1}");
  script_expect(&s, "late:{\"id\":1,\"part\":1}");
  assert_int_equal(script_stats(&s).late, 1);
  /* One that was given up before it left was never sent. */
  uvow_stream_t *stream =
      uvow_peer_request_stream(s.client, "m", uvow_value_raw("[1]"));
  script_mark_t a = script_mark(&s, "a");
  script_watch(uvow_stream_close(stream), &a);
  script_turns(&s);
  script_expect(&s, "a=");
  script_end(&s);
}

/* Who doesn't read loses the request, not the connection. */
/* One item is waited for and nothing else: so the end is what lets go. */
TEST_CASE(test_only_one_asked_for) {
  static const struct {
    const char *text;
    const char *log;
  } cases[] = {
      {"{\"id\":1,\"ok\":[12]}", "a!ECLOSED"},
      {"{\"id\":1,\"error\":{\"code\":5}}", "a!EREMOTE:ANSWERED"},
      {NULL, "a!ELOST:MAYBE"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    script_t s;
    start(&s);
    script_mark_t a = script_mark(&s, "a");
    script_watch(uvow_stream_first(ask(&s)), &a);
    if (cases[i].text)
      script_text(&s, cases[i].text);
    else
      script_hang_up(&s, UV_ECONNRESET);
    script_turns(&s);
    script_expect(&s, cases[i].log);
    script_end(&s);
  }
}

TEST_CASE(test_full) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  uvow_stream_t *stream = ask(&s);
  script_next(&s);
  for (int i = 0; i < 1024; i++)
    script_text(&s, "{\"id\":1,\"part\":1}");
  assert_int_equal(uvow_stream_waiting(stream), 1024);
  script_expect_sent(&s, "");
  script_text(&s, "{\"id\":1,\"part\":2}");
  script_expect_sent(&s, "{\"cancel\":1}");
  script_watch(uvow_stream_collect(stream, 2000), &a);
  script_turns(&s);
  script_expect(&s, "a!EOVERLOAD");
  script_text(&s, "{\"id\":1,\"part\":2}");
  script_expect(&s, "late:{\"id\":1,\"part\":2}");
  script_end(&s);
}

/* What follows the last is no duplicate; a second last is. */
TEST_CASE(test_behind_the_end) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  parts_read(ask(&s), &a);
  script_next(&s);
  script_text(&s, "{\"id\":1,\"ok\":1}");
  script_text(&s, "{\"id\":1,\"part\":2}");
  script_expect(&s, "a=1");
  assert_int_equal(script_stats(&s).duplicate, 0);
  script_text(&s, "{\"id\":1,\"ok\":1}");
  script_expect(&s, "duplicate:{\"id\":1,\"ok\":1}");
  script_text(&s, "{\"id\":7,\"part\":2}");
  script_text(&s, "{\"part\":2}");
  script_expect(&s, "unknown:{\"id\":7,\"part\":2} malformed:{\"part\":2}");
  script_end(&s);
}

/* ---- plain requests ---- */

static void on_partial(const uvow_result_t *partial, void *data) {
  (void)parts_on_item(partial, data);
}

static void with(script_t *s, uvow_request_options_t options,
                 script_mark_t *mark) {
  options.size = sizeof(options);
  script_watch(
      uvow_peer_request_with(s->client, "m", uvow_value_raw("[1]"), &options),
      mark);
  script_turns(s);
  script_next(s);
}

TEST_CASE(test_progress) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_mark_t p = script_mark(&s, "p");
  with(&s,
       (uvow_request_options_t){.on_partial = on_partial, .partial_data = &p},
       &a);
  script_watch(uvow_peer_request(s.client, "m", uvow_value_raw("[1]")), &b);
  uvow__runtime_enter(&s.loop->rt);
  script_text(&s, "{\"id\":2,\"part\":0}"); /* nobody wants it */
  script_text(&s, "{\"id\":1,\"part\":1}");
  script_text(&s, "{\"id\":1,\"part\":2}");
  script_text(&s, "{\"id\":1,\"ok\":3}");
  script_text(&s, "{\"id\":2,\"ok\":4}");
  uvow__runtime_leave(&s.loop->rt);
  script_expect(&s, "p:1 p:2 a=3 b=4");
  script_end(&s);
}

static void cancel_it(script_mark_t *mark) {
  uvow_future_t *f = (uvow_future_t *)mark->data;
  mark->data = NULL;
  uvow_future_cancel(f);
  uvow_future_unref(f);
}

/* Nothing is told of a request that was given up, not even what has come. */
TEST_CASE(test_progress_canceled) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t p = script_mark(&s, "p");
  uvow_request_options_t options = {
      .size = sizeof(options), .on_partial = on_partial, .partial_data = &p};
  uvow_future_t *f =
      uvow_peer_request_with(s.client, "m", uvow_value_raw("[1]"), &options);
  p.act = cancel_it;
  p.data = uvow_future_ref(f);
  script_watch(f, &a);
  script_turns(&s);
  uvow__runtime_enter(&s.loop->rt);
  script_text(&s, "{\"id\":1,\"part\":1}");
  script_text(&s, "{\"id\":1,\"part\":2}");
  uvow__runtime_leave(&s.loop->rt);
  script_expect(&s, "p:1 a!ECANCELED:MAYBE");
  script_end(&s);
}

static uvow_value_t kept;

static void on_kept(const uvow_result_t *partial, void *data) {
  (void)data;
  kept = uvow_result_keep(partial);
}

TEST_CASE(test_progress_kept) {
  script_t s;
  uvow__slice_t text;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  with(&s, (uvow_request_options_t){.on_partial = on_kept}, &a);
  script_text(&s, "{\"id\":1,\"part\":[1,2,3]}");
  script_text(&s, "{\"id\":1,\"ok\":3}");
  script_expect(&s, "a=3");
  assert_int_equal(uvow__value_bytes_in(&kept, &text), 0);
  assert_true(uvow__slice_is(text, "[1,2,3]"));
  uvow_value_clear(&kept);
  script_end(&s);
}

TEST_CASE(test_deadline_moves) {
  for (int moves = 0; moves < 2; moves++) {
    script_t s;
    start(&s);
    script_mark_t a = script_mark(&s, "a");
    with(&s,
         (uvow_request_options_t){.timeout_ms = 100,
                                  .partial_moves_deadline = moves},
         &a);
    script_advance(&s, 90);
    script_text(&s, "{\"id\":1,\"part\":1}");
    script_advance(&s, 90);
    script_expect(&s, moves ? "" : "a!ETIMEDOUT:MAYBE");
    script_advance(&s, 20);
    if (moves)
      script_expect(&s, "a!ETIMEDOUT:MAYBE");
    script_end(&s);
  }
}

/* So it does of a stream, whose options may say no more than others. */
TEST_CASE(test_deadline_of_a_stream_moves) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  uvow_request_options_t options = {.size = sizeof(options)};
  options.timeout_ms = 1000;
  options.partial_moves_deadline = 1;
  options.deadline_at_ms = uvow_loop_now(s.loop) + 2500; /* but not beyond */
  parts_read(
      uvow_peer_request_stream_with(s.client, "m", uvow_value_none(), &options),
      &a);
  script_turns(&s);
  script_advance(&s, 900);
  script_text(&s, "{\"id\":1,\"part\":1}");
  script_advance(&s, 900);
  script_text(&s, "{\"id\":1,\"part\":2}");
  script_advance(&s, 690);
  script_expect(&s, "a:1 a:2");
  script_advance(&s, 20);
  script_expect(&s, "a!ETIMEDOUT:MAYBE");
  options.size = 1;
  parts_read(
      uvow_peer_request_stream_with(s.client, "m", uvow_value_none(), &options),
      &a);
  script_turns(&s);
  script_expect(&s, "a!EINVAL:NOT");
  script_end(&s);
}

/* A point in time stays where it is. */
TEST_CASE(test_point_in_time_stays) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  with(&s,
       (uvow_request_options_t){.timeout_ms = 100,
                                .deadline_at_ms = uvow_loop_now(s.loop) + 150,
                                .partial_moves_deadline = 1},
       &a);
  script_advance(&s, 90);
  script_text(&s, "{\"id\":1,\"part\":1}");
  script_advance(&s, 50);
  script_expect(&s, "");
  script_advance(&s, 20);
  script_expect(&s, "a!ETIMEDOUT:MAYBE");
  script_end(&s);
}

TEST_CASE(test_first_is_last) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t p = script_mark(&s, "p");
  with(&s,
       (uvow_request_options_t){
           .on_partial = on_partial, .partial_data = &p, .first_is_last = 1},
       &a);
  script_text(&s, "{\"id\":1,\"part\":1}");
  script_text(&s, "{\"id\":1,\"part\":2}");
  script_expect(&s, "a=1");
  assert_int_equal(script_stats(&s).answered, 1);
  script_end(&s);
}

/* ---- memory ---- */

static void ignore(const uvow_result_t *partial, void *data) {
  (void)partial;
  (void)data;
}

static void on_end(const uvow_result_t *result, void *data) {
  (void)result;
  ++*(int *)data;
}

static uvow_next_t pass(const uvow_result_t *item, void *data) {
  (void)item;
  (void)data;
  return uvow_next_pass();
}

/* Whatever fails, the request and the stream end. */
static void ask_all(test_alloc_t *alloc, void *data) {
  script_t s;
  uvow_protocol_t *protocol = (uvow_protocol_t *)data;
  int promised = 0;
  int ended = 0;
  script_init_with(&s, alloc);
  test_connect_t options = parts_options(&s, protocol);
  if (script_client(&s, &options) == 0) {
    script_connected(&s);
    script_accept(&s);
    uvow_request_options_t progress = {.size = sizeof(progress),
                                       .on_partial = ignore};
    uvow_future_t *f = uvow_stream_each(
        uvow_peer_request_stream(s.client, "m", uvow_value_none()), pass, NULL);
    promised += f && uvow_future_done(f, on_end, &ended) == 0;
    f = uvow_peer_request_with(s.client, "m", uvow_value_none(), &progress);
    promised += f && uvow_future_done(f, on_end, &ended) == 0;
    for (int id = 1; id < 3; id++) {
      char text[128];
      for (int i = 0; i < 3; i++) {
        snprintf(
            text, sizeof(text),
            "{\"id\":%d,\"part\":\"a text that takes more than a block has "
            "room for\"}",
            id);
        script_text(&s, text);
      }
      snprintf(text, sizeof(text), "{\"id\":%d,\"ok\":1}", id);
      script_text(&s, text);
    }
    uvow_peer_unref(s.client);
    s.client = NULL;
    script_turns(&s);
  }
  assert_int_equal(ended, promised);
  script_quit(&s);
}

TEST_CASE(test_without_memory) {
  uvow_protocol_t *protocol = parts_protocol();
  test_alloc_sweep(ask_all, protocol);
  uvow_protocol_unref(protocol);
}

/* An item takes no memory once warm. */
TEST_CASE(test_warm) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  int ended = 0;
  uvow_request_options_t progress = {.size = sizeof(progress),
                                     .on_partial = ignore};
  uvow_future_t *f = uvow_stream_each(ask(&s), pass, NULL);
  assert_int_equal(uvow_future_done(f, on_end, &ended), 0);
  script_watch(
      uvow_peer_request_with(s.client, "m", uvow_value_none(), &progress), &a);
  size_t calls = 0;
  for (int i = 0; i < 200; i++) {
    if (i == 50)
      calls = s.alloc->calls;
    script_text(&s, "{\"id\":1,\"part\":[1,2,3]}");
    script_text(&s, "{\"id\":2,\"part\":[1,2,3]}");
  }
  assert_int_equal(s.alloc->calls - calls, 0);
  script_text(&s, "{\"id\":1,\"ok\":1}");
  script_text(&s, "{\"id\":2,\"ok\":1}");
  script_expect(&s, "a=1");
  assert_int_equal(ended, 1);
  script_end(&s);
}

TEST_MODULE(partial) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_items),
      cmocka_unit_test(test_items_move_the_deadline),
      cmocka_unit_test(test_unreadable_options),
      cmocka_unit_test(test_late_reader),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_let_go),
      cmocka_unit_test(test_only_one_asked_for),
      cmocka_unit_test(test_full),
      cmocka_unit_test(test_behind_the_end),
      cmocka_unit_test(test_progress),
      cmocka_unit_test(test_progress_canceled),
      cmocka_unit_test(test_progress_kept),
      cmocka_unit_test(test_deadline_moves),
      cmocka_unit_test(test_deadline_of_a_stream_moves),
      cmocka_unit_test(test_point_in_time_stays),
      cmocka_unit_test(test_first_is_last),
      cmocka_unit_test(test_without_memory),
      cmocka_unit_test(test_warm),
  };
  return cmocka_run_group_tests_name("rpc/partial", tests, NULL, NULL);
}
