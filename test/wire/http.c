/* The head parser: what it reads, what it refuses, and its limits. Every input
 * also comes byte by byte, and split in two at every place. */
#include "support/support.h"

#include <stdio.h>

#include <uvow/error.h>

#include "base/mem.h"
#include "wire/http.h"

#define Q UVOW__HTTP_REQUEST
#define R UVOW__HTTP_RESPONSE
#define T UVOW__HTTP_TUNNEL

typedef struct outcome {
  int rc;
  size_t used;
  char dump[1024];
} outcome_t;

typedef struct sample {
  uvow__http_role_t role;
  const char *text;
  const char *dump; /* NULL: rc alone is told */
  int rc;
} sample_t;

/* role, head, "METHOD|TARGET|STATUS|REASON" and "|NAME=VALUE" per field */
static const sample_t samples[] = {
    {Q, "GET / HTTP/1.1\r\n\r\n", "GET|/|0|", 0},
    {Q, "GET /a?b=c%20 HTTP/1.1\r\nHost: h\r\nX:y\r\n\r\n",
     "GET|/a?b=c%20|0||Host=h|X=y", 0},
    {Q, "x!#$%&'*+-.^_`|~9 * HTTP/1.1\r\n\r\n", "x!#$%&'*+-.^_`|~9|*|0|", 0},
    {Q, "GET / HTTP/1.1\r\nA: \t b \t c\t \r\nB:\r\nC:  \r\n\r\n",
     "GET|/|0||A=b \t c|B=|C=", 0},
    {Q, "GET / HTTP/1.1\r\nA: b:c\r\na: \xc3\xa9\r\n\r\n",
     "GET|/|0||A=b:c|a=\xc3\xa9", 0},
    {R, "HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n",
     "||101|Switching Protocols|A=b", 0},
    {R, "HTTP/1.1 101 \r\n\r\n", "||101|", 0},
    {R, "HTTP/1.1 101\r\n\r\n", "||101|", 0},
    {R, "HTTP/1.1 999  \xe9t\t\xe9 \r\n\r\n", "||999| \xe9t\t\xe9 ", 0},
    {R, "HTTP/1.1 100 x\r\n\r\n", "||100|x", 0},
    {T, "HTTP/1.0 200 OK\r\n\r\n", "||200|OK", 0},
    {T, "HTTP/1.1 407\r\nA: b\r\n\r\n", "||407||A=b", 0},
    /* empty lines before a request: RFC 9112 2.2 */
    {Q, "\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n", "GET|/|0||A=b", 0},
    {Q, "\r\n\r\n\r\n\r\nGET /a HTTP/1.1\r\n\r\n", "GET|/a|0|", 0},
    /* not complete */
    {Q, "\r\n\r", NULL, UVOW__HTTP_MORE},
    {Q, "", NULL, UVOW__HTTP_MORE},
    {Q, "GET / HTTP/1.1\r\nA: b\r\n\r", NULL, UVOW__HTTP_MORE},
    {R, "HTTP/1.1 101 x\r\n", NULL, UVOW__HTTP_MORE},
    /* the first line */
    {Q, "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "\r\n GET / HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "\nGET / HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "\r\rGET / HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "\rGET / HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET\r\n / HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {R, "\r\nHTTP/1.1 101 x\r\n\r\n", NULL, UVOW_EHTTP},
    {T, "\r\nHTTP/1.1 200 x\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, " GET / HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "G@T / HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, " / HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET  HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET /\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET  / HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET /  HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET\t/ HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET /\t HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET /\x7f HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET /\xc3\xa9 HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1 \r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.10\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.0\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/2.0\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / http/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\n\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\rX", NULL, UVOW_EHTTP},
    {Q, "HTTP/1.1 101 x\r\n\r\n", NULL, UVOW_EHTTP},
    {R, "HTTP/1.0 101 x\r\n\r\n", NULL, UVOW_EHTTP},
    {R, "HTTP/1.2 101 x\r\n\r\n", NULL, UVOW_EHTTP},
    {T, "HTTP/1.2 200 x\r\n\r\n", NULL, UVOW_EHTTP},
    {T, "HTTP/0.0 200 x\r\n\r\n", NULL, UVOW_EHTTP},
    {T, "HTTP/1.00 200 x\r\n\r\n", NULL, UVOW_EHTTP},
    {T, "HTTP/1.0\r\n\r\n", NULL, UVOW_EHTTP},
    {T, "GET / HTTP/1.0\r\n\r\n", NULL, UVOW_EHTTP},
    {R, "ICY 200 OK\r\n\r\n", NULL, UVOW_EHTTP},
    {R, "HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    {R, "HTTP/1.1  101 x\r\n\r\n", NULL, UVOW_EHTTP},
    {R, "HTTP/1.1 10 x\r\n\r\n", NULL, UVOW_EHTTP},
    {R, "HTTP/1.1 1010 x\r\n\r\n", NULL, UVOW_EHTTP},
    {R, "HTTP/1.1 099 x\r\n\r\n", NULL, UVOW_EHTTP},
    {R, "HTTP/1.1 1a1 x\r\n\r\n", NULL, UVOW_EHTTP},
    {R, "HTTP/1.1 +10 x\r\n\r\n", NULL, UVOW_EHTTP},
    {R, "HTTP/1.1 101 x\n\r\n", NULL, UVOW_EHTTP},
    {R, "HTTP/1.1 101 a\x01\r\n\r\n", NULL, UVOW_EHTTP},
    {R, "GET / HTTP/1.1\r\n\r\n", NULL, UVOW_EHTTP},
    /* the fields */
    {Q, "GET / HTTP/1.1\r\n A: b\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\nA : b\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\nA\t: b\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\n: b\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\nA\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\nA(: b\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\n\xc3\xa9: b\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\nA: b\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\nA: b\r\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\nA:\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\nA: b\x0b\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\nA: \x7f\r\n\r\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\nA: b\r\n\n", NULL, UVOW_EHTTP},
    {Q, "GET / HTTP/1.1\r\nA: b\r\n\rX", NULL, UVOW_EHTTP},
};

static void append(outcome_t *out, uvow__slice_t text, const char *end) {
  size_t at = strlen(out->dump);
  int len = (int)text.len;
  snprintf(out->dump + at, sizeof(out->dump) - at, "%.*s%s", len, text.ptr,
           end);
}

static void dump(const uvow__http_t *http, outcome_t *out) {
  char status[16];
  append(out, uvow__http_method(http), "|");
  append(out, uvow__http_target(http), "|");
  snprintf(status, sizeof(status), "%d|", uvow__http_status(http));
  append(out, (uvow__slice_t){"", 0}, status);
  append(out, uvow__http_reason(http), "");
  for (size_t i = 0; i < uvow__http_count(http); i++) {
    uvow__slice_t name, value;
    uvow__http_field(http, i, &name, &value);
    append(out, (uvow__slice_t){"", 0}, "|");
    append(out, name, "=");
    append(out, value, "");
  }
}

/* Feeds a copy of exactly this size, so that reading past it shows. */
static int feed(uvow__http_t *http, const char *text, size_t len,
                size_t *ret_used) {
  char *exact = (char *)malloc(len ? len : 1);
  assert_non_null(exact);
  memcpy(exact, text, len);
  int rc = uvow__http_feed(http, exact, len, ret_used);
  free(exact);
  return rc;
}

/* first: the size of the first piece; step: that of all others. */
static void run(uvow__http_role_t role, const char *text, size_t len,
                size_t first, size_t step, outcome_t *out) {
  uvow__http_t http;
  size_t at = 0;
  memset(out, 0, sizeof(*out));
  uvow__http_init(&http, &uvow__mem_default, role, UVOW__HTTP_MAX_HEAD);
  out->rc = UVOW__HTTP_MORE;
  while (out->rc == UVOW__HTTP_MORE && at < len) {
    size_t size = at == 0 && first ? first : step;
    size_t used = 12345;
    if (size > len - at)
      size = len - at;
    out->rc = feed(&http, text + at, size, &used);
    if (out->rc == UVOW__HTTP_MORE)
      assert_int_equal(used, size);
    if (out->rc >= 0)
      out->used += used;
    else
      assert_int_equal(used, 12345);
    at += size;
  }
  dump(&http, out);
  if (out->rc)
    assert_string_equal(out->dump, "||0|");
  uvow__http_done(&http);
}

static void same(const outcome_t *a, const outcome_t *b) {
  assert_int_equal(a->rc, b->rc);
  assert_string_equal(a->dump, b->dump);
  if (a->rc >= 0)
    assert_int_equal(a->used, b->used);
}

static void check_all_splits(uvow__http_role_t role, const char *text,
                             size_t len, outcome_t *whole) {
  outcome_t split;
  run(role, text, len, 0, len, whole);
  run(role, text, len, 0, 1, &split);
  same(&split, whole);
  for (size_t at = 1; at < len; at++) {
    run(role, text, len, at, len, &split);
    same(&split, whole);
  }
}

TEST_CASE(reads_strictly) {
  for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
    const sample_t *sample = &samples[i];
    outcome_t whole;
    check_all_splits(sample->role, sample->text, strlen(sample->text), &whole);
    if (whole.rc != sample->rc)
      print_error("%d: %s\n", whole.rc, sample->text);
    assert_int_equal(whole.rc, sample->rc);
    if (sample->dump)
      assert_string_equal(whole.dump, sample->dump);
  }
}

/* NUL in every place of a head. */
TEST_CASE(refuses_nul) {
  static const char head[] = "GET / HTTP/1.1\r\nAb: cd\r\n\r\n";
  for (size_t at = 0; at < sizeof(head) - 1; at++) {
    char text[sizeof(head)];
    outcome_t whole;
    memcpy(text, head, sizeof(head));
    text[at] = '\0';
    check_all_splits(Q, text, sizeof(head) - 1, &whole);
    assert_int_equal(whole.rc, UVOW_EHTTP);
  }
}

TEST_CASE(leaves_what_follows) {
  static const char text[] = "HTTP/1.1 101 x\r\nA: b\r\n\r\n\x81\x01xHTTP";
  outcome_t whole;
  check_all_splits(R, text, sizeof(text) - 1, &whole);
  assert_int_equal(whole.rc, 0);
  assert_int_equal(whole.used, sizeof(text) - 1 - 7);
}

TEST_CASE(stays_complete_or_failed) {
  uvow__http_t http;
  size_t used = 9;
  uvow__http_init(&http, &uvow__mem_default, Q, 100);
  assert_int_equal(feed(&http, "", 0, &used), UVOW__HTTP_MORE);
  assert_int_equal(feed(&http, "GET / HTTP/1.1\r\n\r\n", 18, &used), 0);
  assert_int_equal(feed(&http, "GET", 3, &used), 0);
  assert_int_equal(used, 0);
  assert_int_equal(uvow__http_feed(&http, NULL, 0, &used), 0);
  uvow__http_reset(&http);
  assert_int_equal(uvow__http_method(&http).len, 0);
  assert_int_equal(feed(&http, "\n", 1, &used), UVOW_EHTTP);
  assert_int_equal(feed(&http, "GET", 3, &used), UVOW_EHTTP);
  assert_int_equal(feed(&http, "", 0, &used), UVOW_EHTTP);
  uvow__http_reset(&http);
  assert_int_equal(feed(&http, "PUT / HTTP/1.1\r\n\r\n", 18, &used), 0);
  assert_true(uvow__slice_is(uvow__http_method(&http), "PUT"));
  uvow__http_done(&http);
  uvow__http_done(&http);
}

TEST_CASE(limits_the_head) {
  static const char text[] = "GET / HTTP/1.1\r\nA: b\r\n\r\n";
  size_t len = sizeof(text) - 1;
  for (size_t max = 0; max <= len; max++) {
    for (size_t first = 0; first < len; first++) {
      uvow__http_t http;
      size_t used;
      uvow__http_init(&http, &uvow__mem_default, Q, max);
      int rc = feed(&http, text, first, &used);
      if (rc == UVOW__HTTP_MORE)
        rc = feed(&http, text + first, len - first, &used);
      assert_int_equal(rc, max < len ? UVOW_ETOOBIG : 0);
      uvow__http_done(&http);
    }
  }
}

/* A field without end takes no more than the limit, and no more than double
 * that in memory. */
TEST_CASE(limits_memory) {
  char junk[4096];
  uvow__http_t http;
  size_t used;
  size_t total = 0;
  memset(junk, 'a', sizeof(junk));
  uvow__http_init(&http, &uvow__mem_default, Q, UVOW__HTTP_MAX_HEAD);
  assert_int_equal(feed(&http, "GET / HTTP/1.1\r\nA: ", 19, &used),
                   UVOW__HTTP_MORE);
  while (uvow__http_feed(&http, junk, sizeof(junk), &used) == UVOW__HTTP_MORE)
    total += used;
  assert_int_equal(http.error, UVOW_ETOOBIG);
  assert_true(total <= UVOW__HTTP_MAX_HEAD);
  assert_true(http.head.cap <= 2 * UVOW__HTTP_MAX_HEAD);
  uvow__http_done(&http);
}

static int feed_fields(uvow__http_t *http, size_t count) {
  size_t used;
  int rc = feed(http, "GET / HTTP/1.1\r\n", 16, &used);
  for (size_t i = 0; i < count && rc == UVOW__HTTP_MORE; i++)
    rc = feed(http, "A: b\r\n", 6, &used);
  return rc == UVOW__HTTP_MORE ? feed(http, "\r\n", 2, &used) : rc;
}

TEST_CASE(limits_fields) {
  uvow__http_t http;
  uvow__http_init(&http, &uvow__mem_default, Q, UVOW__HTTP_MAX_HEAD);
  assert_int_equal(feed_fields(&http, 100), 0);
  assert_int_equal(uvow__http_count(&http), 100);
  uvow__http_reset(&http);
  assert_int_equal(feed_fields(&http, 99), 0);
  assert_int_equal(uvow__http_count(&http), 99);
  uvow__http_reset(&http);
  assert_int_equal(feed_fields(&http, 101), UVOW_ETOOBIG);
  assert_int_equal(uvow__http_count(&http), 0);
  uvow__http_done(&http);
}

TEST_CASE(says_what_is_too_much) {
  uvow__http_t http;
  uvow__http_init(&http, &uvow__mem_default, Q, UVOW__HTTP_MAX_HEAD);
  assert_null(uvow__http_why(&http));
  assert_int_equal(feed_fields(&http, 101), UVOW_ETOOBIG);
  assert_string_equal(uvow__http_why(&http),
                      "its head has more than 100 fields");
  uvow__http_reset(&http);
  assert_null(uvow__http_why(&http));
  size_t used;
  char junk[4096];
  memset(junk, 'a', sizeof(junk));
  while (uvow__http_feed(&http, junk, sizeof(junk), &used) == UVOW__HTTP_MORE)
    ;
  assert_string_equal(uvow__http_why(&http),
                      "its head has more than 65536 bytes");
  uvow__http_done(&http);
}

TEST_CASE(finds_fields) {
  static const char text[] =
      "GET / HTTP/1.1\r\nConnection: keep-alive,\t,"
      "UpGrade \r\nHost: h\r\nx: a , b\t,,\r\nX:\r\nX: ,"
      "c d\r\nUpgrades: upgrade\r\n\r\n";
  static const char *const members[] = {"a", "b", "c d"};
  uvow__http_t http;
  uvow__slice_t value = {"untouched", 9};
  uvow__http_list_t list = {0, 0};
  size_t used;
  uvow__http_init(&http, &uvow__mem_default, Q, UVOW__HTTP_MAX_HEAD);
  assert_int_equal(feed(&http, text, sizeof(text) - 1, &used), 0);
  assert_int_equal(uvow__http_header(&http, "y", &value), 0);
  assert_int_equal(uvow__http_header(&http, "X", &value), 3);
  assert_true(uvow__slice_is(value, "untouched"));
  assert_int_equal(uvow__http_header(&http, "X", NULL), 3);
  assert_int_equal(uvow__http_header(&http, "hOST", &value), 1);
  assert_true(uvow__slice_is(value, "h"));
  assert_true(uvow__http_has_token(&http, "connection", "upgrade"));
  assert_true(uvow__http_has_token(&http, "Connection", "Keep-Alive"));
  assert_false(uvow__http_has_token(&http, "Connection", "keep"));
  assert_false(uvow__http_has_token(&http, "Upgrade", "upgrade"));
  assert_false(uvow__http_has_token(&http, "X", ""));
  assert_true(uvow__http_has_token(&http, "X", "B"));
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(uvow__http_list_next(&http, "X", &list, &value), 1);
    assert_true(uvow__slice_is(value, members[i]));
  }
  assert_int_equal(uvow__http_list_next(&http, "X", &list, &value), 0);
  assert_int_equal(uvow__http_list_next(&http, "X", &list, &value), 0);
  uvow__http_done(&http);
}

TEST_CASE(knows_tokens_and_values) {
  assert_true(uvow__http_is_token(UVOW__SLICE("aZ09-!~")));
  assert_false(uvow__http_is_token(UVOW__SLICE("")));
  assert_false(uvow__http_is_token(UVOW__SLICE("a b")));
  assert_false(uvow__http_is_token(UVOW__SLICE("a\0b")));
  assert_false(uvow__http_is_token(UVOW__SLICE("a,")));
  assert_true(uvow__http_is_value(UVOW__SLICE("")));
  assert_true(uvow__http_is_value(UVOW__SLICE("a \t\xff\"")));
  assert_false(uvow__http_is_value(UVOW__SLICE("a\0")));
  assert_false(uvow__http_is_value(UVOW__SLICE("\r")));
  assert_false(uvow__http_is_value(UVOW__SLICE("\n")));
  assert_false(uvow__http_is_value(UVOW__SLICE("\x7f")));
}

static void feed_with(test_alloc_t *alloc, void *data) {
  uvow__http_t http;
  (void)data;
  uvow__http_init(&http, &alloc->allocator, Q, UVOW__HTTP_MAX_HEAD);
  int rc = feed_fields(&http, 100);
  assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
  assert_int_equal(uvow__http_count(&http), rc ? 0 : 100);
  uvow__http_done(&http);
}

TEST_CASE(survives_no_memory) {
  test_alloc_sweep(feed_with, NULL);
}

TEST_MODULE(http) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_strictly),
      cmocka_unit_test(refuses_nul),
      cmocka_unit_test(leaves_what_follows),
      cmocka_unit_test(stays_complete_or_failed),
      cmocka_unit_test(limits_the_head),
      cmocka_unit_test(limits_memory),
      cmocka_unit_test(limits_fields),
      cmocka_unit_test(says_what_is_too_much),
      cmocka_unit_test(finds_fields),
      cmocka_unit_test(knows_tokens_and_values),
      cmocka_unit_test(survives_no_memory),
  };
  return cmocka_run_group_tests_name("wire/http", tests, NULL, NULL);
}
