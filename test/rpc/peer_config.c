#include "rpc/peer_config.h"

#include <stdio.h>

#include <uvow/methods.h>
#include <uvow/peer.h>
#include <uvow/protocol.h>

#include "net/loop.h"
#include "protocol/dialect.h"

#include "support/script.h"

#define MIB ((size_t)1024 * 1024)

static uvow_peer_options_t options_of(const char *protocol) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_by_name(protocol);
  return options;
}

/* Why these can't be a client's, or a server's. */
static const char *fault_of(const uvow_peer_options_t *options, int is_server,
                            uvow__peer_fault_t *fault) {
  uvow_peer_options_t own;
  return uvow__peer_options_fault(&options, &own, is_server, fault);
}

static void expect_fault(const uvow_peer_options_t *options, int is_server,
                         const char *part) {
  uvow__peer_fault_t fault;
  const char *why = fault_of(options, is_server, &fault);
  assert_non_null(why);
  assert_ptr_equal(why, fault.why);
  if (!strstr(why, part))
    fail_msg("\"%s\" isn't in \"%s\"", part, why);
}

TEST_CASE(what_is_left_out_has_its_default) {
  script_t s;
  script_init(&s);
  uvow_peer_options_t options = options_of("jsonrpc2");
  uvow__peer_config_t *config = uvow__peer_config_new(s.loop, &options);
  const uvow_peer_options_t *own = &config->options;
  assert_int_equal(own->timeout_ms, 30000);
  assert_int_equal(own->close_timeout_ms, 5000);
  assert_int_equal(own->stall_ms, 30000);
  assert_int_equal(own->max_pending, 4194304);
  assert_int_equal(own->max_in_flight, 4194304);
  assert_int_equal(own->max_queued, 4194304);
  assert_int_equal(own->max_calls, 65536);
  assert_int_equal(own->max_call_bytes, 32 * MIB);
  assert_int_equal(own->max_unsent_bytes, 64 * MIB);
  assert_int_equal(own->max_batch, 0);
  assert_null(config->trace.on_message);
  uvow__peer_config_unref(config, s.loop);
  script_end(&s);
}

TEST_CASE(what_is_said_is_kept) {
  script_t s;
  script_init(&s);
  uvow_peer_options_t options = options_of("jsonrpc2");
  options.timeout_ms = 1;
  options.max_pending = 100;
  options.max_queued = 7;
  options.max_batch = (size_t)UVOW__BATCH_MAX + 1;
  uvow__peer_config_t *config = uvow__peer_config_new(s.loop, &options);
  assert_int_equal(config->options.timeout_ms, 1);
  assert_int_equal(config->options.max_pending, 100);
  assert_int_equal(config->options.max_in_flight, 100); /* as many as pend */
  assert_int_equal(config->options.max_queued, 7);
  assert_int_equal(config->options.max_batch, UVOW__BATCH_MAX);
  uvow__peer_config_unref(config, s.loop);
  uvow__peer_config_unref(NULL, s.loop);
  script_end(&s);
}

/* Nothing that the caller frees is looked at later. */
TEST_CASE(texts_and_traces_are_copied) {
  script_t s;
  script_init(&s);
  char vars[] = "{\"a\":1}";
  uvow_trace_t trace = {.size = sizeof(trace), .data = &s};
  uvow_peer_options_t options = options_of("jsonrpc2");
  options.vars = vars;
  options.trace = &trace;
  uvow__peer_config_t *config = uvow__peer_config_new(s.loop, &options);
  memset(vars, 'x', sizeof(vars) - 1);
  memset(&trace, 0, sizeof(trace));
  assert_string_equal(config->options.vars, "{\"a\":1}");
  assert_ptr_equal(config->trace.data, &s);
  uvow__peer_config_unref(config, s.loop);
  script_end(&s);
}

TEST_CASE(the_last_owner_frees_it) {
  script_t s;
  script_init(&s);
  uvow_peer_options_t options = options_of("jsonrpc2");
  uvow__peer_config_t *config = uvow__peer_config_new(s.loop, &options);
  config->refs++;
  uvow__peer_config_unref(config, s.loop);
  assert_int_equal(config->refs, 1);
  uvow__peer_config_unref(config, s.loop); /* the sanitizers look */
  script_end(&s);
}

TEST_CASE(faults_name_the_option) {
  uvow_peer_options_t options = options_of("jsonrpc2");
  uvow__peer_fault_t fault;
  assert_null(fault_of(&options, 0, &fault));
  assert_null(fault_of(&options, 1, &fault));
  expect_fault(NULL, 0, "no options");
  options.protocol = NULL;
  expect_fault(&options, 0, "options.protocol");
  options = options_of("jsonrpc2");
  options.size = 3;
  expect_fault(&options, 0, "options ");
  options = options_of("jsonrpc2");
  options.vars = "[1]";
  expect_fault(&options, 0, "options.vars");
  options = options_of("callback_id");
  options.max_batch = 2;
  expect_fault(&options, 0, "options.max_batch");
  uvow_trace_t trace = {.size = 1};
  options = options_of("jsonrpc2");
  options.trace = &trace;
  expect_fault(&options, 0, "options.trace");
  uvow_reconnect_options_t reconnect = {.size = 1};
  options = options_of("jsonrpc2");
  options.reconnect = &reconnect;
  expect_fault(&options, 0, "options.reconnect");
}

/* Opening steps need variables, of the end that takes them. */
TEST_CASE(a_variable_that_lacks_is_named) {
  uvow_peer_options_t options = options_of("home_assistant");
  uvow__peer_fault_t fault;
  expect_fault(&options, 0, "token");
  options.vars = "{\"token\":\"t\"}";
  assert_null(fault_of(&options, 0, &fault));
}

/* What another version of the header made is read as far as it goes. */
TEST_CASE(shorter_options_are_read_into_own) {
  uvow_peer_options_t given = options_of("jsonrpc2");
  const uvow_peer_options_t *options = &given;
  uvow_peer_options_t own;
  uvow__peer_fault_t fault;
  given.timeout_ms = 5;
  given.size = offsetof(uvow_peer_options_t, protocol) + sizeof(void *);
  assert_null(uvow__peer_options_fault(&options, &own, 0, &fault));
  assert_ptr_equal(options, &own);
  assert_ptr_equal(own.protocol, given.protocol);
  assert_int_equal(own.timeout_ms, 0); /* it is behind the end */
}

TEST_CASE(the_loop_has_the_sentence) {
  script_t s;
  script_init(&s);
  uvow__peer_fault_t fault = {"options.vars is not a JSON object", ""};
  assert_int_equal(uvow__peer_options_fail(s.loop, &fault), UVOW_EINVAL);
  assert_non_null(strstr(uvow_error_message(uvow_loop_error(s.loop)),
                         "options.vars is not a JSON object"));
  assert_int_equal(uvow__peer_options_fail(NULL, &fault), UVOW_EINVAL);
  script_end(&s);
}

static void make(test_alloc_t *alloc, void *data) {
  uv_loop_t uv;
  assert_int_equal(uv_loop_init(&uv), 0);
  uvow_loop_options_t with = {.size = sizeof(with),
                              .allocator = &alloc->allocator};
  uvow_loop_t *loop = uvow_loop_new(&uv, &with);
  if (loop) {
    uvow__peer_config_t *config =
        uvow__peer_config_new(loop, (const uvow_peer_options_t *)data);
    assert_true(config || alloc->failed);
    uvow__peer_config_unref(config, loop);
    uvow_loop_close(loop, NULL, NULL);
    uv_run(&uv, UV_RUN_DEFAULT);
  }
  assert_int_equal(uv_loop_close(&uv), 0);
}

TEST_CASE(without_memory_there_is_none) {
  uvow_peer_options_t options = options_of("jsonrpc2");
  options.vars = "{\"a\":1}";
  test_alloc_sweep(make, &options);
}

TEST_MODULE(peer_config) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_left_out_has_its_default),
      cmocka_unit_test(what_is_said_is_kept),
      cmocka_unit_test(texts_and_traces_are_copied),
      cmocka_unit_test(the_last_owner_frees_it),
      cmocka_unit_test(faults_name_the_option),
      cmocka_unit_test(a_variable_that_lacks_is_named),
      cmocka_unit_test(shorter_options_are_read_into_own),
      cmocka_unit_test(the_loop_has_the_sentence),
      cmocka_unit_test(without_memory_there_is_none),
  };
  return cmocka_run_group_tests_name("rpc/peer_config", tests, NULL, NULL);
}
