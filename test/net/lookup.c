/* Names: who tries again gets the lookup that still runs. */
#include "net/lookup.h"

#include "support/script.h"

#include <stdio.h>

#include "net/connect.h"

#define ASKED_MAX 8

/* The resolver: what it was asked, and by whom. There's one at a time. */
typedef struct fixture {
  script_t s;
  uv_getaddrinfo_t *reqs[ASKED_MAX];
  uv_getaddrinfo_cb cb;
  char hosts[ASKED_MAX][16];
  size_t asked;
  int refuses; /* resolve's error, or 0 */
  int freed;   /* lists of addresses */
  int told;
  int status;
  struct addrinfo addresses;
} fixture_t;

static fixture_t *x;

static int resolve(uv_loop_t *uv, uv_getaddrinfo_t *req, uv_getaddrinfo_cb cb,
                   const char *host, const char *port,
                   const struct addrinfo *hints) {
  (void)uv;
  assert_true(x->asked < ASKED_MAX);
  assert_int_equal(hints->ai_socktype, SOCK_STREAM);
  snprintf(x->hosts[x->asked], sizeof(x->hosts[0]), "%s:%s", host, port);
  x->reqs[x->asked++] = req;
  x->cb = cb;
  return x->refuses;
}

static void free_addresses(struct addrinfo *at) {
  assert_ptr_equal(at, &x->addresses);
  x->freed++;
}

static const uvow__network_t network = {resolve, free_addresses, NULL};

static void on_done(void *ctx, int status, struct addrinfo *addresses) {
  assert_ptr_equal(ctx, x);
  x->told++;
  x->status = status;
  if (addresses)
    uvow__network_of(x->s.loop)->free_addresses(addresses);
}

static void start(void) {
  x = (fixture_t *)calloc(1, sizeof(*x));
  assert_non_null(x);
  script_init(&x->s);
  x->s.loop->network = &network;
}

static void end(void) {
  assert_null(x->s.loop->lookups);
  script_end(&x->s);
  free(x);
}

static uvow__lookup_t *begin(const char *host, uint16_t port) {
  uvow__lookup_t *lookup = NULL;
  assert_int_equal(
      uvow__lookup_begin(x->s.loop, host, port, on_done, x, &lookup), 0);
  return lookup;
}

/* The resolver is back with the i-th. */
static void back(size_t i, int status) {
  x->cb(x->reqs[i], status, status ? NULL : &x->addresses);
}

TEST_CASE(however_often_it_is_tried_one_runs) {
  start();
  for (int attempt = 0; attempt < 100; attempt++)
    uvow__lookup_cancel(begin("dead", 80));
  assert_int_equal(x->asked, 1);
  (void)begin("dead", 80);
  assert_int_equal(x->asked, 1);
  back(0, 0);
  assert_int_equal(x->told, 1);
  assert_int_equal(x->status, 0);
  assert_int_equal(x->freed, 1);
  end();
}

TEST_CASE(another_name_or_port_has_its_own) {
  start();
  uvow__lookup_cancel(begin("dead", 80));
  uvow__lookup_cancel(begin("other", 80));
  uvow__lookup_cancel(begin("dead", 81));
  assert_int_equal(x->asked, 3);
  assert_string_equal(x->hosts[2], "dead:81");
  (void)begin("other", 80);
  assert_int_equal(x->asked, 3);
  back(0, 0);
  back(2, UV_EAI_NONAME);
  assert_int_equal(x->told, 0);
  assert_int_equal(x->freed, 1);
  back(1, UV_EAI_NONAME);
  assert_int_equal(x->told, 1);
  assert_int_equal(x->status, UV_EAI_NONAME);
  end();
}

/* One that somebody waits for is nobody else's. */
TEST_CASE(two_at_once_are_two) {
  start();
  uvow__lookup_t *a = begin("h", 80);
  uvow__lookup_t *b = begin("h", 80);
  assert_int_equal(x->asked, 2);
  uvow__lookup_cancel(a);
  uvow__lookup_cancel(b);
  (void)begin("h", 80);
  (void)begin("h", 80);
  assert_int_equal(x->asked, 2);
  back(0, UV_EAI_AGAIN);
  back(1, 0);
  assert_int_equal(x->told, 2);
  end();
}

/* libuv's own resolver: what it hasn't begun is canceled there. */
TEST_CASE(what_waits_in_libuv_is_canceled) {
  start();
  x->s.loop->network = NULL;
  for (int i = 0; i < 20; i++)
    uvow__lookup_cancel(begin("localhost", 80));
  script_turns(&x->s);
  while (uv_loop_alive(&x->s.uv) && x->s.loop->streams)
    uv_run(&x->s.uv, UV_RUN_ONCE);
  assert_int_equal(x->told, 0);
  assert_int_equal(x->s.loop->streams, 0);
  end();
}

TEST_CASE(a_resolver_that_refuses_is_an_error) {
  uvow__lookup_t *lookup = NULL;
  start();
  x->refuses = UV_ENOMEM;
  assert_int_equal(uvow__lookup_begin(x->s.loop, "h", 80, on_done, x, &lookup),
                   UV_ENOMEM);
  assert_null(lookup);
  end();
}

/* The loop waits for one that is nobody's. */
TEST_CASE(it_outlives_whoever_asked) {
  start();
  uvow__lookup_cancel(begin("h", 80));
  assert_int_equal(x->s.loop->streams, 1);
  back(0, 0);
  assert_int_equal(x->s.loop->streams, 0);
  assert_int_equal(x->freed, 1);
  end();
}

TEST_MODULE(lookup) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(however_often_it_is_tried_one_runs),
      cmocka_unit_test(another_name_or_port_has_its_own),
      cmocka_unit_test(two_at_once_are_two),
      cmocka_unit_test(what_waits_in_libuv_is_canceled),
      cmocka_unit_test(a_resolver_that_refuses_is_an_error),
      cmocka_unit_test(it_outlives_whoever_asked),
  };
  return cmocka_run_group_tests_name("net/lookup", tests, NULL, NULL);
}
