/* More peers that are being left than may linger: they have much to read, and
 * don't. */
#include "rpc/server.h"

#include "support/script.h"
#include "support/serve.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uvow/group.h>

#include "net/loop.h"

enum { CROWD = 5, MUCH = 8 * 1024 * 1024 };

typedef struct fixture {
  script_t s;
  uvow_server_t *server;
  int fds[CROWD];
  int opened;
  int closed; /* peers of the server's that were told so */
} fixture_t;

static void on_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                     void *data) {
  fixture_t *x = (fixture_t *)data;
  (void)peer;
  x->opened += change->state == UVOW_PEER_OPEN;
  x->closed += change->state == UVOW_PEER_CLOSED;
}

static void put(int fd, const char *bytes) {
  ssize_t len = (ssize_t)strlen(bytes);
  assert_int_equal(send(fd, bytes, (size_t)len, MSG_NOSIGNAL), len);
}

static int dial(unsigned port) {
  struct sockaddr_in to = {0};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  to.sin_family = AF_INET;
  to.sin_port = htons((uint16_t)port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
  put(fd,
      "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  return fd;
}

static void until(fixture_t *x, const int *count) {
  while (*count < CROWD)
    assert_true(uv_run(&x->s.uv, UV_RUN_ONCE));
}

/* Each has more to read than the system takes. */
static void start(fixture_t *x, size_t linger_max) {
  test_serve_t options = test_serve_options();
  char *much = (char *)malloc(MUCH);
  assert_non_null(much);
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  x->s.loop->linger_max = linger_max;
  options.peer.on_state = on_state;
  options.peer.data = x;
  assert_int_equal(test_serve(x->s.loop, &options, &x->server), 0);
  for (int i = 0; i < CROWD; i++)
    x->fds[i] = dial(uvow_server_port(x->server));
  until(x, &x->opened);
  memset(much, 'm', MUCH);
  memcpy(much, "[\"", 2);
  memcpy(much + MUCH - 2, "\"]", 2);
  assert_int_equal(
      uvow_group_notify(uvow_server_peers(x->server), "much",
                        uvow_value_slice(&(uvow_slice_t){much, MUCH})),
      0);
  free(much);
  script_turns(&x->s);
}

static void end(fixture_t *x) {
  for (int i = 0; i < CROWD; i++)
    close(x->fds[i]);
  uvow_server_free(x->server);
  script_end(&x->s);
}

/* All of them break the protocol at once: for each that is too many, the one that
 * came first goes, and nobody else. */
TEST_CASE(a_crowd_is_left) {
  for (size_t max = 1; max <= CROWD; max++) {
    fixture_t x;
    start(&x, max);
    for (int i = 0; i < CROWD; i++)
      put(x.fds[i], "\x81\x01m"); /* not masked */
    until(&x, &x.closed);
    script_turns(&x.s);
    assert_int_equal(x.closed, CROWD);
    assert_int_equal(x.s.loop->lingering, max);
    /* Two for each, its socket's and its own; it listens. */
    assert_int_equal(x.s.loop->streams, 2 * max + 1);
    end(&x);
  }
}

TEST_MODULE(crowd) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_crowd_is_left),
  };
  return cmocka_run_group_tests_name("rpc/crowd", tests, NULL, NULL);
}
