/* A json_t that a result has, given away as if it were the callback's: a debug
 * build says so. */
#include <uvow/json.h>

#include "support/loop_bed.h"

#ifdef UVOW_DEBUG
#include "support/die.h"

#include <jansson.h>
#include <signal.h>

#define SIZE 4096

/* How a callback takes it: what it makes of it, from which result. */
typedef struct lent_case {
  const char *name;
  uvow_next_t (*cb)(const uvow_result_t *result, void *data);
  int is_tree; /* the result is a json_t, not text */
  int dies;
} lent_case_t;

static uvow_next_t whole(const uvow_result_t *result, void *data) {
  (void)data;
  return uvow_next_json(uvow_result_json(result));
}

static uvow_next_t part(const uvow_result_t *result, void *data) {
  (void)data;
  return uvow_next_json(
      json_array_get(json_object_get(uvow_result_json(result), "a"), 1));
}

static uvow_next_t as_value(const uvow_result_t *result, void *data) {
  (void)data;
  return uvow_next_value(result->value);
}

static uvow_next_t in_a_value(const uvow_result_t *result, void *data) {
  uvow_value_t value = uvow_value_json(uvow_result_json(result));
  (void)data;
  uvow_value_clear(&value);
  return uvow_next_pass();
}

static uvow_next_t owned(const uvow_result_t *result, void *data) {
  (void)data;
  return uvow_next_json(json_incref(uvow_result_json(result)));
}

static uvow_next_t owned_part(const uvow_result_t *result, void *data) {
  (void)data;
  return uvow_next_json(
      json_incref(json_object_get(uvow_result_json(result), "a")));
}

static uvow_next_t another(const uvow_result_t *result, void *data) {
  (void)data;
  (void)uvow_result_json(result);
  return uvow_next_json(json_pack("[i]", 1));
}

static uvow_next_t counted(const uvow_result_t *result, void *data) {
  (void)data;
  (void)json_incref(uvow_result_json(result));
  return uvow_next_value(result->value);
}

static const lent_case_t cases[] = {
    {"the whole text", whole, 0, 1},     {"a part of it", part, 0, 1},
    {"in a value", in_a_value, 0, 1},    {"a whole tree", whole, 1, 1},
    {"its value", as_value, 1, 1},       {"owned", owned, 0, 0},
    {"an owned part", owned_part, 0, 0}, {"another", another, 0, 0},
    {"an owned tree", owned, 1, 0},      {"counted", counted, 1, 0},
};

static const lent_case_t *the_case;

static uvow_value_t value_of(uvow_loop_t *loop) {
  static const char text[] = "{\"a\":[true,{\"b\":1}]}";
  return the_case->is_tree ? uvow_value_json(json_loads(text, 0, NULL))
                           : uvow_value_bytes(loop, text, sizeof(text) - 1);
}

static void act_in_then(void) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  uvow_future_t *f = uvow_future_fulfilled(bed.loop, value_of(bed.loop));
  uvow_future_detach(uvow_future_then(f, the_case->cb, NULL));
  loop_bed_run(&bed);
  loop_bed_close(&bed, "closed");
}

static void done(const uvow_result_t *result, void *data) {
  uvow_next_t next = the_case->cb(result, data);
  if (next.kind == UVOW_NEXT_VALUE)
    uvow_value_clear(&next.u.value);
}

static void act_in_done(void) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  uvow_future_t *f = uvow_future_fulfilled(bed.loop, value_of(bed.loop));
  assert_int_equal(uvow_future_done(f, done, NULL), 0);
  loop_bed_run(&bed);
  loop_bed_close(&bed, "closed");
}

static void check(void (*act)(void), const lent_case_t *c) {
  char text[SIZE];
  the_case = c;
  int status = die_of(act, text, sizeof(text));
  if (status != (c->dies ? SIGABRT : 0))
    fail_msg("%s: ended with signal %d: %s", c->name, status, text);
  if (c->dies && !strstr(text, "a json_t is given away") &&
      !strstr(text, "a callback returns the value that it was lent"))
    fail_msg("%s: %s", c->name, text);
}

TEST_CASE(what_a_result_owns_is_not_given_away) {
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    check(act_in_then, &cases[i]);
    if (cases[i].cb != as_value)
      check(act_in_done, &cases[i]);
  }
}

TEST_MODULE(lent) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_a_result_owns_is_not_given_away),
  };
  return cmocka_run_group_tests_name("rpc/lent", tests, NULL, NULL);
}
#else
TEST_CASE(only_in_debug_builds) {
  print_message("# skip: UVOW_DEBUG is off\n");
  skip();
}

TEST_MODULE(lent) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(only_in_debug_builds)};
  return cmocka_run_group_tests_name("rpc/lent", tests, NULL, NULL);
}
#endif
