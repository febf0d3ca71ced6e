#include "wire/body.h"

#include "support/support.h"

#include <stdio.h>

#define HEAD(text) "HTTP/1.1 403 No\r\n" text "\r\n"

typedef struct body_case {
  const char *head;
  const char *bytes;
  const char *body;
  int complete;
} body_case_t;

static const body_case_t cases[] = {
    {HEAD("Content-Length: 5\r\n"), "Hello", "Hello", 1},
    {HEAD("Content-Length: 5\r\n"), "Hello and more", "Hello", 1},
    {HEAD("Content-Length: 5\r\n"), "Hell", "Hell", 0},
    {HEAD("Content-Length: 0\r\n"), "x", "", 1},
    {HEAD("Content-Length: -1\r\n"), "x", "x", 0},
    {HEAD("Content-Length: 1\r\nContent-Length: 2\r\n"), "abc", "abc", 0},
    {HEAD(""), "until the end", "until the end", 0},
    {HEAD(""), "", "", 0},
    {"HTTP/1.1 204 No\r\n\r\n", "x", "", 1},
    {"HTTP/1.1 304 No\r\nContent-Length: 3\r\n\r\n", "x", "", 1},
    {HEAD("Transfer-Encoding: chunked\r\n"),
     "5\r\nHello\r\n00A;x=\"y\"\r\n, chunked.\r\n0\r\nTrailer: 1\r\n\r\n",
     "Hello, chunked.", 1},
    {HEAD("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"),
     "3\r\nabc\r\n0\r\n\r\n", "abc", 1},
    {HEAD("Transfer-Encoding: chunked\r\n"), "3\r\nab", "ab", 0},
    {HEAD("Transfer-Encoding: chunked\r\n"),
     "1F\r\n0123456789abcdef0123456789abcde\r\n0\r\n\r\n",
     "0123456789abcdef0123456789abcde", 1},
    {HEAD("Transfer-Encoding: chunked\r\n"), "3\r\nabc\r\n", "abc", 0},
    {HEAD("Transfer-Encoding: chunked\r\n"), "zz", "", 1},
    {HEAD("Transfer-Encoding: chunked\r\n"), "\r\n", "", 1},
    {HEAD("Transfer-Encoding: chunked\r\n"), "123456789", "", 1},
    {HEAD("Transfer-Encoding: chunked\r\n"), "ffffffff\r\nab", "ab", 0},
};

static void read_head(uvow__http_t *http, const uvow__mem_t *mem,
                      const char *head) {
  size_t used;
  uvow__http_init(http, mem, UVOW__HTTP_RESPONSE, UVOW__HTTP_MAX_HEAD);
  assert_int_equal(uvow__http_feed(http, head, strlen(head), &used), 0);
}

static void run_case(const body_case_t *one, size_t cut, size_t step) {
  test_alloc_t alloc;
  uvow__http_t http;
  uvow__body_t body;
  size_t len = strlen(one->bytes);
  test_alloc_init(&alloc);
  read_head(&http, &alloc.allocator, one->head);
  uvow__body_init(&body, &alloc.allocator, &http);
  for (size_t at = 0, n = cut; at < len; at += n, n = step) {
    n = n < len - at ? n : len - at;
    (void)uvow__body_feed(&body, (const uint8_t *)one->bytes + at, n);
  }
  assert_int_equal(uvow__body_complete(&body), one->complete);
  assert_int_equal(uvow__buf_size(&body.bytes), strlen(one->body));
  if (*one->body)
    assert_memory_equal(uvow__buf_front(&body.bytes), one->body,
                        strlen(one->body));
  uvow__body_done(&body);
  uvow__http_done(&http);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(test_split) {
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    run_case(&cases[i], 1, 1);
    for (size_t cut = 1; cut <= strlen(cases[i].bytes); cut++)
      run_case(&cases[i], cut, 1000);
  }
}

TEST_CASE(test_long) {
  static const char *const heads[] = {HEAD(""),
                                      HEAD("Content-Length: 99999\r\n"),
                                      HEAD("Transfer-Encoding: chunked\r\n")};
  for (size_t i = 0; i < 3; i++) {
    test_alloc_t alloc;
    uvow__http_t http;
    uvow__body_t body;
    size_t fed = 0;
    test_alloc_init(&alloc);
    read_head(&http, &alloc.allocator, heads[i]);
    uvow__body_init(&body, &alloc.allocator, &http);
    if (i == 2)
      assert_int_equal(uvow__body_feed(&body, (const uint8_t *)"fffff\r\n", 7),
                       0);
    while (!uvow__body_feed(&body, (const uint8_t *)"seven..", 7))
      fed += 7;
    assert_true(fed < UVOW__BODY_MAX);
    assert_int_equal(uvow__buf_size(&body.bytes), UVOW__BODY_MAX);
    uvow__body_done(&body);
    uvow__http_done(&http);
    assert_int_equal(alloc.live, 0);
  }
}

/* The last byte that is kept is the last that is awaited. */
TEST_CASE(test_full) {
  static uint8_t full[UVOW__BODY_MAX];
  test_alloc_t alloc;
  uvow__http_t http;
  uvow__body_t body;
  test_alloc_init(&alloc);
  read_head(&http, &alloc.allocator, HEAD(""));
  uvow__body_init(&body, &alloc.allocator, &http);
  assert_int_equal(uvow__body_feed(&body, full, UVOW__BODY_MAX - 1), 0);
  assert_int_equal(uvow__body_feed(&body, full, 1), 1);
  uvow__body_done(&body);
  uvow__http_done(&http);
}

TEST_CASE(test_no_memory) {
  test_alloc_t alloc;
  uvow__http_t http;
  uvow__body_t body;
  test_alloc_init(&alloc);
  read_head(&http, &alloc.allocator, HEAD(""));
  uvow__body_init(&body, &alloc.allocator, &http);
  alloc.fail_at = alloc.calls + 1;
  assert_int_equal(uvow__body_feed(&body, (const uint8_t *)"x", 1), 1);
  uvow__body_done(&body);
  uvow__http_done(&http);
}

TEST_MODULE(body) {
  const struct CMUnitTest tests[] = {
      {"a body ends where its head says, however it's cut", test_split, NULL,
       NULL, NULL},
      {"a long body is cut off", test_long, NULL, NULL, NULL},
      {"a full body ends", test_full, NULL, NULL, NULL},
      {"without memory it ends", test_no_memory, NULL, NULL, NULL},
  };
  return cmocka_run_group_tests_name("wire/body", tests, NULL, NULL);
}
