/*
 * What a connection that nobody uses holds, at either end: the bytes of uvow's
 * allocator, and for wss those of OpenSSL too. A request was answered on each,
 * so what comes with the first message is there.
 */
#include "support/serve.h"
#include "support/tls_peer.h"

#include <stdio.h>

#include <signal.h>

#include <openssl/crypto.h>

#include <uvow/server.h>

#define COUNT 50
#define KIB 1024

/* OpenSSL's memory. */

typedef struct end {
  uv_loop_t uv;
  uvow_loop_t *loop;
  test_alloc_t alloc;
  uvow_tls_t *tls; /* NULL: it's plain ws */
  size_t *openssl; /* bytes of OpenSSL's that are out now */
} end_t;

/* Before a block of OpenSSL's. */
typedef union head {
  struct {
    size_t *account; /* of whom it's on; NULL: nobody's */
    size_t size;
  } of;
  max_align_t align;
} head_t;

static size_t *account; /* of whoever runs now */
/* A client's and a server's: what is OpenSSL's may outlive a loop. */
static size_t accounts[2];

static void give(void *ptr, const char *file, int line) {
  head_t *head = ptr ? (head_t *)ptr - 1 : NULL;
  (void)file;
  (void)line;
  if (head && head->of.account)
    *head->of.account -= head->of.size;
  free(head);
}

static void *resize(void *ptr, size_t size, const char *file, int line) {
  head_t *head = ptr ? (head_t *)ptr - 1 : NULL;
  size_t *old = head ? head->of.account : account;
  size_t old_size = head ? head->of.size : 0;
  if (size == 0)
    give(ptr, file, line);
  if (size == 0 || size > SIZE_MAX - sizeof(head_t))
    return NULL;
  head = (head_t *)realloc(head, sizeof(head_t) + size);
  if (!head)
    return NULL;
  if (old)
    *old += size - old_size;
  head->of.account = old;
  head->of.size = size;
  return head + 1;
}

static void *take(size_t size, const char *file, int line) {
  return resize(NULL, size, file, line);
}

/* Two ends, each on a loop of its own. */

typedef struct both {
  end_t client;
  end_t server;
  uvow_server_t *listening;
  uvow_peer_t *clients[COUNT + 1];
  uvow_deflate_options_t deflate;
  int with_deflate;
  char params[1000]; /* of the request: what is worth compressing */
  int answered;
} both_t;

static void run_turn(end_t *end) {
  account = end->openssl;
  uv_run(&end->uv, UV_RUN_NOWAIT);
  account = NULL;
}

static void run_both(both_t *both) {
  run_turn(&both->server);
  run_turn(&both->client);
}

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static void init_end(end_t *end, int is_server, int tls) {
  uvow_loop_options_t options = {.size = sizeof(options)};
  uvow_tls_options_t tls_of = tls_options(is_server);
  test_alloc_init_sized(&end->alloc);
  end->openssl = &accounts[is_server];
  options.allocator = &end->alloc.allocator;
  assert_int_equal(uv_loop_init(&end->uv), 0);
  end->loop = uvow_loop_new(&end->uv, &options);
  assert_non_null(end->loop);
  if (tls)
    assert_int_equal(uvow_tls_new(end->loop, &tls_of, &end->tls, NULL), 0);
}

static void done_end(end_t *end) {
  uvow_tls_unref(end->tls);
  uvow_loop_close(end->loop, NULL, NULL);
  account = end->openssl;
  uv_run(&end->uv, UV_RUN_DEFAULT);
  account = NULL;
  assert_int_equal(uv_loop_close(&end->uv), 0);
  assert_int_equal(end->alloc.live, 0);
}

static void init(both_t *both, int tls, int with_deflate) {
  test_serve_t options = test_serve_options();
  memset(both, 0, sizeof(*both));
  both->deflate.size = sizeof(both->deflate);
  both->with_deflate = with_deflate;
  memset(both->params, with_deflate ? '1' : ']', sizeof(both->params));
  both->params[0] = '[';
  both->params[sizeof(both->params) - 1] = ']';
  init_end(&both->client, 0, tls);
  init_end(&both->server, 1, tls);
  options.listener.tls = both->server.tls;
  options.listener.deflate = with_deflate ? &both->deflate : NULL;
  assert_int_equal(test_serve(both->server.loop, &options, &both->listening),
                   0);
  assert_int_equal(test_method(both->listening, "echo", echo, NULL), 0);
}

static void on_answer(const uvow_result_t *result, void *data) {
  if (result->error)
    fail_msg("%s", uvow_error_message(result->error));
  ((both_t *)data)->answered++;
}

/* A client that has had an answer. */
static void connect_one(both_t *both, int i) {
  char url[64];
  test_connect_t options =
      test_connect_options(uvow_protocol_by_name("jsonrpc2"));
  int before = both->answered;
  snprintf(url, sizeof(url), "%s://127.0.0.1:%u/",
           both->client.tls ? "wss" : "ws",
           (unsigned)uvow_server_port(both->listening));
  options.url = url;
  options.websocket.tls = both->client.tls;
  options.websocket.deflate = both->with_deflate ? &both->deflate : NULL;
  account = both->client.openssl;
  assert_int_equal(test_connect(both->client.loop, &options, &both->clients[i]),
                   0);
  account = NULL;
  assert_int_equal(
      uvow_future_done(uvow_peer_request(
                           both->clients[i], "echo",
                           uvow_value_slice(&(uvow_slice_t){
                               both->params,
                               both->with_deflate ? sizeof(both->params) : 2})),
                       on_answer, both),
      0);
  while (both->answered == before)
    run_both(both);
}

static void done(both_t *both) {
  for (int i = 0; i <= COUNT; i++)
    uvow_peer_unref(both->clients[i]);
  uvow_server_free(both->listening);
  done_end(&both->client);
  done_end(&both->server);
}

/* What an end holds for each of its connections, beside what the first one took
 * for all. */
typedef struct held {
  size_t uvow;
  size_t openssl;
} held_t;

static held_t held_since(const end_t *end, held_t before) {
  held_t held = {(end->alloc.bytes - before.uvow) / COUNT,
                 (*end->openssl - before.openssl) / COUNT};
  return held;
}

static void measure(int tls, int with_deflate, held_t *ret_client,
                    held_t *ret_server) {
  both_t both;
  init(&both, tls, with_deflate);
  connect_one(&both, 0);
  held_t client = {both.client.alloc.bytes, *both.client.openssl};
  held_t server = {both.server.alloc.bytes, *both.server.openssl};
  for (int i = 1; i <= COUNT; i++)
    connect_one(&both, i);
  for (int i = 0; i < 10; i++)
    run_both(&both);
  *ret_client = held_since(&both.client, client);
  *ret_server = held_since(&both.server, server);
  print_message(
      "# %s%s: a client %zu bytes and %zu of OpenSSL's, "
      "a server's peer %zu and %zu\n",
      tls ? "wss" : "ws", with_deflate ? " with deflate" : "", ret_client->uvow,
      ret_client->openssl, ret_server->uvow, ret_server->openssl);
  done(&both);
}

TEST_CASE(ws_is_small) {
  held_t client, server;
  measure(0, 0, &client, &server);
  assert_true(client.uvow <= 8 * KIB);
  assert_true(server.uvow <= 8 * KIB);
  assert_int_equal(client.openssl + server.openssl, 0);
}

TEST_CASE(wss_holds_what_openssl_needs) {
  held_t client, server;
  measure(1, 0, &client, &server);
  assert_true(client.uvow <= 8 * KIB);
  assert_true(server.uvow <= 8 * KIB);
  assert_true(client.openssl > 0 && client.openssl <= 64 * KIB);
  assert_true(server.openssl > 0 && server.openssl <= 64 * KIB);
}

/* As include/uvow/deflate.h states; the rest is that of ws, with capacity for a
 * longer message. */
TEST_CASE(deflate_holds_its_two_windows) {
  held_t client, server;
  for (int tls = 0; tls < 2; tls++) {
    measure(tls, 1, &client, &server);
    assert_true(client.uvow > 301 * KIB && client.uvow <= (301 + 12) * KIB);
    assert_true(server.uvow > 301 * KIB && server.uvow <= (301 + 12) * KIB);
  }
}

TEST_MODULE(idle) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ws_is_small),
      cmocka_unit_test(wss_holds_what_openssl_needs),
      cmocka_unit_test(deflate_holds_its_two_windows),
  };
#ifdef SIGPIPE
  signal(SIGPIPE, SIG_IGN);
#endif
  if (!CRYPTO_set_mem_functions(take, resize, give))
    return 1;
  return cmocka_run_group_tests_name("rpc/idle", tests, tls_setup,
                                     tls_teardown);
}
