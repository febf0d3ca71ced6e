/* A handshake that the server refuses, and what a client says in its own. */
#include "rpc/peer.h"

#include "support/script.h"

#include <stdio.h>

/* A client whose request for a WebSocket is out. */
static void start(script_t *s, test_alloc_t *alloc, script_mark_t *ready,
                  script_mark_t *request) {
  test_alloc_init(alloc);
  script_init_with(s, alloc);
  script_drive_clock(s);
  assert_int_equal(script_client(s, NULL), 0);
  *ready = script_mark(s, "ready");
  *request = script_mark(s, "m");
  script_connected(s);
  script_turns(s);
}

/* What ready was rejected with: status, headers, body. */
typedef struct seen {
  int calls;
  int code;
  int status;
  char location[64];
  char missing; /* there is no header X-None */
  char body[5000];
  size_t body_len;
  int by_cause; /* the same, seen through a request's error */
} seen_t;

static void look(const uvow_result_t *result, void *data) {
  seen_t *seen = (seen_t *)data;
  size_t len;
  const uvow_error_t *error = result->error;
  seen->calls++;
  assert_non_null(error);
  seen->code = uvow_error_code(error);
  seen->status = uvow_error_status(error);
  const char *value = uvow_error_header(error, "LOCATION", &len);
  if (value)
    (void)snprintf(seen->location, sizeof(seen->location), "%.*s", (int)len,
                   value);
  seen->missing = !uvow_error_header(error, "X-None", NULL) &&
                  !uvow_error_header(error, "Locatio", NULL) &&
                  !uvow_error_header(error, "", NULL);
  if (seen->by_cause)
    error = uvow_error_cause(error);
  value = uvow_error_data(error, &len);
  assert_true(len < sizeof(seen->body));
  if (value)
    memcpy(seen->body, value, len);
  seen->body_len = len;
}

static void ask(script_t *s, seen_t *seen) {
  script_init(s);
  script_drive_clock(s);
  assert_int_equal(script_client(s, NULL), 0);
  memset(seen, 0, 2 * sizeof(*seen));
  seen[1].by_cause = 1;
  assert_int_equal(uvow_future_done(uvow_peer_ready(s->client), look, &seen[0]),
                   0);
  assert_int_equal(
      uvow_future_done(script_request(s, "m", NULL), look, &seen[1]), 0);
  script_connected(s);
  script_turns(s);
}

static void expect(script_t *s, const seen_t *seen, int status,
                   const char *location, const char *body) {
  script_turns(s);
  assert_true(script_gone(s));
  for (int i = 0; i < 2; i++) {
    assert_int_equal(seen[i].calls, 1);
    assert_string_equal(uvow_err_name(seen[i].code), "UVOW_EHANDSHAKE");
    assert_int_equal(seen[i].status, status);
    assert_string_equal(seen[i].location, location);
    assert_true(seen[i].missing);
    assert_string_equal(seen[i].body, body);
    assert_int_equal(seen[i].body_len, strlen(body));
  }
  script_end(s);
}

/* How the body ends. */
typedef enum ending { BY_ITSELF, BY_END, BY_ERROR, BY_TIME } ending_t;

static const struct {
  const char *text;
  int status;
  const char *location;
  const char *body;
  ending_t ending;
} cases[] = {
    {"HTTP/1.1 302 Found\r\nLocation:  https://other/ \t\r\n"
     "Content-Length: 6\r\n\r\nmoved\n",
     302, "https://other/", "moved\n", BY_ITSELF},
    {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nlocation:a\r\n"
     "Location: b\r\n\r\nno and more",
     401, "a", "no", BY_ITSELF},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, "", "",
     BY_ITSELF},
    {"HTTP/1.1 429 Slow\r\n\r\nuntil the end", 429, "", "until the end",
     BY_END},
    {"HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\ncut", 500, "", "cut", BY_END},
    {"HTTP/1.1 502 Bad\r\nContent-Length: 9\r\n\r\ncut", 502, "", "cut",
     BY_ERROR},
    {"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nslow", 503, "", "slow",
     BY_TIME},
    {"HTTP/1.1 503 Busy\r\n\r\n", 503, "", "", BY_TIME},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3\r\n<ht\r\n3\r\nml>\r\n0\r\n\r\n",
     200, "", "<html>", BY_ITSELF},
    {"HTTP/1.1 204 Nothing\r\nLocation:\r\n\r\n", 204, "", "", BY_ITSELF},
    {"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 403 No\r\nContent-Length: 1\r\n\r\n!",
     403, "", "!", BY_ITSELF},
};

TEST_CASE(test_statuses) {
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    for (unsigned cut = 0; cut < 5; cut++) {
      script_t s;
      seen_t seen[2];
      ask(&s, seen);
      s.cut = cut;
      script_feed(&s, cases[i].text, strlen(cases[i].text));
      script_turns(&s);
      if (cases[i].ending != BY_ITSELF)
        assert_int_equal(seen[0].calls, 0);
      if (cases[i].ending == BY_END)
        script_hang_up(&s, 0);
      else if (cases[i].ending == BY_ERROR)
        script_hang_up(&s, UV_ECONNRESET);
      else if (cases[i].ending == BY_TIME)
        script_advance(&s, 10001);
      expect(&s, seen, cases[i].status, cases[i].location, cases[i].body);
    }
}

static void keep_words(const uvow_result_t *result, void *data) {
  (void)snprintf((char *)data, 512, "%s", uvow_error_message(result->error));
}

/* What ready was rejected with, in words. */
static void expect_words(const char *answer, const char *words) {
  script_t s;
  char said[512] = "";
  script_init(&s);
  assert_int_equal(script_client(&s, NULL), 0);
  assert_int_equal(
      uvow_future_done(uvow_peer_ready(s.client), keep_words, said), 0);
  script_connected(&s);
  script_feed(&s, answer, strlen(answer));
  script_turns(&s);
  if (!strstr(said, words))
    fail_msg("'%s' is not in: %s", words, said);
  script_end(&s);
}

/* It's for logs and terminals: whatever bytes the server sends. */
TEST_CASE(test_words) {
  expect_words(
      "HTTP/1.1 403 \t\xe9\xc2\x9b[31m Ni\xc3\xa9t\r\n"
      "Content-Length: 0\r\n\r\n",
      "HTTP 403 ????[31m Ni??t");
  expect_words(
      "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
      "Location: wss://other.test/\xe9\t\r\n\r\n",
      "HTTP 302 Found, to wss://other.test/?");
  expect_words("HTTP/1.1 204 No\r\nLocation: x\r\n\r\n", "HTTP 204 No");
}

/* A head that is too long was the handshake's. */
TEST_CASE(test_head_without_end) {
  static const char head[] = "HTTP/1.1 101 x\r\nX: ";
  char *answer = (char *)malloc(70000);
  assert_non_null(answer);
  memset(answer, 'x', 70000);
  memcpy(answer, head, sizeof(head) - 1);
  answer[69999] = '\0';
  expect_words(answer,
               "the server's answer to the handshake is too large: its "
               "head has more than 65536 bytes");
  free(answer);
}

/* However much the server has to say: 4 KiB of it are kept. */
TEST_CASE(test_long_body) {
  script_t s;
  seen_t seen[2];
  char much[1000];
  char body[4097];
  ask(&s, seen);
  script_feed(&s, "HTTP/1.1 500 No\r\nLocation: x\r\n\r\n", 32);
  memset(much, 'm', sizeof(much));
  memset(body, 'm', 4096);
  body[4096] = '\0';
  for (int i = 0; i < 4; i++)
    script_feed(&s, much, sizeof(much));
  assert_false(script_gone(&s));
  script_feed(&s, much, sizeof(much));
  expect(&s, seen, 500, "x", body);
}

/* A header behind the first 8 KiB isn't kept; one before it is. */
TEST_CASE(test_long_head) {
  script_t s;
  seen_t seen[2];
  char text[16384];
  ask(&s, seen);
  int len = snprintf(text, sizeof(text),
                     "HTTP/1.1 403 No\r\nX-Long: %09000d\r\nLocation: x\r\n"
                     "Content-Length: 1\r\n\r\n!",
                     1);
  script_feed(&s, text, (size_t)len);
  expect(&s, seen, 403, "", "!");
}

/* While the body comes, the client may go. */
TEST_CASE(test_close_meanwhile) {
  for (int free_it = 0; free_it < 2; free_it++) {
    script_t s;
    test_alloc_t alloc;
    script_mark_t ready, request;
    start(&s, &alloc, &ready, &request);
    script_watch(uvow_peer_ready(s.client), &ready);
    script_call(&s, "m", &request);
    script_feed(&s, "HTTP/1.1 503 Busy\r\n\r\nwait", 25);
    script_turns(&s);
    script_expect(&s, "");
    if (free_it)
      uvow_peer_unref(s.client);
    else
      uvow_future_detach(uvow_peer_close(s.client));
    if (free_it)
      s.client = NULL;
    script_turns(&s);
    if (!free_it)
      script_advance(&s, 60000);
    assert_int_equal(ready.calls, 1);
    assert_int_equal(request.calls, 1);
    script_quit(&s);
  }
}

/* Memory that is missing anywhere on the way. */
static void sweep(test_alloc_t *alloc, void *data) {
  static const char text[] =
      "HTTP/1.1 302 Found\r\nLocation: /\r\n"
      "Content-Length: 5\r\n\r\nmoved";
  script_t s;
  (void)data;
  script_init_with(&s, alloc);
  if (s.loop) {
    test_connect_t options = script_options(&s);
    options.websocket.bearer = "t";
    options.websocket.origin = "http://o";
    if (script_client(&s, &options) == 0) {
      script_mark_t ready = script_mark(&s, "");
      uvow_future_t *f = uvow_peer_ready(s.client);
      if (f)
        script_watch(f, &ready);
      if (s.stream)
        script_connected(&s);
      script_feed(&s, text, sizeof(text) - 1);
      script_turns(&s);
      if (f)
        assert_int_equal(ready.calls, 1);
    }
  }
  script_quit(&s);
}

TEST_CASE(test_oom) {
  test_alloc_sweep(sweep, NULL);
}

static void expect_request(const char *bearer, const char *origin,
                           const uvow_header_t *headers, size_t count,
                           const char *line, const char *not_line) {
  script_t s;
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  script_init_with(&s, &alloc);
  test_connect_t options = script_options(&s);
  options.url = "ws://user:secret@h/";
  options.websocket.bearer = bearer;
  options.websocket.origin = origin;
  options.websocket.headers = headers;
  options.websocket.header_count = count;
  assert_int_equal(script_client(&s, &options), 0);
  script_connected(&s);
  script_turns(&s);
  char *text = (char *)calloc(1, s.sent_len + 1);
  assert_non_null(text);
  memcpy(text, s.sent, s.sent_len);
  assert_non_null(strstr(text, line));
  assert_null(strstr(text, not_line));
  free(text);
  s.sent_at = s.sent_len;
  script_quit(&s);
}

TEST_CASE(test_bearer_and_origin) {
  static const uvow_header_t own[] = {
      {sizeof(uvow_header_t), "authorization", "Mine"},
      {sizeof(uvow_header_t), "ORIGIN", "http://mine"}};
  expect_request("t0k.en~+/=", NULL, NULL, 0,
                 "\r\nAuthorization: Bearer t0k.en~+/=\r\n", "Basic");
  expect_request(NULL, NULL, NULL, 0, "\r\nAuthorization: Basic ", "Bearer");
  expect_request(NULL, "https://app.test:8443", NULL, 0,
                 "\r\nOrigin: https://app.test:8443\r\n", "Bearer");
  expect_request("t", "http://o", own, 2, "\r\nORIGIN: http://mine\r\n",
                 "Origin: http://o");
  expect_request("t", "http://o", own, 2, "\r\nauthorization: Mine\r\n",
                 "Bearer");
}

/* What could end a line, or a value, is refused before anything is sent. */
TEST_CASE(test_injection) {
  static const char *const bad[] = {"",    "a b",  "a\r\nX: y", "a\n",
                                    "a\r", "\x01", "a\x7f",     "\xc3\xbc",
                                    " a",  "a\tb"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
    for (int which = 0; which < 2; which++) {
      script_t s;
      script_init(&s);
      test_connect_t options = script_options(&s);
      if (which)
        options.websocket.bearer = bad[i];
      else
        options.websocket.origin = bad[i];
      assert_int_equal(script_client(&s, &options), UVOW_EINVAL);
      assert_int_equal(s.connects, 0);
      script_end(&s);
    }
}

TEST_MODULE(refusal) {
  const struct CMUnitTest tests[] = {
      {"a refusal has its status, headers and body", test_statuses, NULL, NULL,
       NULL},
      {"a long body is cut off", test_long_body, NULL, NULL, NULL},
      {"a long head is cut off", test_long_head, NULL, NULL, NULL},
      {"its words are harmless", test_words, NULL, NULL, NULL},
      {"a head without end is the handshake's", test_head_without_end, NULL,
       NULL, NULL},
      {"a client may go while the body comes", test_close_meanwhile, NULL, NULL,
       NULL},
      {"memory may be missing", test_oom, NULL, NULL, NULL},
      {"bearer and origin are sent", test_bearer_and_origin, NULL, NULL, NULL},
      {"bearer and origin can't end a line", test_injection, NULL, NULL, NULL},
  };
  return cmocka_run_group_tests_name("websocket/refusal", tests, NULL, NULL);
}
