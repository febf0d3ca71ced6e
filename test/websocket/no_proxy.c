/* NO_PROXY's rules, as a table. */
#include "websocket/no_proxy.h"

#include "support/support.h"

typedef struct sample {
  const char *list;
  const char *host;
  uint16_t port;
  int matches;
} sample_t;

static const sample_t samples[] = {
    {"", "h", 80, 0},
    {" , ,\t", "h", 80, 0},
    {"*", "h", 80, 1},
    {"*", "::1", 80, 1},
    {"a,*", "h", 80, 1},
    {"*:81", "h", 80, 0},
    {"*:80", "h", 80, 1},
    /* names */
    {"example.com", "example.com", 80, 1},
    {"example.com", "www.example.com", 80, 1},
    {"example.com", "a.b.example.com", 80, 1},
    {"example.com", "notexample.com", 80, 0},
    {"example.com", "example.com.org", 80, 0},
    {"example.com", "com", 80, 0},
    {"www.example.com", "example.com", 80, 0},
    {".example.com", "example.com", 80, 1},
    {".example.com", "www.example.com", 80, 1},
    {".example.com", "notexample.com", 80, 0},
    {"*.example.com", "www.example.com", 80, 1},
    {"*.example.com", "example.com", 80, 1},
    {"*example.com", "example.com", 80, 0},
    {"*.", "h", 80, 0},
    {".", "h", 80, 0},
    {"..", "h", 80, 0},
    {"EXAMPLE.com", "example.com", 80, 1},
    {"example.com.", "example.com", 80, 1},
    {"example.com", "example.com.", 80, 1},
    {"localhost", "localhost", 80, 1},
    {"local", "localhost", 80, 0},
    {"host", "localhost", 80, 0},
    /* lists */
    {"a,b,c", "b", 80, 1},
    {"a, b , c", "b", 80, 1},
    {"a b\tc", "c", 80, 1},
    {",,a,", "a", 80, 1},
    {"a,b,c", "d", 80, 0},
    {"a,b,c", "bc", 80, 0},
    /* ports */
    {"h:80", "h", 80, 1},
    {"h:80", "h", 81, 0},
    {"h:80", "x.h", 80, 1},
    {".h:80", "x.h", 80, 1},
    {"h:", "h", 80, 0},
    {"h:x", "h", 80, 0},
    {"h:080", "h", 80, 0},
    {"h:65616", "h", 80, 0},
    {":80", "h", 80, 0},
    {"h:81,h:80", "h", 80, 1},
    /* addresses */
    {"127.0.0.1", "127.0.0.1", 80, 1},
    {"127.0.0.1", "127.0.0.2", 80, 0},
    {"127.0.0.1:80", "127.0.0.1", 80, 1},
    {"127.0.0.1:81", "127.0.0.1", 80, 0},
    {"0.1", "127.0.0.1", 80, 0},
    {".0.0.1", "127.0.0.1", 80, 0},
    {"127.0.0.1", "x.127.0.0.1", 80, 1}, /* a name, odd as it is */
    {"127.0.0.1", "localhost", 80, 0},
    {"localhost", "127.0.0.1", 80, 0},
    {"::1", "::1", 80, 1},
    {"[::1]", "::1", 80, 1},
    {"[::1]:80", "::1", 80, 1},
    {"[::1]:81", "::1", 80, 0},
    {"[::1]80", "::1", 80, 0},
    {"[::1", "::1", 80, 0},
    {"[]", "::1", 80, 0},
    {"[", "::1", 80, 0},
    {"0:0:0:0:0:0:0:1", "::1", 80, 1},
    {"FD00::A", "fd00::a", 80, 1},
    {"::2", "::1", 80, 0},
    {"127.0.0.1", "::1", 80, 0},
    {"::ffff:127.0.0.1", "127.0.0.1", 80, 0},
    {"::", "0.0.0.0", 80, 0},
    /* nets */
    {"10.0.0.0/8", "10.1.2.3", 80, 1},
    {"10.0.0.0/8", "11.1.2.3", 80, 0},
    {"10.0.0.0/8:80", "10.1.2.3", 80, 1},
    {"10.0.0.0/8:81", "10.1.2.3", 80, 0},
    {"192.168.0.0/23", "192.168.1.255", 80, 1},
    {"192.168.0.0/23", "192.168.2.0", 80, 0},
    {"192.168.7.1/32", "192.168.7.1", 80, 1},
    {"192.168.7.1/32", "192.168.7.0", 80, 0},
    {"1.2.3.4/0", "9.9.9.9", 80, 1},
    {"1.2.3.4/33", "1.2.3.4", 80, 0},
    {"1.2.3.4/", "1.2.3.4", 80, 0},
    {"1.2.3.4/x", "1.2.3.4", 80, 0},
    {"/8", "10.1.2.3", 80, 0},
    {"fd00::/8", "fdab::1", 80, 1},
    {"fd00::/8", "fe80::1", 80, 0},
    {"[fd00::/8]:80", "fdab::1", 80, 1},
    {"fd00::/9", "fd80::1", 80, 0},
    {"::/0", "fd80::1", 80, 1},
    {"::/129", "::1", 80, 0},
    {"10.0.0.0/8", "::1", 80, 0},
};

TEST_CASE(the_table_holds) {
  for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
    const sample_t *s = &samples[i];
    /* A copy with nothing behind it: an over-read is seen. */
    size_t len = strlen(s->list) + 1;
    char *list = (char *)malloc(len);
    assert_non_null(list);
    memcpy(list, s->list, len);
    if (uvow__no_proxy(list, s->host, s->port) != s->matches)
      fail_msg("'%s' and %s:%u", s->list, s->host, (unsigned)s->port);
    free(list);
  }
}

TEST_CASE(long_members_match_nothing) {
  char list[600];
  memset(list, 'a', sizeof(list));
  list[sizeof(list) - 1] = '\0';
  assert_int_equal(uvow__no_proxy(list, list, 80), 0);
  assert_int_equal(uvow__no_proxy(list, "a", 80), 0);
  assert_int_equal(uvow__no_proxy(list, "::1", 80), 0);
  list[300] = ',';
  list[301] = 'h';
  list[302] = '\0';
  assert_int_equal(uvow__no_proxy(list, "h", 80), 1);
}

TEST_MODULE(no_proxy) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_table_holds),
      cmocka_unit_test(long_members_match_nothing),
  };
  return cmocka_run_group_tests_name("websocket/no_proxy", tests, NULL, NULL);
}
