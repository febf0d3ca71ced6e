/* Which proxy leads where: options and the environment. */
#include "websocket/proxy.h"

#include "support/support.h"

#include <uv.h>

#include <uvow/error.h>

static const char *const names[] = {
    "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",   "all_proxy",
    "ALL_PROXY",  "no_proxy",   "NO_PROXY",    "REQUEST_METHOD"};

/* The environment as it was: taken away for the test, and given back. */
static char *before[sizeof(names) / sizeof(names[0])];

static int setup(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    const char *value = getenv(names[i]);
    before[i] = value ? strdup(value) : NULL;
    uv_os_unsetenv(names[i]);
  }
  return 0;
}

static int teardown(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    uv_os_unsetenv(names[i]);
    if (before[i])
      uv_os_setenv(names[i], before[i]);
    free(before[i]);
  }
  return 0;
}

static const uvow__proxy_t *choose(const uvow__proxies_t *proxies,
                                   const char *text) {
  uvow__url_t url;
  assert_int_equal(
      uvow__url_parse(&uvow__mem_default, text, strlen(text), &url), 0);
  const uvow__proxy_t *proxy = uvow__proxies_choose(proxies, &url);
  uvow__url_done(&url);
  return proxy;
}

/* This URL goes through the proxy of this authority; NULL: through none. */
static void expect(const char *option, int from_environment, const char *url,
                   const char *authority) {
  uvow__proxies_t proxies = {0};
  assert_int_equal(uvow__proxies_init(&proxies, &uvow__mem_default, option,
                                      from_environment),
                   0);
  const uvow__proxy_t *proxy = choose(&proxies, url);
  if (authority) {
    assert_non_null(proxy);
    assert_int_equal(proxy->code, 0);
    assert_string_equal(proxy->url.authority, authority);
  } else {
    assert_null(proxy);
  }
  uvow__proxies_done(&proxies, &uvow__mem_default);
}

typedef struct good {
  const char *text;
  const char *host;
  uint16_t port;
  const char *user;
  const char *password;
} good_t;

static void check_text(const char *is, const char *expected) {
  if (expected)
    assert_string_equal(is, expected);
  else
    assert_null(is);
}

TEST_CASE(a_proxy_has_a_url) {
  static const good_t goods[] = {{"http://p", "p", 80, NULL, NULL},
                                 {"HTTP://P:3128/", "p", 3128, NULL, NULL},
                                 {"p:3128", "p", 3128, NULL, NULL},
                                 {"p", "p", 80, NULL, NULL},
                                 {"127.0.0.1:1", "127.0.0.1", 1, NULL, NULL},
                                 {"[::1]:8080", "::1", 8080, NULL, NULL},
                                 {"http://u:p%40:x@p:1", "p", 1, "u", "p@:x"},
                                 {"u:secret@p", "p", 80, "u", "secret"},
                                 {"u@p/", "p", 80, "u", NULL}};
  for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
    uvow__proxies_t proxies = {0};
    assert_int_equal(
        uvow__proxies_init(&proxies, &uvow__mem_default, goods[i].text, 0), 0);
    const uvow__proxy_t *proxy = choose(&proxies, "wss://h");
    assert_non_null(proxy);
    assert_string_equal(proxy->url.host, goods[i].host);
    assert_int_equal(proxy->url.port, goods[i].port);
    check_text(proxy->url.user, goods[i].user);
    check_text(proxy->url.password, goods[i].password);
    uvow__proxies_done(&proxies, &uvow__mem_default);
  }
}

TEST_CASE(what_is_none_is_refused) {
  static char big[UVOW__URL_MAX + 8];
  static const char *const bads[] = {" ",
                                     "https://p",
                                     "socks5://p:1",
                                     "socks5h://p",
                                     "ws://p",
                                     "http://",
                                     "http://p:0",
                                     "http://p:99999",
                                     "http://p/x",
                                     "http://p?x",
                                     "http://p#f",
                                     "http://u%3Ax:p@h",
                                     "http:p",
                                     "://p",
                                     "http://p\r\nX:",
                                     "http://u%0a@h",
                                     "/p",
                                     "http://p:80:",
                                     "p q",
                                     big};
  memset(big, 'p', sizeof(big) - 1);
  for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
    uvow__proxies_t proxies = {0};
    int rc = uvow__proxies_init(&proxies, &uvow__mem_default, bads[i], 0);
    if (rc != UVOW_EINVAL)
      fail_msg("taken: %s", bads[i]);
    uvow__proxies_done(&proxies, &uvow__mem_default);
  }
}

TEST_CASE(the_environment_is_read_on_request_only) {
  uv_os_setenv("http_proxy", "http://e:1");
  expect(NULL, 0, "ws://h", NULL);
  expect(NULL, 1, "ws://h", "e:1");
  expect("http://o:2", 0, "ws://h", "o:2");
  expect("http://o:2", 1, "ws://h", "o:2");
  expect("", 1, "ws://h", NULL);
}

TEST_CASE(each_scheme_has_its_variable) {
  uv_os_setenv("ALL_PROXY", "a:1");
  expect(NULL, 1, "ws://h", "a:1");
  expect(NULL, 1, "wss://h", "a:1");
  uv_os_setenv("all_proxy", "a:2");
  expect(NULL, 1, "ws://h", "a:2");
  uv_os_setenv("HTTP_PROXY", "p:1");
  expect(NULL, 1, "ws://h", "p:1");
  expect(NULL, 1, "wss://h", "a:2");
  uv_os_setenv("http_proxy", "p:2");
  expect(NULL, 1, "ws://h", "p:2");
  uv_os_setenv("HTTPS_PROXY", "s:1");
  expect(NULL, 1, "wss://h", "s:1");
  uv_os_setenv("https_proxy", "s:2");
  expect(NULL, 1, "wss://h", "s:2");
  expect(NULL, 1, "ws://h", "p:2");
  uv_os_setenv("https_proxy", ""); /* as if it weren't set */
  expect(NULL, 1, "wss://h", "s:1");
  expect(NULL, 1, "ws+unix:///h", NULL);
}

/* CVE-2016-5385: a request's header Proxy becomes HTTP_PROXY. */
TEST_CASE(a_cgi_program_is_not_fooled) {
  uv_os_setenv("HTTP_PROXY", "evil:1");
  uv_os_setenv("REQUEST_METHOD", "GET");
  expect(NULL, 1, "ws://h", NULL);
  uv_os_setenv("http_proxy", "good:1");
  expect(NULL, 1, "ws://h", "good:1");
}

TEST_CASE(no_proxy_lets_hosts_be_reached_without) {
  uv_os_setenv("all_proxy", "a:1");
  uv_os_setenv("NO_PROXY", "x.test");
  expect(NULL, 1, "ws://x.test", NULL);
  expect(NULL, 1, "wss://y.test", "a:1");
  uv_os_setenv("no_proxy", "y.test:443,[::1]:80");
  expect(NULL, 1, "ws://x.test", "a:1");
  expect(NULL, 1, "wss://y.test", NULL);
  expect(NULL, 1, "ws://y.test", "a:1");
  expect(NULL, 1, "ws://[::1]", NULL);
  expect("o:1", 1, "wss://y.test",
         "o:1"); /* the environment's are for its own */
}

TEST_CASE(a_wrong_one_matters_when_it_is_needed) {
  uvow__proxies_t proxies = {0};
  uv_os_setenv("all_proxy", "socks5://s:1");
  uv_os_setenv("http_proxy", "p:1");
  uv_os_setenv("no_proxy", "x.test");
  assert_int_equal(uvow__proxies_init(&proxies, &uvow__mem_default, NULL, 1),
                   0);
  assert_int_equal(choose(&proxies, "ws://h")->code, 0);
  assert_int_equal(choose(&proxies, "wss://h")->code, UVOW_ESCHEME);
  assert_null(choose(&proxies, "wss://x.test"));
  uvow__proxies_done(&proxies, &uvow__mem_default);
}

static void take(test_alloc_t *alloc, void *data) {
  uvow__proxies_t proxies = {0};
  int rc = uvow__proxies_init(&proxies, &alloc->allocator, (const char *)data,
                              data == NULL);
  assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
  uvow__proxies_done(&proxies, &alloc->allocator);
}

TEST_CASE(it_survives_no_memory) {
  char text[] = "http://u:p@h:1";
  uv_os_setenv("http_proxy", "http://u:p@h:1");
  uv_os_setenv("HTTPS_PROXY", "s:1");
  uv_os_setenv("all_proxy", "socks5://s:1");
  uv_os_setenv("no_proxy", "x.test");
  uv_os_setenv("REQUEST_METHOD", "GET");
  test_alloc_sweep(take, NULL);
  test_alloc_sweep(take, text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

TEST_MODULE(proxy) {
  const struct CMUnitTest tests[] = {
      TEST(a_proxy_has_a_url),
      TEST(what_is_none_is_refused),
      TEST(the_environment_is_read_on_request_only),
      TEST(each_scheme_has_its_variable),
      TEST(a_cgi_program_is_not_fooled),
      TEST(no_proxy_lets_hosts_be_reached_without),
      TEST(a_wrong_one_matters_when_it_is_needed),
      TEST(it_survives_no_memory),
  };
  return cmocka_run_group_tests_name("websocket/proxy", tests, NULL, NULL);
}
