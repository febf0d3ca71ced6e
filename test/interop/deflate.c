/*
 * permessage-deflate with node-ws, in both roles: what is agreed on, and that
 * everything comes back as it was sent.
 */
#include "support/interop.h"
#include "support/serve.h"

#include <stdio.h>

#define D "permessage-deflate"

typedef struct deflate_case {
  const char *peer; /* node-ws's options */
  uvow_deflate_options_t own;
  const char *agreed; /* what node-ws says of it */
} deflate_case_t;

#define OWN sizeof(uvow_deflate_options_t)

static const deflate_case_t clients[] = {
    {"true", {OWN, 0, 0, 0, 0, 0, 0, 0}, D "."},
    {"{\"threshold\":0}", {OWN, 1, 1, 0, 0, 0, 0, 0}, D "."},
    {"{\"threshold\":0}", {OWN, 9, 1, 1, 1, 0, 0, 0}, D "."},
    {"{\"threshold\":0}", {OWN, 0, 1, 0, 0, 9, 9, 0}, D "."},
    {"{\"threshold\":0}", {OWN, 0, 1, 0, 0, 12, 10, 0}, D "."},
    {"{\"threshold\":0,\"serverNoContextTakeover\":true,"
     "\"clientNoContextTakeover\":true,\"serverMaxWindowBits\":10,"
     "\"clientMaxWindowBits\":11}",
     {OWN, 0, 1, 0, 0, 0, 0, 0},
     D "."},
    {"{\"threshold\":0,\"clientMaxWindowBits\":8}",
     {OWN, 0, 1, 0, 0, 0, 0, 0},
     D "."},
    {"false", {OWN, 0, 0, 0, 0, 0, 0, 0}, "."},
};

static json_t *make_params(int i) {
  static const size_t sizes[] = {1, 30, 300, 3000, 70000, 200000};
  size_t size = sizes[i % 6];
  char *text = (char *)malloc(size + 1);
  uint32_t seed = (uint32_t)i;
  assert_non_null(text);
  for (size_t at = 0; at < size; at++) {
    seed = seed * 1664525 + 1013904223;
    text[at] = i % 2 ? "again and "[at % 10] : (char)('!' + (seed >> 24) % 90);
  }
  text[size] = '\0';
  json_t *params = json_pack("[s]", text);
  free(text);
  return params;
}

static void run_client(interop_t *it, const deflate_case_t *c) {
  enum { COUNT = 12 };
  char path[1024];
  char url[64];
  const char *args[] = {"node",
                        process_script("deflate.js", path, sizeof(path)),
                        "server", c->peer, NULL};
  answer_t *answers[COUNT];
  interop_run(it, args);
  interop_check_script(it);
  char *port = interop_expect_line(it, "port ");
  snprintf(url, sizeof(url), "ws://127.0.0.1:%s/", port);
  free(port);
  test_connect_t options =
      interop_options(it, url, uvow_protocol_by_name("jsonrpc2"));
  options.websocket.deflate = &c->own;
  interop_connect_with(it, &options);
  for (int i = 0; i < COUNT; i++)
    answers[i] = interop_ask(it, "echo", make_params(i));
  interop_wait_all(it);
  for (int i = 0; i < COUNT; i++) {
    json_t *params = make_params(i);
    assert_int_equal(answers[i]->code, 0);
    assert_int_equal(json_equal(answers[i]->json, params), 1);
    json_decref(params);
  }
  char *agreed = interop_expect_line(it, "agreed ");
  assert_string_equal(agreed, c->agreed);
  free(agreed);
  interop_finish(it);
}

static const deflate_case_t servers[] = {
    {"true", {OWN, 0, 0, 0, 0, 0, 0, 0}, D "."},
    {"{\"threshold\":0}", {OWN, 1, 1, 0, 0, 0, 0, 0}, D "."},
    {"{\"threshold\":0}", {OWN, 9, 1, 1, 1, 0, 0, 0}, D "."},
    {"{\"threshold\":0}", {OWN, 0, 1, 0, 0, 9, 9, 0}, D "."},
    {"{\"threshold\":0,\"clientMaxWindowBits\":12}",
     {OWN, 0, 1, 0, 0, 11, 0, 0},
     D "."},
    {"{\"threshold\":0,\"serverNoContextTakeover\":true,"
     "\"clientNoContextTakeover\":true,\"serverMaxWindowBits\":10,"
     "\"clientMaxWindowBits\":11}",
     {OWN, 0, 1, 0, 0, 0, 0, 0},
     D "."},
    {"{\"serverMaxWindowBits\":8}", {OWN, 0, 1, 0, 0, 0, 0, 0}, "."},
    {"false", {OWN, 0, 0, 0, 0, 0, 0, 0}, "."},
};

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static void run_server(interop_t *it, const deflate_case_t *c) {
  test_serve_t options = test_serve_options();
  uvow_server_t *server;
  char path[1024];
  char url[64];
  const char *args[] = {
      "node",   process_script("deflate.js", path, sizeof(path)),
      "client", c->peer,
      url,      NULL};
  options.listener.deflate = &c->own;
  assert_int_equal(test_serve(it->loop, &options, &server), 0);
  assert_int_equal(test_method(server, "echo", echo, NULL), 0);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(server));
  interop_run(it, args);
  interop_check_script(it);
  char *agreed = interop_expect_line(it, "agreed ");
  assert_string_equal(agreed, c->agreed);
  free(agreed);
  free(interop_expect_line(it, "passed"));
  uvow_server_free(server);
  interop_finish(it);
}

static void each_case(const deflate_case_t *cases, size_t count,
                      void (*run)(interop_t *it, const deflate_case_t *c)) {
  for (size_t i = 0; i < count; i++) {
    void *it = NULL;
    assert_int_equal(interop_setup(&it), 0);
    run((interop_t *)it, &cases[i]);
    assert_int_equal(interop_teardown(&it), 0);
  }
}

TEST_CASE(a_client_of_node_ws_with_all_terms) {
  each_case(clients, sizeof(clients) / sizeof(clients[0]), run_client);
}

TEST_CASE(a_server_for_node_ws_with_all_terms) {
  each_case(servers, sizeof(servers) / sizeof(servers[0]), run_server);
}

TEST_MODULE(deflate) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_client_of_node_ws_with_all_terms),
      cmocka_unit_test(a_server_for_node_ws_with_all_terms),
  };
  return cmocka_run_group_tests_name("interop/deflate", tests, NULL, NULL);
}
