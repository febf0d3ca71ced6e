/* Variables: read from JSON, set, hidden and found again. */
#include "protocol/vars.h"

#include "support/support.h"

#include <uvow/error.h>

#define S(literal) ((uvow__slice_t){literal, sizeof(literal) - 1})

static void expect(const uvow__vars_t *vars, const char *name,
                   const char *json) {
  uvow__slice_t text = uvow__vars_get(vars, name);
  if (json)
    assert_true(uvow__slice_is(text, json));
  else
    assert_null(text.ptr);
}

TEST_CASE(are_read) {
  static const char text[] =
      " {\"a\" : \"x\\\"y\" ,\"b\":[1, {\"c\":2}],\"\\u0063\":null}\n";
  uvow__vars_t vars;
  assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, text), 0);
  assert_int_equal(vars.count, 3);
  expect(&vars, "a", "\"x\\\"y\"");
  expect(&vars, "b", "[1, {\"c\":2}]");
  expect(&vars, "c", "null");
  expect(&vars, "d", NULL);
  uvow__vars_done(&vars);
  assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, "{ }"), 0);
  expect(&vars, "a", NULL);
  uvow__vars_done(&vars);
  assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, NULL), 0);
  uvow__vars_done(&vars);
}

TEST_CASE(must_be_an_object) {
  static const char *const bad[] = {"",          "[]",         "5",
                                    "{",         "{\"a\":}",   "{} x",
                                    "{\"a\" 1}", "{\"a\":1,}", "{'a':1}"};
  uvow__vars_t vars;
  for (size_t i = 0; i < UVOW__COUNT(bad); i++)
    assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, bad[i]),
                     UVOW_EINVAL);
}

/* What a connection has picked is forgotten with it. */
TEST_CASE(are_picked) {
  uvow__vars_t vars;
  assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, "{\"a\":1}"), 0);
  assert_int_equal(uvow__vars_set(&vars, S("a"), S("2")), 0);
  assert_int_equal(uvow__vars_set(&vars, S("b"), S("3")), 0);
  expect(&vars, "a", "2");
  assert_int_equal(uvow__vars_set(&vars, S("a"), S("\"longer\"")), 0);
  expect(&vars, "a", "\"longer\"");
  assert_int_equal(vars.count, 3);
  uvow__vars_reset(&vars);
  expect(&vars, "a", "1");
  expect(&vars, "b", NULL);
  uvow__vars_done(&vars);
}

static void expect_missing(const char *name_of, const char *json,
                           const char *name, size_t at) {
  const uvow_protocol_t *protocol = uvow_protocol_by_name(name_of);
  size_t step = 99;
  uvow__vars_t vars;
  assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, json), 0);
  const char *missing =
      uvow__vars_missing(&vars, protocol->steps, protocol->step_count, &step);
  if (name)
    assert_string_equal(missing, name);
  else
    assert_null(missing);
  if (name)
    assert_int_equal(step, at);
  uvow__vars_done(&vars);
}

TEST_CASE(may_be_missing) {
  expect_missing("home_assistant", NULL, "token", 1);
  expect_missing("home_assistant", "{\"token\":\"T\"}", NULL, 0);
  expect_missing("wamp2", "{\"token\":\"T\"}", "realm", 0);
  expect_missing("lsp", NULL, "initialize", 0);
  expect_missing("obs5", NULL, NULL, 0); /* it's asked for by some only */
  expect_missing("graphql_transport_ws", NULL, NULL, 0);
  expect_missing("jsonrpc2", NULL, NULL, 0);
}

static void sweep(test_alloc_t *alloc, void *data) {
  uvow__vars_t vars;
  (void)data;
  if (uvow__vars_init(&vars, &alloc->allocator, "{\"a\":1,\"b\":[]}"))
    return;
  if (uvow__vars_set(&vars, S("b"), S("2")) == 0)
    expect(&vars, "b", "2");
  else
    expect(&vars, "b", "[]");
  if (uvow__vars_set(&vars, S("b"), S("3")) == 0)
    expect(&vars, "b", "3");
  uvow__vars_done(&vars);
}

TEST_CASE(survive_failures) {
  test_alloc_sweep(sweep, NULL);
}

TEST_MODULE(vars) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(are_read),         cmocka_unit_test(must_be_an_object),
      cmocka_unit_test(are_picked),       cmocka_unit_test(may_be_missing),
      cmocka_unit_test(survive_failures),
  };
  return cmocka_run_group_tests_name("protocol/vars", tests, NULL, NULL);
}
