/* What one turn of the loop takes on: those who connect, steps of TLS's
 * handshakes. */
#include "support/tls_peer.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/tcp.h"

enum { CROWD = 20 };

/* Newcomers. */

typedef struct doors {
  script_t s;
  uvow__listener_t *listener;
  uint16_t port;
  int fds[CROWD];
  uvow__io_t *streams[CROWD];
  int came;
  int closed;    /* streams */
  int crowded;   /* with each that comes the turn has had enough */
  int is_closed; /* the listener */
} doors_t;

static void on_nothing(void *ctx) {
  (void)ctx;
}

static void on_read(void *ctx, const uint8_t *bytes, size_t len) {
  (void)ctx;
  (void)bytes;
  (void)len;
}

static void on_end(void *ctx, uvow_error_t *error) {
  (void)ctx;
  uvow_error_unref(error);
}

static void on_closed(void *ctx) {
  ((doors_t *)ctx)->closed++;
}

static const uvow__io_callbacks_t callbacks = {on_nothing, on_read, on_nothing,
                                               on_end, on_closed};

static void on_incoming(void *ctx, uvow__listener_t *listener) {
  doors_t *x = (doors_t *)ctx;
  size_t *spent = uvow__loop_spent(x->s.loop);
  assert_int_equal(uvow__tcp_transport.accept(&uvow__tcp_transport, listener,
                                              &callbacks, x,
                                              &x->streams[x->came++]),
                   0);
  if (x->crowded)
    *spent = UVOW__TURN_ALL;
  else
    assert_int_equal(*spent, (size_t)x->came * UVOW__TURN_NEWCOMER);
}

static void on_listener_closed(void *ctx) {
  ((doors_t *)ctx)->is_closed = 1;
}

static const uvow__listener_callbacks_t listener_callbacks = {
    on_incoming, on_listener_closed};

/* All of them are connected, as far as the system goes. */
static void open_doors(doors_t *x, int crowded) {
  struct sockaddr_in to = {0};
  memset(x, 0, sizeof(*x));
  x->crowded = crowded;
  script_init(&x->s);
  assert_int_equal(uvow__tcp_listen(x->s.loop, "127.0.0.1", 0,
                                    &listener_callbacks, x, &x->listener),
                   0);
  assert_int_equal(uvow__listens_at(x->listener, &x->port), 0);
  to.sin_family = AF_INET;
  to.sin_port = htons(x->port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < CROWD; i++) {
    x->fds[i] = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(x->fds[i] >= 0);
    assert_int_equal(connect(x->fds[i], (struct sockaddr *)&to, sizeof(to)), 0);
  }
}

static void close_doors(doors_t *x) {
  uvow__unlisten(x->listener);
  for (int i = 0; i < x->came; i++)
    x->streams[i]->ops->close(x->streams[i]);
  for (int i = 0; i < CROWD; i++)
    close(x->fds[i]);
  while (uv_run(&x->s.uv, UV_RUN_ONCE))
    ;
  assert_int_equal(x->closed, x->came);
  assert_true(x->is_closed);
  script_end(&x->s);
}

/* At most 128 have one turn. */
TEST_CASE(newcomers_count_for_their_turn) {
  doors_t x;
  assert_true(128 * UVOW__TURN_NEWCOMER >= UVOW__TURN_ALL);
  open_doors(&x, 0);
  uv_run(&x.s.uv, UV_RUN_NOWAIT);
  assert_int_equal(x.came, CROWD);
  close_doors(&x);
}

/* One has its turn however much else there is: and nobody is lost. */
TEST_CASE(of_a_crowd_each_turn_has_some) {
  doors_t x;
  open_doors(&x, 1);
  uv_run(&x.s.uv, UV_RUN_NOWAIT);
  assert_int_equal(x.came, 1);
  while (x.came < CROWD) {
    int before = x.came;
    uv_run(&x.s.uv, UV_RUN_NOWAIT);
    assert_true(x.came > before);
    /* The one that waited; and another, if the clock's next ms began. */
    assert_true(x.came <= before + 2);
  }
  close_doors(&x);
}

TEST_CASE(who_waits_may_find_it_closed) {
  doors_t x;
  open_doors(&x, 1);
  uv_run(&x.s.uv, UV_RUN_NOWAIT);
  assert_int_equal(x.came, 1);
  close_doors(&x);
  assert_int_equal(x.came, 1);
}

/* Handshakes. */

static size_t *spent_of(tls_pair_t *pair) {
  return uvow__loop_spent(pair->s.loop);
}

/* So do two steps of a handshake, however its bytes come: at most eight. */
TEST_CASE(handshakes_count_for_their_turn) {
  assert_true(8 * UVOW__TURN_HANDSHAKE >= UVOW__TURN_ALL);
  for (int i = 0; i < 4; i++) {
    tls_pair_t pair;
    tls_pair_make(&pair, i % 2, UVOW_TLS_1_3);
    pair.s.cut = (unsigned)i / 2; /* whole, bytes */
    assert_int_equal(tls_pair_start(&pair), 0);
    tls_pair_run(&pair);
    assert_int_equal(pair.opened, 1);
    assert_int_equal(*spent_of(&pair), 2 * UVOW__TURN_HANDSHAKE);
    tls_pair_end(&pair);
  }
}

/* A handshake of which a step has come, and waits. */
static void make_waiting(tls_pair_t *pair, int is_server) {
  tls_pair_make(pair, is_server, 0);
  assert_int_equal(tls_pair_start(pair), 0);
  tls_pair_to_peer(pair);
  *spent_of(pair) = UVOW__TURN_ALL;
  assert_true(tls_pair_to_us(pair));
  assert_int_equal(pair->s.paused, 1);
  assert_int_equal(pair->s.sent_len, 0);
}

TEST_CASE(a_handshake_waits_for_a_turn_with_time) {
  for (int is_server = 0; is_server < 2; is_server++) {
    tls_pair_t pair;
    make_waiting(&pair, is_server);
    uvow__loop_turn(pair.s.loop);
    assert_int_equal(pair.s.paused, 0);
    tls_pair_run(&pair);
    assert_int_equal(pair.opened, 1);
    tls_pair_end(&pair);
  }
}

typedef struct crowd {
  uvow__task_t task;
  uvow_loop_t *loop;
} crowd_t;

static void take_all(uvow__task_t *task) {
  crowd_t *crowd = UVOW__CONTAINER(task, crowd_t, task);
  *uvow__loop_spent(crowd->loop) = UVOW__TURN_ALL;
}

/* However often there's no time: it keeps its place, and nothing is lost. */
TEST_CASE(it_waits_as_long_as_it_must) {
  tls_pair_t pair;
  crowd_t crowd;
  tls_pair_make(&pair, 1, 0);
  crowd.loop = pair.s.loop;
  uvow__task_init(&crowd.task, take_all);
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_to_peer(&pair);
  uvow__loop_next_turn(pair.s.loop, &crowd.task);
  *spent_of(&pair) = UVOW__TURN_ALL;
  assert_true(tls_pair_to_us(&pair));
  for (int i = 0; i < 3; i++) {
    uvow__loop_turn(pair.s.loop);
    assert_int_equal(pair.s.paused, 1);
    assert_int_equal(pair.s.sent_len, 0);
    /* Before it, again. */
    uvow__list_prepend(&pair.s.loop->next_turn, &crowd.task.link);
  }
  uvow__task_cancel(&crowd.task);
  uvow__loop_turn(pair.s.loop);
  assert_int_equal(pair.s.paused, 0);
  assert_true(pair.s.sent_len > 0);
  tls_pair_run(&pair);
  assert_int_equal(pair.opened, 1);
  tls_pair_end(&pair);
}

TEST_CASE(one_that_waits_may_end_or_be_closed) {
  for (int is_server = 0; is_server < 2; is_server++) {
    tls_pair_t pair;
    make_waiting(&pair, is_server);
    script_hang_up(&pair.s, 0);
    tls_pair_expect_end(&pair, UVOW_ETLS, "");
    uvow__loop_turn(pair.s.loop);
    tls_pair_end(&pair);
    make_waiting(&pair, is_server);
    tls_pair_close(&pair);
    uvow__loop_turn(pair.s.loop);
    tls_pair_end(&pair);
  }
}

/* Whatever fails: it's told, once, and all is given back. */
static void wait_without_memory(test_alloc_t *alloc, void *data) {
  uvow_tls_options_t options = tls_options(1);
  tls_pair_t pair;
  (void)data;
  tls_pair_init_with(&pair, alloc);
  if (pair.s.loop)
    tls_pair_ours(&pair, &options);
  if (pair.tls) {
    tls_pair_peer(&pair, NULL, NULL);
    if (tls_pair_start(&pair) == 0) {
      tls_pair_to_peer(&pair);
      *spent_of(&pair) = UVOW__TURN_ALL;
      tls_pair_to_us(&pair);
      assert_int_equal(pair.ended, alloc->failed);
      uvow__loop_turn(pair.s.loop);
      tls_pair_run(&pair);
    }
  }
  if (!alloc->failed)
    assert_int_equal(pair.opened, 1);
  tls_pair_quit(&pair);
}

TEST_CASE(it_waits_without_memory) {
  test_alloc_sweep(wait_without_memory, NULL);
}

TEST_MODULE(turns) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(newcomers_count_for_their_turn),
      cmocka_unit_test(of_a_crowd_each_turn_has_some),
      cmocka_unit_test(who_waits_may_find_it_closed),
      cmocka_unit_test(handshakes_count_for_their_turn),
      cmocka_unit_test(a_handshake_waits_for_a_turn_with_time),
      cmocka_unit_test(it_waits_as_long_as_it_must),
      cmocka_unit_test(one_that_waits_may_end_or_be_closed),
      cmocka_unit_test(it_waits_without_memory),
  };
  return cmocka_run_group_tests_name("net/turns", tests, tls_setup,
                                     tls_teardown);
}
