#include "rpc/dispatcher.h"

#include "support/script.h"

#include <stdio.h>

/* A dispatcher on a loop, without a client. */
typedef struct fixture {
  script_t s;
  uvow__dispatcher_t d;
  int given_up;
} fixture_t;

static void on_given_up(uvow__dispatcher_t *d, const uvow__request_t *request) {
  fixture_t *x = (fixture_t *)d->data;
  assert_null(uvow__dispatcher_find(d, request->id));
  x->given_up++;
}

static void start(fixture_t *x, size_t max_live) {
  script_init(&x->s);
  script_drive_clock(&x->s);
  uvow__dispatcher_init(&x->d, &x->s.loop->rt, max_live);
  x->d.data = x;
  x->d.on_given_up = on_given_up;
  x->given_up = 0;
}

static void end(fixture_t *x) {
  script_turns(&x->s);
  assert_int_equal(x->d.live, 0);
  assert_int_equal(x->d.sent, 0);
  uvow__dispatcher_done(&x->d);
  script_end(&x->s);
}

static uvow_future_t *take(fixture_t *x, uint32_t ms,
                           uvow__request_t **ret_request) {
  uvow_future_t *f = NULL;
  assert_int_equal(uvow__dispatcher_register(&x->d, ms, &f, ret_request), 0);
  return f;
}

static uvow__buf_t none; /* answers that are in no memory of their own */

static uvow__slice_t text(const char *literal) {
  uvow__slice_t slice = {literal, strlen(literal)};
  return slice;
}

/* An answer reaches its own future; the id is free, and a duplicate then. */
TEST_CASE(test_answer) {
  fixture_t x;
  uvow__request_t *request;
  start(&x, 10);
  assert_null(uvow__dispatcher_find(&x.d, 1));
  assert_int_equal(uvow__dispatcher_classify(&x.d, 1), UVOW_STRAY_UNKNOWN);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  script_watch(take(&x, 0, &request), &a);
  assert_int_equal(request->id, 1);
  script_watch(take(&x, 0, &request), &b);
  assert_int_equal(request->id, 2);
  uvow__dispatcher_mark_sent(request, 1);
  uvow__dispatcher_mark_sent(request, 1);
  assert_int_equal(x.d.sent, 1);
  uvow__dispatcher_fulfill(uvow__dispatcher_find(&x.d, 2), text("[2]"), &none);
  assert_int_equal(x.d.sent, 0);
  assert_null(uvow__dispatcher_find(&x.d, 2));
  assert_int_equal(uvow__dispatcher_classify(&x.d, 2), UVOW_STRAY_DUPLICATE);
  uvow__dispatcher_fulfill(uvow__dispatcher_find(&x.d, 1), text("[1]"), &none);
  assert_int_equal(uvow__dispatcher_classify(&x.d, 3), UVOW_STRAY_UNKNOWN);
  assert_int_equal(uvow__dispatcher_classify(&x.d, 0), UVOW_STRAY_UNKNOWN);
  script_turns(&x.s);
  script_expect(&x.s, "b=[2] a=[1]");
  assert_int_equal(x.d.count.answered, 2);
  assert_int_equal(x.d.count.requests, 2);
  end(&x);
}

/* A terminal callback on a pending request takes no link: it's in the request
 * itself. It keeps its place among the others; a second one takes a link. */
TEST_CASE(test_the_end_is_in_the_request) {
  fixture_t x;
  uvow__request_t *request;
  start(&x, 10);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  script_mark_t c = script_mark(&x.s, "c");
  size_t links = x.s.loop->rt.links.live;
  uvow_future_t *f = take(&x, 0, &request);
  script_watch(uvow_future_then(uvow_future_ref(f), NULL, NULL), &a);
  assert_int_equal(x.s.loop->rt.links.live, links + 2);
  script_watch(uvow_future_ref(f), &b);
  assert_int_equal(x.s.loop->rt.links.live, links + 2);
  script_watch(uvow_future_ref(f), &c);
  assert_int_equal(x.s.loop->rt.links.live, links + 3);
  uvow__dispatcher_fulfill(request, text("[1]"), &none);
  script_expect(&x.s, "");
  script_turns(&x.s);
  script_expect(&x.s, "b=[1] c=[1] a=[1]");
  script_watch(f, &b); /* once it's settled */
  script_turns(&x.s);
  script_expect(&x.s, "b=[1]");
  assert_int_equal(x.s.loop->rt.links.live, links);
  end(&x);
}

/* Whoever kept a reference may cancel it; the end hears of that, once. */
TEST_CASE(test_the_end_of_a_canceled_request) {
  fixture_t x;
  uvow__request_t *request;
  start(&x, 10);
  script_mark_t a = script_mark(&x.s, "a");
  uvow_future_t *f = take(&x, 0, &request);
  script_watch(uvow_future_ref(f), &a);
  assert_int_equal(uvow_future_cancel(f), 0);
  assert_int_equal(uvow_future_cancel(f), UVOW_EALREADY);
  uvow_future_unref(f);
  script_expect(&x.s, "");
  script_turns(&x.s);
  script_expect(&x.s, "a!ECANCELED:NOT");
  assert_int_equal(a.calls, 1);
  end(&x);
}

/* What was given up, or failed for another reason, wasn't answered: an answer
 * to it is late, not a duplicate. */
TEST_CASE(test_late) {
  fixture_t x;
  uvow__request_t *request;
  uvow__error_spec_t spec = {0};
  start(&x, 10);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  script_mark_t c = script_mark(&x.s, "c");
  script_watch(take(&x, 1000, &request), &a);
  uvow__dispatcher_mark_sent(request, 1);
  uvow_future_t *f = take(&x, 0, &request);
  script_watch(uvow_future_ref(f), &b);
  script_watch(take(&x, 0, &request), &c);
  uvow__dispatcher_mark_sent(request, 1);
  script_turns(&x.s);
  script_advance(&x.s, 999);
  script_expect(&x.s, "");
  script_advance(&x.s, 2);
  script_expect(&x.s, "a!ETIMEDOUT:MAYBE");
  assert_int_equal(uvow_future_cancel(f), 0);
  assert_int_equal(uvow_future_cancel(f), UVOW_EALREADY);
  uvow_future_unref(f);
  spec.code = UVOW_ELOST;
  uvow__dispatcher_fail_all(&x.d, &spec);
  script_turns(&x.s);
  script_expect(&x.s, "b!ECANCELED:NOT c!ELOST:MAYBE");
  for (uint64_t id = 1; id <= 3; id++)
    assert_int_equal(uvow__dispatcher_classify(&x.d, id), UVOW_STRAY_LATE);
  assert_int_equal(x.given_up, 2);
  assert_int_equal(x.d.count.timed_out, 1);
  assert_int_equal(x.d.count.canceled, 1);
  assert_int_equal(x.d.count.failed, 1);
  end(&x);
}

/* Rejections come in the order of the requests, each with its outcome. */
TEST_CASE(test_fail_all) {
  fixture_t x;
  uvow__request_t *request;
  uvow__error_spec_t spec = {0};
  script_mark_t marks[100];
  start(&x, 1000);
  for (int i = 0; i < 100; i++) {
    marks[i] = script_mark(&x.s, "");
    script_watch(take(&x, 0, &request), &marks[i]);
    if (i < 98)
      uvow__dispatcher_mark_sent(request, 1);
    if (i >= 3 && i < 98)
      uvow__dispatcher_reject(
          request,
          uvow__error_code(&x.s.loop->rt.mem, UVOW_EREMOTE, UVOW_ANSWERED));
  }
  script_turns(&x.s);
  x.s.log[0] = '\0';
  marks[0].name = "a";
  marks[1].name = "b";
  marks[2].name = "c";
  marks[98].name = "d";
  marks[99].name = "e";
  spec.code = UVOW_ELOST;
  uvow__dispatcher_fail_all(&x.d, &spec);
  assert_int_equal(x.d.live, 0);
  script_turns(&x.s);
  script_expect(&x.s,
                "a!ELOST:MAYBE b!ELOST:MAYBE c!ELOST:MAYBE d!ELOST:NOT "
                "e!ELOST:NOT");
  for (int i = 0; i < 100; i++)
    assert_int_equal(marks[i].calls, 1);
  end(&x);
}

#define FAR 3000

static void keep_order(const uvow__request_t *request, void *data) {
  uint64_t *last = (uint64_t *)data;
  assert_true(request->id > last[0]);
  last[0] = request->id;
  last[1]++;
}

static void settled_in_order(uvow__dispatcher_t *d,
                             const uvow__request_t *request,
                             const uvow_error_t *error) {
  (void)error;
  keep_order(request, ((fixture_t *)d->data)->s.extra);
}

/* Ids so far apart that each stands in a turn of the ring of its own, or many
 * in one: the walk and the end of all are in the order of the requests. */
TEST_CASE(test_the_oldest_first) {
  static const uint64_t gaps[] = {1, 2, 63, 64, 65, 4095, 4096, 4097, 20000};
  for (size_t g = 0; g <= sizeof(gaps) / sizeof(*gaps); g++) {
    fixture_t x;
    uvow__request_t *request;
    uvow__error_spec_t spec = {0};
    uint64_t seen[2] = {0, 0};
    size_t count = 0;
    unsigned random = 7;
    start(&x, FAR);
    x.d.on_settled = settled_in_order;
    x.s.extra = seen;
    for (int i = 0; i < FAR; i++) {
      uvow_future_t *f = take(&x, 0, &request);
      random = random * 1103515245u + 12345u;
      /* The last round: gaps of all lengths. */
      x.d.next_id += g < sizeof(gaps) / sizeof(*gaps)
                         ? gaps[g] - 1
                         : random >> 8 >> (random >> 16) % 24;
      f->flags |= UVOW__OBSERVED;
      if (random >> 20 & 1)
        uvow__dispatcher_mark_sent(request, 1);
      uvow_future_unref(f);
      count++;
    }
    uvow__dispatcher_walk(&x.d, keep_order, seen);
    assert_int_equal(seen[1], count);
    seen[0] = seen[1] = 0;
    spec.code = UVOW_ELOST;
    uvow__dispatcher_lost(&x.d, &spec, NULL, NULL); /* what was sent */
    assert_int_equal(x.d.sent, 0);
    assert_int_equal(x.d.live, count - seen[1]);
    seen[0] = 0;
    uvow__dispatcher_fail_all(&x.d, &spec);
    assert_int_equal(seen[1], count);
    x.d.on_settled = NULL;
    end(&x);
  }
}

TEST_CASE(test_limits) {
  fixture_t x;
  uvow__request_t *request;
  uvow_future_t *f;
  start(&x, 2);
  uvow_future_t *a = take(&x, 0, &request);
  uvow_future_t *b = take(&x, 0, &request);
  assert_int_equal(uvow__dispatcher_register(&x.d, 0, &f, &request),
                   UVOW_EOVERLOAD);
  assert_int_equal(uvow_future_cancel(a), 0);
  uvow_future_t *c = take(&x, 0, &request);
  assert_int_equal(request->id, 3);
  assert_int_equal(uvow_future_cancel(b), 0);
  /* The last id there is; behind it, none is left. */
  x.d.next_id = UINT64_C(0x1FFFFFFFFFFFFF);
  uvow_future_t *e = take(&x, 0, &request);
  assert_true(request->id == UINT64_C(0x1FFFFFFFFFFFFF));
  assert_ptr_equal(uvow__dispatcher_find(&x.d, request->id), request);
  assert_int_equal(uvow_future_cancel(c), 0);
  assert_int_equal(uvow__dispatcher_register(&x.d, 0, &f, &request),
                   UVOW_ECLOSED);
  assert_int_equal(uvow_future_cancel(e), 0);
  assert_int_equal(uvow__dispatcher_classify(&x.d, UINT64_C(0x1FFFFFFFFFFFFF)),
                   UVOW_STRAY_LATE);
  uvow_future_unref(a);
  uvow_future_unref(b);
  uvow_future_unref(c);
  uvow_future_unref(e);
  end(&x);
}

/* A request that never ends keeps its id while many thousand pass by: its slot
 * is skipped each time round, and the ring doesn't grow for it. */
TEST_CASE(test_one_old) {
  fixture_t x;
  uvow__request_t *request;
  uvow__request_t *old;
  start(&x, 100);
  uvow_future_t *f = take(&x, 0, &old);
  for (uint64_t i = 0; i < 100000; i++) {
    uvow_future_t *g = take(&x, 0, &request);
    assert_true((request->id & x.d.mask) != (old->id & x.d.mask));
    uvow__dispatcher_fulfill(request, text("1"), &none);
    uvow_future_unref(g);
    assert_ptr_equal(uvow__dispatcher_find(&x.d, 1), old);
    /* Ids that share its slot, of the past and to come, are not it. */
    for (uint64_t id = 65; id < 65 + 3 * 64; id += 64)
      assert_null(uvow__dispatcher_find(&x.d, id));
  }
  assert_int_equal(x.d.mask, 63);
  assert_true(x.d.next_id > 100000);
  assert_int_equal(uvow__dispatcher_classify(&x.d, 3), UVOW_STRAY_LATE);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  end(&x);
}

#define MODEL 3000

/* Against a plain table: no id lives twice, none is lost, whatever the ring
 * does meanwhile. */
TEST_CASE(test_random) {
  fixture_t x;
  static struct {
    uint64_t id;
    uvow_future_t *f;
    uvow__request_t *request;
  } live[MODEL];
  size_t count = 0;
  uint32_t seed = 12345;
  uint64_t last = 0;
  start(&x, MODEL);
  for (int i = 0; i < 200000; i++) {
    seed = seed * 1664525u + 1013904223u;
    uint32_t dice = seed >> 16;
    size_t target = i % 40000 < 20000 ? MODEL - 1 : 5;
    if (count < MODEL && (count == 0 || dice % 3000 < target)) {
      live[count].f = take(&x, 0, &live[count].request);
      live[count].id = live[count].request->id;
      assert_true(live[count].id > last);
      last = live[count].id;
      count++;
    } else {
      size_t at = (dice ^ (uint32_t)i) % count;
      assert_ptr_equal(uvow__dispatcher_find(&x.d, live[at].id),
                       live[at].request);
      uvow__dispatcher_fulfill(live[at].request, text("0"), &none);
      assert_null(uvow__dispatcher_find(&x.d, live[at].id));
      uvow_future_unref(live[at].f);
      live[at] = live[--count];
    }
    assert_int_equal(x.d.live, count);
    assert_true(x.d.live * 4 <= (x.d.mask + 1) * 3);
  }
  assert_true(x.d.mask + 1 >= 4096);
  while (count) {
    count--;
    assert_ptr_equal(uvow__dispatcher_find(&x.d, live[count].id),
                     live[count].request);
    uvow__dispatcher_fulfill(live[count].request, text("0"), &none);
    uvow_future_unref(live[count].f);
  }
  end(&x);
}

/* R1: when the future settles, its slot can be used again. */
static uvow_next_t reuse(const uvow_result_t *result, void *data) {
  fixture_t *x = (fixture_t *)data;
  uvow__request_t *request;
  (void)result;
  assert_int_equal(x->d.live, 0);
  uvow_future_t *f = take(x, 0, &request);
  uvow__dispatcher_fulfill(request, text("[\"again\"]"), &none);
  return uvow_next_future(f);
}

TEST_CASE(test_reuse_in_continuation) {
  fixture_t x;
  uvow__request_t *request;
  start(&x, 1);
  script_mark_t a = script_mark(&x.s, "a");
  script_watch(uvow_future_then(take(&x, 0, &request), reuse, &x), &a);
  uvow__dispatcher_fulfill(request, text("1"), &none);
  script_turns(&x.s);
  script_expect(&x.s, "a=[\"again\"]");
  end(&x);
}

/* A payload is checked only where json is wanted. */
TEST_CASE(test_payload) {
  static const char *const bad[] = {"{]", "[1", "tru", "", "\"\\ud800\""};
  fixture_t x;
  uvow__request_t *request;
  start(&x, 10);
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    for (int json = 0; json < 2; json++) {
      char expected[64];
      script_mark_t a = script_mark(&x.s, "a");
      script_watch(take(&x, 0, &request), &a);
      request->json = json ? 1 : 0;
      uvow__dispatcher_fulfill(request, text(bad[i]), &none);
      script_turns(&x.s);
      snprintf(expected, sizeof(expected), "a=%s", bad[i]);
      script_expect(&x.s, json ? "a!EPAYLOAD:ANSWERED" : expected);
    }
  }
  uvow_future_t *f = take(&x, 0, &request);
  request->json = 1;
  uvow__dispatcher_fulfill(request, text("[1"), &none);
  uvow_result_t result;
  size_t len;
  assert_int_equal(uvow_future_peek(f, &result), 0);
  const char *data = uvow_error_data(result.error, &len);
  assert_non_null(strstr(uvow_error_message(result.error),
                         "near end of file, in the payload's line 1, column 2 "
                         "(byte 2)"));
  assert_int_equal(len, 2);
  assert_memory_equal(data, "[1", 2);
  uvow_future_unref(f);
  script_turns(&x.s);
  script_expect_unhandled(&x.s, "UVOW_EPAYLOAD");
  end(&x);
}

/* The loop is closed: nothing is registered, what is live is settled. */
TEST_CASE(test_closed_loop) {
  fixture_t x;
  uvow__request_t *request;
  uvow_future_t *f;
  start(&x, 10);
  script_mark_t a = script_mark(&x.s, "a");
  script_watch(take(&x, 30000, &request), &a);
  x.s.loop->rt.pins++; /* as a client's enrolling does */
  uvow_loop_t *loop = x.s.loop;
  uvow_loop_close(loop, NULL, NULL);
  script_expect(&x.s, "a!ECLOSED:NOT");
  assert_int_equal(x.d.live, 0);
  assert_int_equal(uvow__dispatcher_register(&x.d, 0, &f, &request),
                   UVOW_ECLOSED);
  uvow__dispatcher_done(&x.d);
  script_turns(&x.s);
  uvow__loop_unpin(loop);
  x.s.loop = NULL;
  script_end(&x.s);
}

TEST_MODULE(dispatcher) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_answer),
      cmocka_unit_test(test_the_end_is_in_the_request),
      cmocka_unit_test(test_the_end_of_a_canceled_request),
      cmocka_unit_test(test_late),
      cmocka_unit_test(test_fail_all),
      cmocka_unit_test(test_the_oldest_first),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_one_old),
      cmocka_unit_test(test_random),
      cmocka_unit_test(test_reuse_in_continuation),
      cmocka_unit_test(test_payload),
      cmocka_unit_test(test_closed_loop),
  };
  return cmocka_run_group_tests_name("rpc/dispatcher", tests, NULL, NULL);
}
