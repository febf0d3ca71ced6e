/* What a debug build says before it aborts. */
#include "future/misuse.h"

#include "support/die.h"
#include "support/turn.h"

#include <uvow/combine.h>
#include <uvow/stream.h>

#include "future/bytes.h"

#ifdef UVOW_DEBUG
#include <signal.h>

#define SIZE 4096

static void destroy_nothing(void *ptr) {
  (void)ptr;
}

static const uvow_type_t type_single = {sizeof(uvow_type_t), "single", NULL,
                                        destroy_nothing};

static void (*act_of)(turn_t *turn);

static void act(void) {
  turn_t turn;
  turn_init(&turn);
  act_of(&turn);
}

static int die(void (*what)(turn_t *turn), char *ret_text) {
  act_of = what;
  return die_of(act, ret_text, SIZE);
}

/* The block of a future that is gone is another's by then. */
static void settle_again(turn_t *turn) {
  uvow_promise_t *first;
  uvow_promise_t *second;
  uvow_future_t *f = uvow_promise_new(turn->loop, &first);
  uvow_promise_fulfill(first, uvow_value_none());
  uvow_future_unref(f);
  uvow_future_t *other = uvow_promise_new(turn->loop, &second);
  if (other == f)
    uvow_promise_fulfill(first, uvow_value_none());
}

static uvow_next_t return_lent(const uvow_result_t *result, void *data) {
  (void)data;
  return uvow_next_value(result->value);
}

static void return_what_was_lent(turn_t *turn) {
  uvow_value_t value = uvow_value_ptr(&type_single, turn);
  uvow_future_t *f = uvow_future_fulfilled(turn->loop, value);
  uvow_future_detach(uvow_future_then(f, return_lent, NULL));
  turn_run(turn);
}

/* Bytes have as many owners as there are keeps. */
static void return_lent_bytes(turn_t *turn) {
  uvow__bytes_t *bytes = uvow__bytes_new(&turn->rt, 4);
  uvow_future_t *f =
      uvow_future_fulfilled(turn->loop, uvow__bytes_value(bytes));
  uvow_future_detach(uvow_future_then(f, return_lent, NULL));
  turn_run(turn);
}

static void return_lent_results(turn_t *turn) {
  uvow_future_t *f = uvow_future_all(turn->loop, NULL, 0);
  uvow_future_detach(uvow_future_then(f, return_lent, NULL));
  turn_run(turn);
}

static void return_an_item(turn_t *turn) {
  uvow_sink_t *sink;
  uvow_stream_t *s = uvow_stream_new(turn->loop, NULL, &sink);
  uvow_future_detach(uvow_stream_each(s, return_lent, NULL));
  (void)uvow_sink_push(sink, uvow_value_ptr(&type_single, turn));
  turn_run(turn);
}

static void map_an_item(turn_t *turn) {
  uvow_sink_t *sink;
  uvow_stream_t *s = uvow_stream_new(turn->loop, NULL, &sink);
  s = uvow_stream_map(s, return_lent, NULL);
  uvow_future_detach(uvow_stream_next(s));
  (void)uvow_sink_push(sink, uvow_value_ptr(&type_single, turn));
  turn_run(turn);
}

static void call_uvow(turn_t *turn) {
  uvow_future_unref(uvow_future_fulfilled(turn->loop, uvow_value_none()));
}

static int call_in_retry_if(const uvow_error_t *error, uint32_t attempts,
                            void *data) {
  (void)error;
  (void)attempts;
  call_uvow((turn_t *)data);
  return 1;
}

static uint64_t call_in_random(void *data) {
  call_uvow((turn_t *)data);
  return 1;
}

static uvow_future_t *reject_it(uint32_t attempt, void *data) {
  (void)attempt;
  return uvow_future_rejected(
      ((turn_t *)data)->loop,
      uvow_error_new(((turn_t *)data)->loop, UVOW_EREMOTE, NULL));
}

static void retry_with_retry_if(turn_t *turn) {
  uvow_future_detach(
      uvow_future_retry(turn->loop, reject_it, turn,
                        UVOW_WITH(retry, .retry_if = call_in_retry_if)));
  turn_run(turn);
}

static void retry_with_random(turn_t *turn) {
  uvow_future_detach(uvow_future_retry(
      turn->loop, reject_it, turn, UVOW_WITH(retry, .random = call_in_random)));
  turn_run(turn);
}

static void call_in_ref(void *ptr) {
  call_uvow((turn_t *)ptr);
}

static void share_a_value(turn_t *turn) {
  static const uvow_type_t type = {sizeof(type), "counted", call_in_ref,
                                   destroy_nothing};
  uvow_future_t *f =
      uvow_future_fulfilled(turn->loop, uvow_value_ptr(&type, turn));
  uvow_future_detach(uvow_future_then(uvow_future_ref(f), NULL, NULL));
  turn_run(turn);
}

/* An allocator whose functions call uvow: one of them. */
enum { MALLOC = 1, REALLOC, FREE };
static struct {
  turn_t *turn;
  uvow_allocator_t below;
  int caller;
} hostile;

static void call_in(int caller) {
  if (hostile.caller != caller)
    return;
  hostile.caller = 0;
  call_uvow(hostile.turn);
}

static void *hostile_malloc(size_t size, void *data) {
  call_in(MALLOC);
  return hostile.below.malloc_cb(size, data);
}

static void *hostile_realloc(void *ptr, size_t size, void *data) {
  call_in(REALLOC);
  return hostile.below.realloc_cb(ptr, size, data);
}

static void hostile_free(void *ptr, void *data) {
  call_in(FREE);
  hostile.below.free_cb(ptr, data);
}

static void allocate(turn_t *turn) {
  uvow__mem_t *mem = &turn->rt.mem;
  int caller = hostile.caller;
  hostile.caller = 0;
  hostile.turn = turn;
  hostile.below = *mem;
  mem->malloc_cb = hostile_malloc;
  mem->realloc_cb = hostile_realloc;
  mem->free_cb = hostile_free;
  call_uvow(turn); /* the pool has its blocks */
  hostile.caller = caller;
  uvow__free(mem, uvow__realloc(mem, uvow__malloc(mem, 1), 2));
  turn_run(turn);
}

TEST_CASE(an_allocator_may_not_call) {
  char text[SIZE];
  assert_int_equal(die(allocate, text), 0);
  for (hostile.caller = MALLOC; hostile.caller <= FREE; hostile.caller++) {
    assert_int_equal(die(allocate, text), SIGABRT);
    assert_non_null(strstr(text, "an allocator calls uvow"));
  }
  hostile.caller = 0;
}

static void release_in_ref(void *ptr) {
  uvow_future_unref((uvow_future_t *)ptr);
}

/* Nor what only gives something back. */
static void release_while_asked(turn_t *turn) {
  static const uvow_type_t type = {sizeof(type), "counted", release_in_ref,
                                   destroy_nothing};
  uvow_future_t *f = uvow_future_fulfilled(turn->loop, uvow_value_none());
  uvow_value_t value = uvow_value_ptr(&type, uvow_future_ref(f));
  uvow__value_ref(&turn->rt, &value);
}

static void close_in_ref(void *ptr) {
  uvow__runtime_close((uvow__runtime_t *)ptr);
}

static void close_while_asked(turn_t *turn) {
  static const uvow_type_t type = {sizeof(type), "counted", close_in_ref,
                                   destroy_nothing};
  uvow_value_t value = uvow_value_ptr(&type, &turn->rt);
  uvow__value_ref(&turn->rt, &value);
}

/* What is asked, on uvow's stack, may not call it. */
TEST_CASE(who_is_asked_may_not_call) {
  char text[SIZE];
  assert_int_equal(die(retry_with_retry_if, text), SIGABRT);
  assert_non_null(strstr(text, "retry_if calls uvow"));
  assert_int_equal(die(retry_with_random, text), SIGABRT);
  assert_non_null(strstr(text, "random calls uvow"));
  assert_int_equal(die(share_a_value, text), SIGABRT);
  assert_non_null(strstr(text, "a type's ref calls uvow"));
  assert_int_equal(die(release_while_asked, text), SIGABRT);
  assert_non_null(strstr(text, "a type's ref calls uvow"));
  assert_int_equal(die(close_while_asked, text), SIGABRT);
  assert_non_null(strstr(text, "a type's ref calls uvow"));
}

TEST_CASE(a_promise_that_is_gone_is_named) {
  char text[SIZE];
  assert_int_equal(die(settle_again, text), SIGABRT);
  assert_non_null(strstr(text, "a promise is used again"));
}

TEST_CASE(a_value_that_is_lent_is_not_returned) {
  char text[SIZE];
  assert_int_equal(die(return_what_was_lent, text), SIGABRT);
  assert_non_null(strstr(text, "uvow_next_pass"));
  assert_non_null(strstr(text, "uvow_result_keep"));
  assert_int_equal(die(return_lent_bytes, text), SIGABRT);
  assert_non_null(strstr(text, "uvow_result_keep"));
  assert_int_equal(die(return_lent_results, text), SIGABRT);
  assert_non_null(strstr(text, "uvow_result_keep"));
  assert_int_equal(die(map_an_item, text), SIGABRT);
  assert_non_null(strstr(text, "uvow_result_keep"));
  assert_int_equal(die(return_an_item, text), SIGABRT);
  assert_non_null(strstr(text, "uvow_next_pass"));
}

static uvow_next_t return_kept(const uvow_result_t *result, void *data) {
  (void)data;
  return uvow_next_value(uvow_result_keep(result));
}

TEST_CASE(what_is_kept_may_be_returned) {
  turn_t turn;
  turn_init(&turn);
  uvow_future_t *f =
      uvow_future_fulfilled(turn.loop, uvow_value_ptr(&type_single, &turn));
  uvow_future_detach(uvow_future_then(f, return_kept, NULL));
  f = uvow_future_fulfilled(turn.loop,
                            uvow__bytes_value(uvow__bytes_new(&turn.rt, 4)));
  uvow_future_detach(uvow_future_then(f, return_kept, NULL));
  turn_run(&turn);
  turn_end(&turn);
}

/* As long as its future is there, using it again does nothing. */
TEST_CASE(a_promise_that_is_used_up_is_known) {
  uvow_promise_t *promise;
  turn_t turn;
  turn_init(&turn);
  for (int i = 0; i < 20; i++) {
    uvow_future_t *f = uvow_promise_new(turn.loop, &promise);
    uvow_promise_fulfill(promise, uvow_value_none());
    uvow_promise_drop(promise);
    assert_int_equal(uvow_promise_try_fulfill(promise, uvow_value_none()),
                     UVOW_EINVAL);
    uvow_future_unref(f);
  }
  turn_end(&turn);
}

TEST_MODULE(misuse) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_is_asked_may_not_call),
      cmocka_unit_test(an_allocator_may_not_call),
      cmocka_unit_test(a_promise_that_is_gone_is_named),
      cmocka_unit_test(a_promise_that_is_used_up_is_known),
      cmocka_unit_test(a_value_that_is_lent_is_not_returned),
      cmocka_unit_test(what_is_kept_may_be_returned),
  };
  return cmocka_run_group_tests_name("future/misuse", tests, NULL, NULL);
}
#else
TEST_CASE(only_in_debug_builds) {
  print_message("# skip: UVOW_DEBUG is off\n");
  skip();
}

TEST_MODULE(misuse) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(only_in_debug_builds)};
  return cmocka_run_group_tests_name("future/misuse", tests, NULL, NULL);
}
#endif
