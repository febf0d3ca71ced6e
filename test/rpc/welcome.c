/* A server that decides on handshakes: by origin, and by the user's word. */
#include "rpc/server.h"

#include "support/serve.h"
#include "support/support.h"
#include "support/tls_peer.h"

#include <stdio.h>

#include <signal.h>

/* A server, and a peer that writes what it wants. */
typedef struct door {
  uv_loop_t uv;
  uvow_loop_t *loop;
  test_alloc_t own_alloc;
  test_alloc_t *alloc;
  uvow_server_t *server;
  uv_tcp_t tcp;
  uv_connect_t connect;
  int connected;
  int ended;
  char came[70000];
  size_t len;
  uvow_next_t (*act)(struct door *door, uvow_websocket_t *ws);
  int asked;
  test_serve_t options;
} door_t;

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)handle;
  *buf = uv_buf_init((char *)malloc(suggested), (unsigned)suggested);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  door_t *door = (door_t *)stream->data;
  for (ssize_t i = 0; i < len && door->len < sizeof(door->came) - 1; i++)
    door->came[door->len++] = buf->base[i];
  free(buf->base);
  door->ended |= len < 0;
}

static void on_connect(uv_connect_t *connect, int status) {
  door_t *door = (door_t *)connect->data;
  if (status == 0)
    uv_read_start((uv_stream_t *)&door->tcp, on_alloc, on_read);
  door->connected = 1;
}

static uvow_next_t on_handshake(uvow_websocket_t *ws, void *data) {
  door_t *door = (door_t *)data;
  door->asked++;
  return door->act ? door->act(door, ws) : uvow_next_none();
}

/* A loop; what its server is made of is in options. */
static void door_init(door_t *door, test_alloc_t *alloc) {
  uvow_loop_options_t options = {0};
  memset(door, 0, sizeof(*door));
  (void)signal(SIGPIPE, SIG_IGN);
  door->alloc = alloc ? alloc : &door->own_alloc;
  if (!alloc)
    test_alloc_init(door->alloc);
  assert_int_equal(uv_loop_init(&door->uv), 0);
  options.size = sizeof(options);
  options.allocator = &door->alloc->allocator;
  door->loop = uvow_loop_new(&door->uv, &options);
  door->options = test_serve_options();
  static const char *const any[] = {"*"};
  door->options.listener.hosts = any;
  door->options.listener.host_count = 1;
  door->options.listener.on_handshake = on_handshake;
  door->options.listener.data = door->options.peer.data = door;
}

static int door_open(door_t *door) {
  struct sockaddr_in address;
  int rc = test_serve(door->loop, &door->options, &door->server);
  if (rc)
    return rc;
  assert_int_equal(uv_tcp_init(&door->uv, &door->tcp), 0);
  door->tcp.data = door->connect.data = door;
  uv_ip4_addr("127.0.0.1", uvow_server_port(door->server), &address);
  assert_int_equal(uv_tcp_connect(&door->connect, &door->tcp,
                                  (struct sockaddr *)&address, on_connect),
                   0);
  while (!door->connected)
    uv_run(&door->uv, UV_RUN_ONCE);
  return 0;
}

static void door_write(door_t *door, const void *bytes, size_t len) {
  size_t sent = 0;
  while (sent < len && !door->ended) {
    uv_buf_t buf =
        uv_buf_init((char *)(uintptr_t)bytes + sent, (unsigned)(len - sent));
    int rc = uv_try_write((uv_stream_t *)&door->tcp, &buf, 1);
    if (rc < 0 && rc != UV_EAGAIN)
      return;
    sent += rc > 0 ? (size_t)rc : 0;
    uv_run(&door->uv, UV_RUN_NOWAIT);
  }
}

static const char request_end[] =
    "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static size_t door_request(char *text, size_t cap, const char *target,
                           const char *headers) {
  return (size_t)snprintf(text, cap, "GET %s HTTP/1.1\r\n%s%s", target, headers,
                          request_end);
}

static void door_ask(door_t *door, const char *target, const char *headers) {
  char text[2048];
  size_t len = door_request(text, sizeof(text), target, headers);
  assert_int_equal(door_open(door), 0);
  door_write(door, text, len);
}

/* Until this came, or the end. */
static void door_until(door_t *door, const char *text) {
  door->came[door->len] = '\0';
  while (!door->ended && !(text && strstr(door->came, text))) {
    uv_run(&door->uv, UV_RUN_ONCE);
    door->came[door->len] = '\0';
  }
}

static void door_done(door_t *door) {
  uvow_server_free(door->server);
  if (door->connected)
    uv_close((uv_handle_t *)&door->tcp, NULL);
  if (door->loop)
    uvow_loop_close(door->loop, NULL, NULL);
  uv_run(&door->uv, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&door->uv), 0);
}

static void door_end(door_t *door) {
  door_done(door);
  assert_int_equal(door->alloc->live, 0);
}

static void expect_in(const door_t *door, const char *text) {
  if (!strstr(door->came, text))
    fail_msg("\"%s\" isn't in \"%s\"", text, door->came);
}

static uvow_next_t look(door_t *door, uvow_websocket_t *ws) {
  (void)door;
  for (int twice = 0; twice < 2; twice++) {
    assert_string_equal(uvow_websocket_target(ws), "/a?b=c%20");
    assert_string_equal(uvow_websocket_header(ws, "x-token"), "t 1");
    assert_string_equal(uvow_websocket_header(ws, "X-EMPTY"), "");
    assert_string_equal(uvow_websocket_header(ws, "Host"), "h");
    assert_null(uvow_websocket_header(ws, "X-Toke"));
    assert_null(uvow_websocket_header(ws, NULL));
    assert_int_equal(uvow_websocket_choose(ws, "one"), 0);
    assert_int_equal(uvow_websocket_choose(ws, "three"), 0);
    assert_int_equal(uvow_websocket_choose(ws, "four"), UVOW_EINVAL);
    assert_int_equal(uvow_websocket_choose(ws, "One"), UVOW_EINVAL);
    assert_int_equal(uvow_websocket_choose(ws, NULL), 0);
    assert_non_null(uvow_websocket_header(ws, "Sec-WebSocket-Protocol"));
  }
  return uvow_next_none();
}

#define OFFER                                                                  \
  "X-Token: \tt 1 \r\nX-Empty:\r\nX-Token: 2\r\n"                              \
  "Sec-WebSocket-Protocol: one, two\r\nSec-WebSocket-Protocol:three\r\n"

TEST_CASE(test_shown) {
  door_t door;
  door_init(&door, NULL);
  door.act = look;
  door_ask(&door, "/a?b=c%20", OFFER);
  door_until(&door, "\r\n\r\n");
  expect_in(&door, "HTTP/1.1 101 ");
  assert_null(strstr(door.came, "Protocol:"));
  assert_int_equal(door.asked, 1);
  assert_int_equal(test_peers(door.server), 1);
  door_end(&door);
}

static uvow_next_t choose(door_t *door, uvow_websocket_t *ws) {
  (void)door;
  assert_int_equal(uvow_websocket_choose(ws, "four"), UVOW_EINVAL);
  assert_int_equal(uvow_websocket_choose(ws, "three"), 0);
  return uvow_next_none();
}

static uvow_next_t choose_none(door_t *door, uvow_websocket_t *ws) {
  (void)door;
  assert_int_equal(uvow_websocket_choose(ws, NULL), 0);
  return uvow_next_none();
}

TEST_CASE(test_subprotocol) {
  static const char *const own[] = {"two"};
  for (int i = 0; i < 3; i++) {
    door_t door;
    door_init(&door, NULL);
    door.options.listener.subprotocols = own;
    door.options.listener.subprotocol_count = 1;
    door.act = i == 0 ? NULL : i == 1 ? choose : choose_none;
    door_ask(&door, "/", OFFER);
    door_until(&door, "\r\n\r\n");
    expect_in(&door, "HTTP/1.1 101 ");
    if (i == 2)
      assert_null(strstr(door.came, "Protocol:"));
    else
      expect_in(&door, i ? "Sec-WebSocket-Protocol: three\r\n"
                         : "Sec-WebSocket-Protocol: two\r\n");
    door_end(&door);
  }
}

static uvow_next_t refuse(door_t *door, uvow_websocket_t *ws) {
  (void)door;
  assert_int_equal(uvow_websocket_refuse(ws, 500, NULL), 0);
  assert_int_equal(uvow_websocket_refuse(ws, 401, "who are you?"), 0);
  return uvow_next_code(UVOW_EINVAL, NULL);
}

static uvow_next_t refuse_badly(door_t *door, uvow_websocket_t *ws) {
  (void)door;
  assert_int_equal(uvow_websocket_refuse(ws, 200, "no"), UVOW_EINVAL);
  return uvow_next_code(UVOW_EINVAL, NULL);
}

TEST_CASE(test_refused) {
  for (int i = 0; i < 2; i++) {
    door_t door;
    door_init(&door, NULL);
    door.act = i ? refuse_badly : refuse;
    door_ask(&door, "/", OFFER);
    door_until(&door, NULL);
    expect_in(&door, i ? "HTTP/1.1 403 " : "HTTP/1.1 401 ");
    expect_in(&door, i ? "\r\n\r\nrefused\n" : "\r\n\r\nwho are you?\n");
    while (test_guests(door.server))
      uv_run(&door.uv, UV_RUN_ONCE);
    door_end(&door);
  }
}

/* The callback may end all that it is about. */
static uvow_next_t free_server(door_t *door, uvow_websocket_t *ws) {
  uvow_server_free(door->server);
  door->server = NULL;
  assert_string_equal(uvow_websocket_target(ws), "/");
  assert_int_equal(uvow_websocket_choose(ws, "one"), UVOW_EINVAL);
  assert_int_equal(uvow_websocket_refuse(ws, 404, "late"), UVOW_EINVAL);
  return uvow_next_none();
}

static uvow_next_t close_server(door_t *door, uvow_websocket_t *ws) {
  (void)ws;
  uvow_future_detach(uvow_server_close(door->server));
  return uvow_next_none();
}

TEST_CASE(test_end_within) {
  for (int i = 0; i < 2; i++) {
    door_t door;
    door_init(&door, NULL);
    door.act = i ? free_server : close_server;
    door_ask(&door, "/", OFFER);
    door_until(&door, NULL);
    assert_int_equal(door.asked, 1);
    assert_null(strstr(door.came, "101"));
    door_end(&door);
  }
}

/* What follows the request at once isn't lost: a call is answered. */
TEST_CASE(test_early_bytes) {
  static const char call[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}";
  for (int asked = 0; asked < 2; asked++) {
    door_t door;
    char text[4096];
    door_init(&door, NULL);
    if (!asked)
      door.options.listener.on_handshake = NULL;
    assert_int_equal(door_open(&door), 0);
    size_t len = door_request(text, sizeof(text), "/", "");
    text[len++] = (char)0x81;
    text[len++] = (char)(0x80 | (sizeof(call) - 1));
    memset(text + len, 0, 4);
    memcpy(text + len + 4, call, sizeof(call) - 1);
    door_write(&door, text, len + 4 + sizeof(call) - 1);
    door_until(&door, "-32601");
    expect_in(&door, "HTTP/1.1 101 ");
    expect_in(&door, "-32601");
    door_end(&door);
  }
}

static uvow_next_t await_for_ever(door_t *door, uvow_websocket_t *ws) {
  (void)ws;
  return uvow_next_future(uvow_future_delay(door->loop, 600000));
}

/* While nobody answers, the deadline goes on, and what comes has a limit. */
TEST_CASE(test_awaiting) {
  static char much[UVOW__EARLY_MAX + 1];
  for (int in_time = 0; in_time < 2; in_time++) {
    door_t door;
    door_init(&door, NULL);
    door.act = await_for_ever;
    door.options.listener.handshake_timeout_ms = in_time ? 600000 : 1;
    door_ask(&door, "/", "");
    if (in_time) {
      door_write(&door, much, UVOW__EARLY_MAX);
      for (int i = 0; i < 10; i++)
        uv_run(&door.uv, UV_RUN_NOWAIT);
      assert_int_equal(test_guests(door.server), 1);
      door_write(&door, much, 1);
    }
    door_until(&door, NULL);
    assert_int_equal(door.len, 0);
    assert_int_equal(test_guests(door.server), 0);
    door_end(&door);
  }
}

TEST_CASE(test_origins) {
  static const char *const origins[] = {"https://app.test", "http://b:81"};
  static const struct {
    const char *headers;
    int ok;
  } cases[] = {
      {"Origin: https://app.test\r\n", 1},
      {"Origin: HTTPS://App.test\r\n", 1},
      {"Origin: http://b:81\r\n", 1},
      {"Origin: http://b\r\n", 0},
      {"Origin: http://h\r\n", 1}, /* its own page */
      {"Origin: https://app.test.evil\r\n", 0},
      {"Origin: https://app.tes\r\n", 0},
      {"Origin: null\r\n", 0},
      {"", 1},
      {"Origin: https://app.test\r\nOrigin: https://app.test\r\n", 0},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    door_t door;
    door_init(&door, NULL);
    door.options.listener.origins = origins;
    door.options.listener.origin_count = 2;
    door_ask(&door, "/", cases[i].headers);
    door_until(&door, "\r\n\r\n");
    expect_in(&door, cases[i].ok ? "HTTP/1.1 101 " : "HTTP/1.1 403 ");
    assert_int_equal(door.asked, cases[i].ok); /* the user isn't bothered */
    door_end(&door);
  }
}

/* By default: its own pages, and no name but localhost on a loopback address. */
TEST_CASE(test_default_hosts_and_origins) {
  static const char *const named[] = {"app.test"};
  static const struct {
    const char *headers;
    int ok;
    int ok_with_name;
  } cases[] = {
      {"Host: localhost:81\r\n", 1, 0},
      {"Host: LocalHost\r\n", 1, 0},
      {"Host: 127.0.0.1:9\r\n", 1, 0},
      {"Host: [::1]:9\r\n", 1, 0},
      {"Host: app.test:81\r\n", 0, 1},
      {"Host: localhost.evil\r\n", 0, 0},
      {"Host: 127.0.0.1.evil:9\r\n", 0, 0},
      {"Host: localhost:81\r\nOrigin: http://localhost:81\r\n", 1, 0},
      {"Host: localhost:81\r\nOrigin: HTTP://LOCALHOST:81\r\n", 1, 0},
      {"Host: localhost:81\r\nOrigin: http://localhost\r\n", 0, 0},
      {"Host: localhost:81\r\nOrigin: http://evil:81\r\n", 0, 0},
      {"Host: localhost:81\r\nOrigin: null\r\n", 0, 0},
      {"Host: localhost:81\r\nOrigin: \r\n", 0, 0},
      {"Host: app.test\r\nOrigin: https://app.test\r\n", 0, 1},
      {"Host: app.test\r\nOrigin: https://evil\r\n", 0, 0},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    for (int name = 0; name < 2; name++) {
      door_t door;
      char text[512];
      int ok = name ? cases[i].ok_with_name : cases[i].ok;
      door_init(&door, NULL);
      door.options.listener.hosts = name ? named : NULL;
      door.options.listener.host_count = (size_t)name;
      int len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s%s",
                         cases[i].headers, request_end + sizeof("Host: h\r"));
      assert_int_equal(door_open(&door), 0);
      door_write(&door, text, (size_t)len);
      door_until(&door, "\r\n\r\n");
      expect_in(&door, ok ? "HTTP/1.1 101 " : "HTTP/1.1 403 ");
      door_end(&door);
    }
}

/* A head over 64 KiB, or of too many fields: 431; and it isn't awaited. */
TEST_CASE(test_head_size) {
  for (int many = 0; many < 2; many++) {
    door_t door;
    char line[1024];
    door_init(&door, NULL);
    assert_int_equal(door_open(&door), 0);
    door_write(&door, "GET / HTTP/1.1\r\nHost: h\r\n", 25);
    memset(line, 'x', sizeof(line));
    memcpy(line, "X:", 2);
    memcpy(line + (many ? 3 : sizeof(line) - 2), "\r\n", 2);
    for (int i = 0; i < 200 && !door.ended; i++)
      door_write(&door, line, many ? 5 : sizeof(line));
    door_until(&door, NULL);
    expect_in(&door, "HTTP/1.1 431 ");
    expect_in(&door, many ? "its head has more than 100 fields"
                          : "its head has more than 65536 bytes");
    assert_int_equal(door.asked, 0);
    door_end(&door);
  }
}

/* A byte now and then doesn't help: the time is for the whole handshake. */
TEST_CASE(test_slow_client) {
  door_t door;
  door_init(&door, NULL);
  door.options.listener.handshake_timeout_ms = 1;
  assert_int_equal(door_open(&door), 0);
  door_write(&door, "GET / HTTP/1.1\r\nHo", 18);
  door_until(&door, NULL); /* by itself: nothing else ends it */
  assert_int_equal(door.asked, 0);
  assert_int_equal(test_guests(door.server), 0);
  door_end(&door);
}

/* Nor does TLS: whoever says nothing, or half of a ClientHello. */
TEST_CASE(test_slow_tls) {
  static const uint8_t hello[] = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01,
                                  0x00, 0x01, 0xfc, 0x03, 0x03};
  for (size_t len = 0; len <= sizeof(hello); len += sizeof(hello)) {
    door_t door;
    door_init(&door, NULL);
    uvow_tls_options_t options = tls_options(1);
    assert_int_equal(
        uvow_tls_new(door.loop, &options, &door.options.listener.tls, NULL), 0);
    door.options.listener.handshake_timeout_ms = 1;
    assert_int_equal(door_open(&door), 0);
    for (size_t i = 0; i < len; i++)
      door_write(&door, hello + i, 1);
    door_until(&door, NULL);
    assert_int_equal(door.asked, 0);
    assert_int_equal(test_guests(door.server), 0);
    uvow_tls_unref(door.options.listener.tls);
    door_end(&door);
  }
}

static void sweep(test_alloc_t *alloc, void *data) {
  static const char *const own[] = {"two"};
  static const char *const origins[] = {"http://p", "http://o"};
  door_t door;
  door_init(&door, alloc);
  door.act = data ? refuse_badly : NULL;
  door.options.listener.subprotocols = own;
  door.options.listener.subprotocol_count = 1;
  door.options.listener.origins = origins;
  door.options.listener.origin_count = 2;
  if (door.loop && door_open(&door) == 0) {
    char text[2048];
    door_write(&door, text, door_request(text, sizeof(text), "/", OFFER));
    door_until(&door, "\r\n\r\n");
  }
  door_done(&door);
}

TEST_CASE(test_oom) {
  test_alloc_sweep(sweep, NULL);
}

TEST_MODULE(welcome) {
  const struct CMUnitTest tests[] = {
      {"a handshake is shown", test_shown, NULL, NULL, NULL},
      {"a subprotocol is chosen", test_subprotocol, NULL, NULL, NULL},
      {"a handshake is refused", test_refused, NULL, NULL, NULL},
      {"the server may go within", test_end_within, NULL, NULL, NULL},
      {"what comes before the answer is kept", test_early_bytes, NULL, NULL,
       NULL},
      {"waiting for an answer has limits", test_awaiting, NULL, NULL, NULL},
      {"only these origins are welcome", test_origins, NULL, NULL, NULL},
      {"by default its own pages are", test_default_hosts_and_origins, NULL,
       NULL, NULL},
      {"a head has a limit", test_head_size, NULL, NULL, NULL},
      {"a slow client is dropped", test_slow_client, NULL, NULL, NULL},
      {"and one that is slow at TLS", test_slow_tls, NULL, NULL, NULL},
      {"memory may be missing", test_oom, NULL, NULL, NULL},
  };
  return cmocka_run_group_tests_name("rpc/welcome", tests, tls_setup,
                                     tls_teardown);
}
