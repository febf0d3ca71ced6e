/* Connecting: addresses that race, on a network and a clock of the test's. */
#include "net/connect.h"

#include "support/script.h"

#include <stdio.h>

#include "net/tcp.h"

#define TRIES 80

/* One connect that was asked for. */
typedef struct try {
  uv_connect_t *req;
  uv_tcp_t *handle;
  uv_connect_cb cb;
  char name[64];
}
try_t;

/* The network, and what came of connecting. There's one at a time. */
typedef struct fixture {
  script_t s;
  uvow__connector_t *connector;
  uv_getaddrinfo_t *resolve;
  uv_getaddrinfo_cb on_resolved;
  int refuses; /* resolve's error, or 0 */
  try_t tries[TRIES];
  size_t count;
  char refused[64]; /* connect fails at once for this one */
  int by_libuv;     /* connect is libuv's own */
  int lists;        /* of addresses, to be freed */
  int connected;
  int failed;
  uvow__socket_t *socket;
  uvow_error_t *error;
} fixture_t;

static fixture_t *x;

static int resolve(uv_loop_t *uv, uv_getaddrinfo_t *req, uv_getaddrinfo_cb cb,
                   const char *host, const char *port,
                   const struct addrinfo *hints) {
  (void)uv;
  assert_string_equal(host, "h.test");
  assert_string_equal(port, "81");
  assert_int_equal(hints->ai_socktype, SOCK_STREAM);
  x->resolve = req;
  x->on_resolved = cb;
  return x->refuses;
}

static void free_addresses(struct addrinfo *at) {
  x->lists--;
  while (at) {
    struct addrinfo *next = at->ai_next;
    free(at->ai_addr);
    free(at);
    at = next;
  }
}

static int plain_connect(uv_connect_t *req, uv_tcp_t *handle,
                         const struct sockaddr *address, uv_connect_cb cb) {
  assert_true(x->count < TRIES);
  try_t *try = &x->tries[x->count++];
  uv_ip_name(address, try->name, sizeof(try->name));
  try->req = req;
  try->handle = handle;
  try->cb = cb;
  if (strcmp(x->refused, try->name) == 0)
    return UV_ENETUNREACH;
  return x->by_libuv ? uv_tcp_connect(req, handle, address, cb) : 0;
}

static const uvow__network_t network = {resolve, free_addresses, plain_connect};

static struct addrinfo *address(const char *name, int port,
                                struct addrinfo *next) {
  struct addrinfo *at = (struct addrinfo *)calloc(1, sizeof(*at));
  struct sockaddr_storage *to =
      (struct sockaddr_storage *)calloc(1, sizeof(*to));
  assert_non_null(at);
  assert_non_null(to);
  at->ai_family = strchr(name, ':') ? AF_INET6 : AF_INET;
  if (at->ai_family == AF_INET6)
    assert_int_equal(uv_ip6_addr(name, port, (struct sockaddr_in6 *)to), 0);
  else
    assert_int_equal(uv_ip4_addr(name, port, (struct sockaddr_in *)to), 0);
  at->ai_addr = (struct sockaddr *)to;
  at->ai_next = next;
  return at;
}

static void on_connected(void *ctx, uvow__socket_t *socket) {
  assert_ptr_equal(ctx, x);
  x->connected++;
  x->socket = socket;
  x->connector = NULL;
}

static void on_failed(void *ctx, uvow_error_t *error) {
  assert_ptr_equal(ctx, x);
  x->failed++;
  x->error = error;
  x->connector = NULL;
}

static const uvow__connector_callbacks_t callbacks = {on_connected, on_failed};

static int begin_as(const char *path) {
  uvow__endpoint_t endpoint = {"h.test", 81, 0, path, 0};
  return uvow__connect_begin(x->s.loop, &endpoint, &callbacks, x,
                             &x->connector);
}

static void start(void) {
  x = (fixture_t *)calloc(1, sizeof(*x));
  assert_non_null(x);
  script_init(&x->s);
  script_drive_clock(&x->s);
  x->s.loop->network = &network;
}

static void begin(void) {
  start();
  assert_int_equal(begin_as(NULL), 0);
}

static void end(void) {
  if (x->connector)
    uvow__connect_cancel(x->connector);
  if (x->socket)
    uvow__socket_close(x->socket, NULL);
  uvow_error_unref(x->error);
  assert_true(x->connected + x->failed <= 1);
  script_end(&x->s);
  assert_int_equal(x->lists, 0);
  free(x);
}

/* The resolver answers: with these addresses, which a blank divides. */
static void resolved(int status, const char *names, int port) {
  struct addrinfo *first = NULL;
  size_t end_at = strlen(names);
  while (end_at) {
    char name[64];
    size_t at = end_at;
    while (at && names[at - 1] != ' ')
      at--;
    snprintf(name, sizeof(name), "%.*s", (int)(end_at - at), names + at);
    first = address(name, port, first);
    end_at = at ? at - 1 : 0;
  }
  x->lists += first != NULL;
  x->on_resolved(x->resolve, status, first);
}

/* An attempt ends. */
static void answer(size_t i, int status) {
  assert_true(i < x->count);
  x->tries[i].cb(x->tries[i].req, status);
}

/* All that were tried, in their order. */
static void expect_tries(const char *names) {
  char text[2048] = "";
  for (size_t i = 0; i < x->count; i++) {
    size_t len = strlen(text);
    snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
             x->tries[i].name);
  }
  assert_string_equal(text, names);
}

/* Such an error, with so many causes; each has its word. */
static void expect_error(const uvow_error_t *error, int code, size_t causes,
                         const char *const *words) {
  assert_int_equal(uvow_error_code(error), code);
  assert_int_equal(uvow_error_outcome(error), UVOW_OUTCOME_NONE);
  assert_int_equal(uvow_error_cause_count(error), causes);
  assert_non_null(strstr(uvow_error_message(error), "h.test"));
  for (size_t i = 0; i < causes; i++) {
    const char *text = uvow_error_message(uvow_error_nth_cause(error, i));
    if (!strstr(text, words[i]))
      fail_msg("'%s' is not in: %s", words[i], text);
  }
}

TEST_CASE(ipv6_goes_first_and_families_take_turns) {
  static const char *const lists[][2] = {
      {"10.0.0.1 10.0.0.2 10.0.0.3 fd00::1 fd00::2",
       "fd00::1 10.0.0.1 fd00::2 10.0.0.2 10.0.0.3"},
      {"10.0.0.1 fd00::1 fd00::2 fd00::3", "fd00::1 10.0.0.1 fd00::2 fd00::3"},
      {"10.0.0.2 10.0.0.1", "10.0.0.2 10.0.0.1"},
      {"fd00::2 fd00::1", "fd00::2 fd00::1"}};
  for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
    begin();
    resolved(0, lists[i][0], 81);
    for (size_t n = 0; !x->failed; n++)
      answer(n, UV_ECONNREFUSED);
    expect_tries(lists[i][1]);
    end();
  }
}

TEST_CASE(the_next_begins_250_ms_later) {
  begin();
  resolved(0, "10.0.0.1 fd00::1 fd00::2", 81);
  expect_tries("fd00::1");
  script_advance(&x->s, 248);
  expect_tries("fd00::1");
  script_advance(&x->s, 3);
  expect_tries("fd00::1 10.0.0.1");
  script_advance(&x->s, 248);
  expect_tries("fd00::1 10.0.0.1");
  script_advance(&x->s, 3);
  expect_tries("fd00::1 10.0.0.1 fd00::2");
  script_advance(&x->s, 60000);
  assert_int_equal(x->failed, 0); /* who waits has a limit, not we */
  end();
}

TEST_CASE(or_at_once_when_one_fails) {
  begin();
  resolved(0, "fd00::1 10.0.0.1 10.0.0.2 10.0.0.3", 81);
  script_advance(&x->s, 200);
  answer(0, UV_ECONNREFUSED);
  expect_tries("fd00::1 10.0.0.1");
  script_advance(&x->s, 200); /* the pause began anew */
  expect_tries("fd00::1 10.0.0.1");
  script_advance(&x->s, 51);
  expect_tries("fd00::1 10.0.0.1 10.0.0.2");
  answer(1, UV_ECONNREFUSED); /* not the latest, all the same */
  expect_tries("fd00::1 10.0.0.1 10.0.0.2 10.0.0.3");
  script_advance(&x->s, 1000);
  answer(3, UV_ECONNREFUSED);
  assert_int_equal(x->failed, 0); /* one is under way */
  answer(2, UV_ECONNRESET);
  assert_int_equal(x->failed, 1);
  end();
}

TEST_CASE(the_first_that_connects_wins) {
  for (size_t winner = 0; winner < 3; winner++) {
    begin();
    resolved(0, "fd00::1 10.0.0.1 10.0.0.2 10.0.0.3", 81);
    script_advance(&x->s, 251);
    script_advance(&x->s, 251);
    answer(winner, 0);
    assert_int_equal(x->connected, 1);
    assert_ptr_equal(&x->socket->handle.tcp, x->tries[winner].handle);
    for (size_t i = 0; i < 3; i++)
      assert_int_equal(uv_is_closing((uv_handle_t *)x->tries[i].handle) != 0,
                       i != winner);
    /* What libuv says of the others, later. */
    for (size_t i = 0; i < 3; i++)
      if (i != winner)
        answer(i, i ? UV_ECANCELED : 0);
    script_advance(&x->s, 1000);
    assert_int_equal(x->count, 3); /* no more are begun */
    end();
  }
}

TEST_CASE(every_failure_is_in_the_error) {
  static const char *const words[] = {
      "h.test (fd00::1) port 81: connection refused",
      "h.test (10.0.0.1) port 81: network is unreachable",
      "h.test (10.0.0.2) port 81: connection timed out"};
  begin();
  snprintf(x->refused, sizeof(x->refused), "10.0.0.1");
  resolved(0, "10.0.0.1 10.0.0.2 fd00::1", 81);
  script_advance(&x->s, 251); /* the second fails at once, the third begins */
  expect_tries("fd00::1 10.0.0.1 10.0.0.2");
  answer(2, UV_ETIMEDOUT);
  answer(0, UV_ECONNREFUSED);
  expect_error(x->error, UV_ETIMEDOUT, 3, words);
  end();
}

/* Where a machine has no IPv6, that isn't the news. */
TEST_CASE(a_peers_refusal_says_more_than_no_route) {
  static const char *const words[] = {"fd00::1", "10.0.0.1", "fd00::2",
                                      "fd00::3"};
  begin();
  resolved(0, "10.0.0.1 fd00::1 fd00::2 fd00::3", 81);
  answer(0, UV_ENETUNREACH);
  answer(1, UV_ECONNREFUSED);
  answer(2, UV_EADDRNOTAVAIL);
  answer(3, UV_EAFNOSUPPORT);
  expect_error(x->error, UV_ECONNREFUSED, 4, words);
  assert_non_null(strstr(uvow_error_message(x->error), "connection refused"));
  end();
  begin();
  resolved(0, "10.0.0.1 fd00::1", 81);
  answer(0, UV_EAFNOSUPPORT);
  answer(1, UV_ENETUNREACH);
  expect_error(x->error, UV_ENETUNREACH, 2, words);
  end();
}

TEST_CASE(one_address_is_one_error) {
  static const char message[] =
      "connect to h.test (10.0.0.1) port 81: connection refused";
  begin();
  resolved(0, "10.0.0.1", 81);
  answer(0, UV_ECONNREFUSED);
  expect_error(x->error, UV_ECONNREFUSED, 0, NULL);
  assert_string_equal(uvow_error_message(x->error), message);
  end();
}

TEST_CASE(a_name_that_is_none_says_so) {
  begin();
  resolved(UV_EAI_NONAME, "", 81);
  expect_error(x->error, UV_EAI_NONAME, 0, NULL);
  assert_non_null(strstr(uvow_error_message(x->error), "unknown node"));
  end();
  begin();
  resolved(0, "", 81);
  expect_error(x->error, UV_EAI_NODATA, 0, NULL);
  end();
  start();
  x->refuses = UV_ENOSYS;
  assert_int_equal(begin_as(NULL), UV_ENOSYS);
  end();
}

TEST_CASE(only_so_many_are_tried) {
  char names[1024] = "";
  for (int i = 0; i < 70; i++) {
    size_t len = strlen(names);
    snprintf(names + len, sizeof(names) - len, "%s10.0.0.%d", i ? " " : "", i);
  }
  begin();
  resolved(0, names, 81);
  for (size_t n = 0; !x->failed; n++)
    answer(n, UV_ECONNREFUSED);
  assert_int_equal(x->count, UVOW__CONNECT_ADDRESSES);
  assert_int_equal(uvow_error_cause_count(x->error), UVOW__CONNECT_ADDRESSES);
  assert_non_null(strstr(uvow_error_message(x->error), "no more are tried"));
  end();
}

/* What it says of itself while it's at it. */
TEST_CASE(its_trouble_is_told_at_any_time) {
  static const char *const words[] = {"(fd00::1) port 81: connection refused",
                                      "(10.0.0.1) port 81: no answer yet"};
  begin();
  uvow_error_t *trouble = uvow__connect_trouble(x->connector);
  expect_error(trouble, UV_ETIMEDOUT, 0, NULL);
  assert_non_null(strstr(uvow_error_message(trouble), "isn't known yet"));
  uvow_error_unref(trouble);
  resolved(0, "10.0.0.1 fd00::1 fd00::2", 81);
  answer(0, UV_ECONNREFUSED);
  trouble = uvow__connect_trouble(x->connector);
  expect_error(trouble, UV_ETIMEDOUT, 2, words);
  uvow_error_unref(trouble);
  end();
}

TEST_CASE(canceled_it_says_nothing) {
  for (int stage = 0; stage < 4; stage++) {
    begin();
    uvow__connector_t *connector = x->connector;
    x->connector = NULL;
    if (stage)
      resolved(0, "fd00::1 10.0.0.1 10.0.0.2", 81);
    if (stage > 1)
      script_advance(&x->s, 251);
    if (stage > 2)
      answer(0, UV_ECONNREFUSED);
    uvow__connect_cancel(connector);
    for (size_t i = stage > 2; i < x->count; i++)
      answer(i, UV_ECANCELED);
    script_turns(&x->s);
    if (stage == 0)
      resolved(0, "fd00::1 10.0.0.1", 81); /* the resolver can't be stopped */
    script_advance(&x->s, 1000);
    assert_int_equal(x->connected + x->failed, 0);
    assert_int_equal(x->count, stage == 0 ? 0 : stage < 2 ? 1 : stage);
    end();
  }
}

TEST_CASE(a_client_that_waits_too_long_says_for_what) {
  static const char *const words[] = {"(fd00::1) port 81: connection refused",
                                      "(10.0.0.1) port 81: no answer yet"};
  start();
  test_connect_t options = script_options(&x->s);
  options.url = "ws://h.test:81";
  options.websocket.connect_timeout_ms = 5000;
  assert_int_equal(test_connect(x->s.loop, &options, &x->s.client), 0);
  resolved(0, "10.0.0.1 fd00::1", 81);
  answer(0, UV_ECONNREFUSED);
  script_mark_t a = script_mark(&x->s, "a");
  script_call(&x->s, "m", &a);
  script_advance(&x->s, 4990);
  script_expect(&x->s, "");
  script_advance(&x->s, 20);
  script_expect(&x->s, "a!ETIMEDOUT:NOT");
  const uvow_error_t *error = x->s.client->life.why;
  assert_int_equal(uvow_error_code(error), UVOW_ETIMEDOUT);
  assert_non_null(strstr(uvow_error_message(error), "10.0.0.1"));
  expect_error(uvow_error_cause(error), UV_ETIMEDOUT, 2, words);
  end();
}

/* A listener of this address, and one who connects: by libuv. */
static void on_incoming(void *ctx, uvow__listener_t *listener) {
  (void)ctx;
  (void)listener;
}

static void on_unlistened(void *ctx) {
  (void)ctx;
}

static const uvow__listener_callbacks_t listener_callbacks = {on_incoming,
                                                              on_unlistened};

/* On one of two addresses somebody listens: that one it is. */
static void race_on_loopback(const char *host) {
  uvow__listener_t *listener;
  uint16_t port;
  start();
  x->by_libuv = 1;
  if (uvow__tcp_listen(x->s.loop, host, 0, &listener_callbacks, x, &listener)) {
    end();
    print_message("# skipped: no address %s here\n", host);
    skip();
  }
  assert_int_equal(uvow__listens_at(listener, &port), 0);
  assert_int_equal(begin_as(NULL), 0);
  resolved(0, "127.0.0.1 ::1", port);
  script_until(&x->s, &x->connected);
  assert_string_equal(x->tries[x->count - 1].name, host);
  uvow__unlisten(listener);
  end();
}

TEST_CASE(ipv4_is_reached_where_ipv6_refuses) {
  race_on_loopback("127.0.0.1");
}

TEST_CASE(ipv6_is_reached) {
  race_on_loopback("::1");
}

static void connect_with(test_alloc_t *alloc, void *data) {
  (void)data;
  x = (fixture_t *)calloc(1, sizeof(*x));
  assert_non_null(x);
  script_init_with(&x->s, alloc);
  if (x->s.loop) {
    script_drive_clock(&x->s);
    x->s.loop->network = &network;
    if (begin_as(NULL) == 0) {
      resolved(0, "fd00::1 10.0.0.1 10.0.0.2", 81);
      if (x->connector)
        uvow_error_unref(uvow__connect_trouble(x->connector));
      size_t n = 0;
      while (!x->failed && n < x->count)
        answer(n++, UV_ECONNREFUSED);
      assert_int_equal(x->failed, 1);
      assert_non_null(x->error);
      uvow_error_unref(x->error);
    }
  }
  script_quit(&x->s);
  assert_int_equal(x->lists, 0);
  free(x);
}

TEST_CASE(without_memory_it_fails_in_order) {
  test_alloc_sweep(connect_with, NULL);
}

/* An address is tried at once: no resolver is asked, whose queue may be long. */
TEST_CASE(addresses_are_not_looked_up) {
  static const char *const hosts[] = {"192.0.2.1", "2001:db8::1"};
  for (size_t i = 0; i < 2; i++) {
    start();
    uvow__endpoint_t endpoint = {hosts[i], 81, 0, NULL, 0};
    assert_int_equal(
        uvow__connect_begin(x->s.loop, &endpoint, &callbacks, x, &x->connector),
        0);
    script_turns(&x->s);
    assert_null(x->resolve);
    assert_int_equal(x->count, 1);
    assert_string_equal(x->tries[0].name, hosts[i]);
    end();
  }
}

TEST_MODULE(connect) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(addresses_are_not_looked_up),
      cmocka_unit_test(ipv6_goes_first_and_families_take_turns),
      cmocka_unit_test(the_next_begins_250_ms_later),
      cmocka_unit_test(or_at_once_when_one_fails),
      cmocka_unit_test(the_first_that_connects_wins),
      cmocka_unit_test(every_failure_is_in_the_error),
      cmocka_unit_test(a_peers_refusal_says_more_than_no_route),
      cmocka_unit_test(one_address_is_one_error),
      cmocka_unit_test(a_name_that_is_none_says_so),
      cmocka_unit_test(only_so_many_are_tried),
      cmocka_unit_test(its_trouble_is_told_at_any_time),
      cmocka_unit_test(canceled_it_says_nothing),
      cmocka_unit_test(a_client_that_waits_too_long_says_for_what),
      cmocka_unit_test(ipv4_is_reached_where_ipv6_refuses),
      cmocka_unit_test(ipv6_is_reached),
      cmocka_unit_test(without_memory_it_fails_in_order),
  };
  return cmocka_run_group_tests_name("net/connect", tests, NULL, NULL);
}
