/*
 * Compression, from the options of a client and a server to the bytes: what is
 * offered, agreed on and sent, and that every answer is the same as without.
 */
#include "support/script.h"
#include "support/serve.h"

#include <stdio.h>

#include <uvow/server.h>

#include "wire/framer.h"

#define D "permessage-deflate"

static uvow_deflate_options_t deflate_options(void) {
  uvow_deflate_options_t options;
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  return options;
}

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static uvow_server_t *new_server(uvow_loop_t *loop,
                                 const uvow_deflate_options_t *deflate) {
  uvow_server_t *server = NULL;
  test_serve_t options = test_serve_options();
  options.listener.deflate = deflate;
  options.listener.max_message_bytes = 100000;
  assert_int_equal(test_serve(loop, &options, &server), 0);
  assert_int_equal(test_method(server, "echo", echo, NULL), 0);
  return server;
}

/* A JSON text of this length, that shrinks or doesn't. */
static char *make_text(size_t len, int noisy) {
  char *text = (char *)malloc(len + 1);
  uint32_t seed = (uint32_t)len;
  assert_non_null(text);
  for (size_t i = 0; i < len; i++) {
    seed = seed * 1664525 + 1013904223;
    text[i] = (char)('a' + (noisy ? (seed >> 24) % 26 : i % 13));
  }
  memcpy(text, "[\"", 2);
  memcpy(text + len - 2, "\"]", 3);
  return text;
}

typedef struct reply {
  const char *text;
  int calls;
} reply_t;

static void on_reply(const uvow_result_t *result, void *data) {
  reply_t *reply = (reply_t *)data;
  uvow_slice_t got = uvow_result_bytes(result);
  assert_non_null(got.bytes);
  assert_int_equal(got.len, strlen(reply->text));
  assert_memory_equal(got.bytes, reply->text, got.len);
  reply->calls++;
}

static void echo_sizes(script_t *s) {
  static const size_t sizes[] = {5, 30, 255, 256, 5000, 50000};
  for (int noisy = 0; noisy < 2; noisy++) {
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
      char *text = make_text(sizes[i], noisy);
      reply_t reply = {text, 0};
      for (int n = 0; n < 2; n++)
        assert_int_equal(
            uvow_future_done(uvow_peer_request(s->client, "echo",
                                               uvow_value_slice(&(uvow_slice_t){
                                                   text, sizes[i]})),
                             on_reply, &reply),
            0);
      while (reply.calls < 2)
        assert_true(uv_run(&s->uv, UV_RUN_ONCE));
      free(text);
    }
  }
}

/* What either end may want, NULL: nothing. */
static const uvow_deflate_options_t *wish(int i, uvow_deflate_options_t *o) {
  *o = deflate_options();
  switch (i) {
  case 0:
    return NULL;
  case 1:
    break;
  case 2:
    o->threshold_bytes = 1;
    o->server_no_context_takeover = 1;
    break;
  case 3:
    o->client_no_context_takeover = 1;
    o->level = 9;
    break;
  case 4:
    o->server_no_context_takeover = o->client_no_context_takeover = 1;
    o->level = 1;
    break;
  case 5:
    o->threshold_bytes = 1;
    o->server_max_window_bits = 9;
    o->client_max_window_bits = 9;
    break;
  case 6:
    o->server_max_window_bits = 12;
    break;
  default:
    o->client_max_window_bits = 10;
    o->threshold_bytes = 1000000;
  }
  return o;
}

TEST_CASE(answers_are_the_same_with_all_terms) {
  for (int i = 0; i < 64; i++) {
    uvow_deflate_options_t own, peer;
    char url[64];
    script_t s;
    script_init(&s);
    uvow_server_t *server = new_server(s.loop, wish(i / 8, &own));
    test_connect_t options = script_options(&s);
    snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
             (unsigned)uvow_server_port(server));
    options.url = url;
    options.websocket.deflate = wish(i % 8, &peer);
    assert_int_equal(test_connect(s.loop, &options, &s.client), 0);
    echo_sizes(&s);
    uvow_server_free(server);
    script_end(&s);
  }
}

TEST_CASE(wrong_options_are_refused) {
  uvow_deflate_options_t deflate = deflate_options();
  test_serve_t server_options = test_serve_options();
  uvow_server_t *server = NULL;
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.websocket.deflate = server_options.listener.deflate = &deflate;
  deflate.level = 10;
  assert_int_equal(script_client(&s, &options), UVOW_EINVAL);
  assert_int_equal(test_serve(s.loop, &server_options, &server), UVOW_EINVAL);
  deflate = deflate_options();
  deflate.client_max_window_bits = 8; /* of a server's peer, it may be */
  assert_int_equal(script_client(&s, &options), UVOW_EINVAL);
  assert_int_equal(test_serve(s.loop, &server_options, &server), 0);
  uvow_server_free(server);
  script_end(&s);
}

/* A client on the script that offers, and is answered with `answer`. */
static void shake(script_t *s, const uvow_deflate_options_t *deflate,
                  const char *offer, const char *answer) {
  char text[512];
  test_connect_t options = script_options(s);
  options.websocket.deflate = deflate;
  options.websocket.max_message_bytes = 1000;
  assert_int_equal(script_client(s, &options), 0);
  script_connected(s);
  size_t len = script_accept_text(s, text, sizeof(text));
  assert_int_equal(strstr((const char *)s->sent, offer) != NULL, 1);
  snprintf(text + len - 2, sizeof(text) - len + 2, "%s\r\n", answer);
  script_feed(s, text, strlen(text));
}

TEST_CASE(a_client_says_what_it_wants) {
  static const char *const answers[] = {"", "Sec-WebSocket-Extensions: " D
                                            "; server_no_context_takeover\r\n"};
  uvow_deflate_options_t deflate = deflate_options();
  deflate.client_max_window_bits = 11;
  for (int agreed = 0; agreed < 2; agreed++) {
    script_t s;
    script_init(&s);
    shake(&s, &deflate,
          "\r\nSec-WebSocket-Extensions: " D "; client_max_window_bits=11\r\n",
          answers[agreed]);
    for (size_t len = 10; len <= 300; len += 290) {
      script_mark_t a = script_mark(&s, "a");
      size_t before = s.sent_len;
      char *text = make_text(len, 0);
      script_watch(
          uvow_peer_request(s.client, "m",
                            uvow_value_slice(&(uvow_slice_t){text, len})),
          &a);
      free(text);
      script_turns(&s);
      int packed = agreed && len == 300;
      assert_int_equal(s.sent[before], packed ? 0xC1 : 0x81);
      assert_int_equal(s.sent_len - before < 150, packed || len == 10);
      /* {"jsonrpc":"2.0","id":N,"result":5}, stored. */
      char reply[64] = {0};
      int n = snprintf(reply + 5, sizeof(reply) - 5,
                       "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":5}",
                       len == 10 ? 1 : 2);
      reply[1] = (char)n;
      reply[3] = (char)~n;
      reply[4] = (char)0xFF;
      if (agreed)
        script_frame(&s, 0xC1, reply, (size_t)n + 6);
      else
        script_frame(&s, 0x81, reply + 5, (size_t)n);
      script_turns(&s);
      script_expect(&s, "a=5");
    }
    s.sent_at = s.sent_len;
    script_end(&s);
  }
}

/* JSON of two-byte characters, all of them equally likely: with the smallest
 * window zlib makes it longer, by more than a frame has beside its text. */
static size_t make_growing(char *text, size_t len, uint32_t seed) {
  text[0] = '[';
  text[1] = '"';
  for (size_t i = 2; i < len; i += 2) {
    seed = seed * 1664525 + 1013904223;
    text[i] = (char)(0xC2 + (seed >> 24) % 30);
    text[i + 1] = (char)(0x80 + (seed >> 16) % 64);
  }
  memcpy(text + len, "\"]", 3);
  return len + 2;
}

#define AROUND "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":}"
#define DONE "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":0}"

/* What just fits into the backlog, but not into the connection once it's
 * compressed: it fails, and nothing waits for ever behind it. */
TEST_CASE(what_grows_over_the_limit_does_not_hang) {
  int sent = 0;
  for (uint32_t seed = 0; seed < 64; seed++) {
    char text[512];
    script_t s;
    script_init(&s);
    uvow_deflate_options_t deflate = deflate_options();
    test_connect_t options = script_options(&s);
    script_mark_t a = script_mark(&s, "a");
    script_mark_t b = script_mark(&s, "b");
    size_t len = make_growing(text, 252 + seed % 8 * 2, seed);
    deflate.client_max_window_bits = 9;
    deflate.level = 1;
    options.websocket.deflate = &deflate;
    options.websocket.max_unsent_bytes = strlen(AROUND) + len + 16;
    assert_int_equal(script_client(&s, &options), 0);
    script_watch(
        uvow_peer_request(s.client, "m",
                          uvow_value_slice(&(uvow_slice_t){text, len})),
        &a);
    script_connected(&s);
    len = script_accept_text(&s, text, sizeof(text));
    snprintf(text + len - 2, sizeof(text) - len + 2,
             "Sec-WebSocket-Extensions: " D
             "; client_max_window_bits=9\r\n\r\n");
    script_feed(&s, text, strlen(text));
    script_turns(&s);
    script_call(&s, "m", &b);
    script_turns(&s);
    assert_true(script_stats(&s).in_flight == 1 + !a.calls);
    int failed = a.calls;
    sent += !failed;
    for (int id = 1 + failed; id <= 2; id++) {
      snprintf(text, sizeof(text), DONE, id);
      script_text(&s, text);
    }
    assert_true(a.done && b.done);
    s.log[0] = 0;
    s.sent_at = s.sent_len;
    script_end(&s);
  }
  assert_in_range(sent, 1, 63);
}

/* Refuses an answer, and says how it ended. */
TEST_CASE(a_client_refuses_what_it_did_not_offer) {
  uvow_deflate_options_t deflate = deflate_options();
  static const char *const answers[] = {"Sec-WebSocket-Extensions: x\r\n",
                                        "Sec-WebSocket-Extensions: " D
                                        "; server_max_window_bits=16\r\n",
                                        "Sec-WebSocket-Extensions: " D "\r\n"};
  for (size_t i = 0; i < 3; i++) {
    script_t s;
    script_init(&s);
    shake(&s, i < 2 ? &deflate : NULL, i < 2 ? D : "GET", answers[i]);
    script_mark_t a = script_mark(&s, "a");
    script_watch(uvow_peer_ready(s.client), &a);
    script_turns(&s);
    script_expect(&s, "a!EPROTO");
    assert_int_equal(script_gone(&s), 1);
    script_end(&s);
  }
}

TEST_CASE(a_bomb_is_answered_with_1009) {
  uvow_deflate_options_t deflate = deflate_options();
  /* 1001 times "a", in 11 bytes. */
  static const char bomb[] = "\x4a\x4c\x1c\x05\xa3\x60\x14\x0c\x7b\x00\x00";
  script_t s;
  script_init(&s);
  shake(&s, &deflate, D, "Sec-WebSocket-Extensions: " D "\r\n");
  script_mark_t a = script_mark(&s, "a");
  uvow_future_t *f = script_request(&s, "m", "[]");
  script_watch(uvow_future_ref(f), &a);
  script_turns(&s);
  script_next(&s);
  script_frame(&s, 0xC1, bomb, sizeof(bomb) - 1);
  script_turns(&s);
  script_expect(&s, "a!ETOOBIG:MAYBE");
  uvow_result_t result;
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_non_null(strstr(uvow_error_message(result.error),
                         "inflated message over the limit: at least 1001 "
                         "bytes, and max_message_bytes is 1000"));
  uvow_future_unref(f);
  script_expect_sent(&s, "close:1009");
  script_end(&s);
}

/* A client by hand: it sends `bytes`, and keeps what comes, up to a frame. */
typedef struct raw {
  uv_tcp_t tcp;
  uv_connect_t connect;
  uv_write_t write;
  uv_buf_t bytes;
  char got[4096];
  size_t len;
  int closed;
} raw_t;

static void raw_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  raw_t *raw = (raw_t *)handle->data;
  (void)size;
  *buf = uv_buf_init(raw->got + raw->len,
                     (unsigned)(sizeof(raw->got) - 1 - raw->len));
}

static void raw_closed(uv_handle_t *handle) {
  ((raw_t *)handle->data)->closed = 1;
}

static void raw_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  raw_t *raw = (raw_t *)stream->data;
  (void)buf;
  if (n > 0)
    raw->len += (size_t)n;
  const char *end = strstr(raw->got, "\r\n\r\n");
  int framed = end && raw->len - (size_t)(end - raw->got) > 6;
  if (n < 0 || framed)
    uv_close((uv_handle_t *)stream, raw_closed);
}

static void raw_connected(uv_connect_t *connect, int status) {
  raw_t *raw = (raw_t *)connect->data;
  assert_int_equal(status, 0);
  assert_int_equal(
      uv_write(&raw->write, (uv_stream_t *)&raw->tcp, &raw->bytes, 1, NULL), 0);
  assert_int_equal(uv_read_start((uv_stream_t *)&raw->tcp, raw_alloc, raw_read),
                   0);
}

/* Sends a handshake with this offer and then frames, waits for an answer. */
static void talk(raw_t *raw, uv_loop_t *uv, uint16_t port, const char *offer,
                 const void *frames, size_t len) {
  char bytes[2048];
  struct sockaddr_in address;
  int head =
      snprintf(bytes, sizeof(bytes),
               "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
               "Sec-WebSocket-Extensions: %s\r\n\r\n",
               offer);
  assert_true((size_t)head + len < sizeof(bytes));
  memcpy(bytes + head, frames, len);
  memset(raw, 0, sizeof(*raw));
  raw->tcp.data = raw->connect.data = raw;
  raw->bytes = uv_buf_init(bytes, (unsigned)((size_t)head + len));
  assert_int_equal(uv_tcp_init(uv, &raw->tcp), 0);
  assert_int_equal(uv_ip4_addr("127.0.0.1", port, &address), 0);
  assert_int_equal(uv_tcp_connect(&raw->connect, &raw->tcp,
                                  (const struct sockaddr *)&address,
                                  raw_connected),
                   0);
  while (!raw->closed)
    assert_true(uv_run(uv, UV_RUN_ONCE));
}

static int no_random(void *ctx, uint8_t *bytes, size_t len) {
  (void)ctx;
  memset(bytes, 0, len);
  return 0;
}

/* A frame of a client, compressed if deflate is there. */
static void put_frame(uvow__buf_t *out, uvow__deflate_t *deflate,
                      const char *text, size_t len) {
  static const uvow__framer_callbacks_t none = {NULL, NULL, NULL, NULL};
  uvow__mask_keys_t keys = {0};
  uvow__framer_config_t config = {0, 0, 0, no_random, deflate, NULL, 0, &keys};
  uvow__framer_t framer;
  assert_int_equal(
      uvow__framer_init(&framer, &uvow__mem_default, &config, &none, NULL), 0);
  assert_int_equal(uvow__framer_send(&framer, out, 1, 0, text, len), 0);
  uvow__framer_done(&framer);
}

TEST_CASE(a_server_agrees_and_compresses) {
  static const struct {
    const char *offer;
    const char *answer; /* NULL: none */
  } cases[] = {
      {D "; client_max_window_bits", D "; server_max_window_bits=12"},
      {D "; server_no_context_takeover; server_max_window_bits=10",
       D "; server_no_context_takeover; server_max_window_bits=10"},
      {D "; server_max_window_bits=8", NULL},
      {D "; foo", NULL},
      {"foo", NULL},
  };
  uvow_deflate_options_t deflate = deflate_options();
  uvow__deflate_config_t config;
  assert_int_equal(uvow__deflate_configure(&config, &deflate, 0), 0);
  deflate.server_max_window_bits = 12;
  deflate.threshold_bytes = 100;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    static const char message[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\""
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "\"]}";
    uvow__deflate_t packer;
    uvow__buf_t frames;
    char want[256];
    script_t s;
    raw_t raw;
    script_init(&s);
    uvow_server_t *server = new_server(s.loop, &deflate);
    uvow__deflate_init(&packer, &uvow__mem_default, &config);
    uvow__buf_init(&frames, &uvow__mem_default, 1000);
    put_frame(&frames, cases[i].answer ? &packer : NULL, message,
              sizeof(message) - 1);
    talk(&raw, &s.uv, uvow_server_port(server), cases[i].offer,
         uvow__buf_front(&frames), uvow__buf_size(&frames));
    snprintf(want, sizeof(want), "\r\nSec-WebSocket-Extensions: %s\r\n",
             cases[i].answer ? cases[i].answer : "");
    const char *found = strstr(raw.got, "\r\nSec-WebSocket-Extensions: ");
    if (cases[i].answer)
      assert_int_equal(strncmp(found, want, strlen(want)), 0);
    else
      assert_null(found);
    const char *frame = strstr(raw.got, "\r\n\r\n") + 4;
    assert_int_equal((uint8_t)frame[0], cases[i].answer ? 0xC1 : 0x81);
    uvow__buf_done(&frames);
    uvow__deflate_done(&packer);
    uvow_server_free(server);
    script_end(&s);
  }
}

TEST_CASE(a_server_refuses_a_malformed_offer) {
  uvow_deflate_options_t deflate = deflate_options();
  script_t s;
  raw_t raw;
  script_init(&s);
  uvow_server_t *server = new_server(s.loop, &deflate);
  talk(&raw, &s.uv, uvow_server_port(server), D "; =", "", 0);
  assert_int_equal(strncmp(raw.got, "HTTP/1.1 400 ", 13), 0);
  uvow_server_free(server);
  script_end(&s);
}

TEST_MODULE(deflate) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(answers_are_the_same_with_all_terms),
      cmocka_unit_test(wrong_options_are_refused),
      cmocka_unit_test(a_client_says_what_it_wants),
      cmocka_unit_test(what_grows_over_the_limit_does_not_hang),
      cmocka_unit_test(a_client_refuses_what_it_did_not_offer),
      cmocka_unit_test(a_bomb_is_answered_with_1009),
      cmocka_unit_test(a_server_agrees_and_compresses),
      cmocka_unit_test(a_server_refuses_a_malformed_offer),
  };
  return cmocka_run_group_tests_name("rpc/deflate", tests, NULL, NULL);
}
