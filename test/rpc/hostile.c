/* From each callback of the application's, over real sockets, all that it has is
 * closed, ended, freed or canceled: none is told twice, and nothing is left. */
#include "rpc/server.h"

#include "support/script.h"
#include "support/serve.h"
#include "support/tls_peer.h"

#include <stdio.h>

#include <uvow/group.h>
#include <uvow/stream.h>
#include <uvow/subscription.h>

typedef enum site {
  RENEW,
  DOOR, /* on_handshake */
  OPENING,
  STATE,
  PEER_STATE, /* of the server's peer */
  METHOD,
  EVENT,  /* a method for all names */
  CALLED, /* by the server */
  EACH,
  EACH_OF_SUB,
  READY, /* from here on: once */
  THEN,
  FINALLY,
  CATCH,
  DONE,
  SUBSCRIBED,
  EACH_END,
  ON_CANCEL,
  WALK,
  CLOSED,
  OF_CANCEL, /* from here on: destructors, of on_cancel's data, */
  OF_FUTURE, /* of a future's, */
  OF_VALUE,  /* of what a method returned, */
  OF_PEER,   /* of a peer's data, */
  OF_METHODS,
  SITES
} site_t;

typedef enum act {
  NOTHING,
  FREE_PEER,
  CLOSE_PEER,
  END_PEER,
  END_OTHER, /* the server's end of it */
  CANCEL,
  FREE_SERVER,
  CLOSE_SERVER,
  CLOSE_LOOP,
  DROP_ALL,
  ACTS
} act_t;

typedef struct world {
  script_t s;
  site_t site;
  act_t act;
  int acted;
  int calls[SITES];
  int is_closed;      /* the loop is */
  uvow_tls_t *tls[2]; /* the client's, the server's; NULL: it's plain */
  uvow_server_t *server;
  uvow_peer_t *other;
  uvow_stream_t *events;
  uvow_stream_t *sub;
  uvow_future_t *kept; /* of `wait` */
  uvow_promise_t *promise;
} world_t;

/* ---- what is done ---- */

static void free_peer(world_t *w) {
  uvow_peer_t *client = w->s.client;
  w->s.client = NULL;
  uvow_peer_unref(client);
}

static void free_server(world_t *w) {
  uvow_server_t *server = w->server;
  w->server = NULL;
  uvow_server_free(server);
}

static void cancel(world_t *w) {
  uvow_future_t *kept = w->kept;
  w->kept = NULL;
  if (kept)
    uvow_future_cancel(kept);
  uvow_future_unref(kept);
}

static void close_loop(world_t *w) {
  if (!w->is_closed)
    uvow_loop_close(w->s.loop, NULL, NULL);
  w->is_closed = 1;
}

static void drop_all(world_t *w) {
  uvow_stream_t *events = w->events;
  uvow_promise_t *promise = w->promise;
  uvow_peer_t *other = w->other;
  uvow_stream_t *sub = w->sub;
  w->events = w->sub = NULL;
  w->promise = NULL;
  w->other = NULL;
  uvow_stream_unref(events);
  uvow_stream_unref(sub);
  cancel(w);
  uvow_promise_drop(promise);
  free_peer(w);
  uvow_peer_unref(other);
  free_server(w);
}

static void on_quiet(const uvow_result_t *result, void *data) {
  (void)result, (void)data;
}

static void forget(uvow_future_t *f) {
  assert_int_equal(uvow_future_done(f, on_quiet, NULL), 0);
}

static void act(world_t *w) {
  switch (w->act) {
  case FREE_PEER:
    free_peer(w);
    break;
  case CLOSE_PEER:
    if (w->s.client)
      forget(uvow_peer_close(w->s.client));
    break;
  case END_PEER:
    uvow_peer_end(w->s.client);
    break;
  case END_OTHER:
    uvow_peer_end(w->other);
    break;
  case CANCEL:
    cancel(w);
    break;
  case FREE_SERVER:
    free_server(w);
    break;
  case CLOSE_SERVER:
    if (w->server)
      forget(uvow_server_close(w->server));
    break;
  case DROP_ALL:
    drop_all(w);
    /* fall through */
  case CLOSE_LOOP:
    close_loop(w);
    break;
  default:
    break;
  }
}

static void at(world_t *w, site_t site) {
  w->calls[site]++;
  if (site != w->site || w->acted || w->act == NOTHING)
    return;
  w->acted = 1;
  act(w);
}

/* ---- the callbacks ---- */

#define DESTROY(name, site)                                                    \
  static void name(void *data) {                                               \
    at((world_t *)data, site);                                                 \
  }
DESTROY(of_cancel, OF_CANCEL)
DESTROY(of_future, OF_FUTURE)
DESTROY(of_value, OF_VALUE)
DESTROY(of_peer, OF_PEER)
DESTROY(of_methods, OF_METHODS)

static const uvow_type_t own_type = {sizeof(own_type), "own", NULL, of_value};

static uvow_next_t on_door(uvow_websocket_t *ws, void *data) {
  (void)ws;
  at((world_t *)data, DOOR);
  return uvow_next_none();
}

static uvow_next_t on_renew(uvow_peer_t *peer, uint32_t attempt, void *data) {
  (void)peer, (void)attempt;
  at((world_t *)data, RENEW);
  return uvow_next_none();
}

static uvow_next_t on_opening(uvow_peer_t *first, void *data) {
  (void)first;
  at((world_t *)data, OPENING);
  return uvow_next_none();
}

static void on_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                     void *data) {
  (void)peer, (void)change;
  at((world_t *)data, STATE);
}

static void on_peer_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                          void *data) {
  world_t *w = (world_t *)data;
  if (change->state == UVOW_PEER_OPEN && !w->other)
    w->other = uvow_peer_ref(peer);
  at(w, PEER_STATE);
}

#define ON_DONE(name, site)                                                    \
  static void name(const uvow_result_t *result, void *data) {                  \
    (void)result;                                                              \
    at((world_t *)data, site);                                                 \
  }
ON_DONE(on_ready, READY)
ON_DONE(on_done, DONE)
ON_DONE(on_subscribed, SUBSCRIBED)
ON_DONE(on_each_end, EACH_END)
ON_DONE(on_closed, CLOSED)

#define ON_THEN(name, site)                                                    \
  static uvow_next_t name(const uvow_result_t *result, void *data) {           \
    (void)result;                                                              \
    at((world_t *)data, site);                                                 \
    return uvow_next_none();                                                   \
  }
ON_THEN(on_then, THEN)
ON_THEN(on_catch, CATCH)
ON_THEN(on_each, EACH)
ON_THEN(on_each_of_sub, EACH_OF_SUB)

static uvow_next_t on_finally(void *data) {
  at((world_t *)data, FINALLY);
  return uvow_next_none();
}

#define ON_CALL(name, site)                                                    \
  static uvow_next_t name(uvow_call_t *call, const uvow_result_t *params,      \
                          void *data) {                                        \
    (void)call, (void)params;                                                  \
    at((world_t *)data, site);                                                 \
    return uvow_next_pass();                                                   \
  }
ON_CALL(echo_cb, METHOD)
ON_CALL(event_cb, EVENT)
ON_CALL(back_cb, CALLED)

static uvow_next_t own_cb(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  (void)call, (void)params;
  return uvow_next_value(uvow_value_ptr(&own_type, data));
}

/* Tells, and asks, who called. */
static uvow_next_t tell_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  uvow_peer_t *peer = uvow_call_peer(call);
  (void)params, (void)data;
  (void)uvow_peer_notify(peer, "tick", uvow_value_none());
  (void)uvow_peer_notify(peer, "tock", uvow_value_none());
  return uvow_next_future(uvow_peer_request(peer, "back", uvow_value_none()));
}

/* An event comes before the answer, which has its key. */
static uvow_next_t sub_cb(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  (void)params, (void)data;
  (void)uvow_peer_notify(uvow_call_peer(call), "news",
                         uvow_value_raw("{\"k\":7}"));
  return uvow_next_value(uvow_value_int64(7));
}

static void on_cancel(void *data) {
  world_t *w = (world_t *)data;
  uvow_promise_t *promise = w->promise;
  w->promise = NULL;
  at(w, ON_CANCEL);
  uvow_promise_drop(promise);
}

static uvow_next_t wait_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  world_t *w = (world_t *)data;
  (void)params;
  uvow_future_t *f = uvow_promise_new(uvow_call_loop(call), &w->promise);
  uvow_promise_on_cancel(w->promise, on_cancel, w, of_cancel);
  return uvow_next_future(f);
}

static void on_walk(uvow_peer_t *peer, void *data) {
  (void)peer;
  at((world_t *)data, WALK);
}

/* ---- a world ---- */

static void serve(world_t *w) {
  test_serve_t options = test_serve_options();
  options.listener.on_handshake = on_door;
  options.listener.data = w;
  options.listener.tls = w->tls[1];
  options.peer.on_state = on_peer_state;
  options.peer.data = w;
  uvow_methods_t *methods = options.peer.methods = uvow_methods_new(w->s.loop);
  assert_int_equal(uvow_methods_add(methods, "echo", echo_cb, w), 0);
  assert_int_equal(uvow_methods_add(methods, "own", own_cb, w), 0);
  assert_int_equal(uvow_methods_add(methods, "tell", tell_cb, w), 0);
  assert_int_equal(uvow_methods_add(methods, "wait", wait_cb, w), 0);
  assert_int_equal(uvow_methods_add(methods, "sub", sub_cb, w), 0);
  assert_int_equal(uvow_methods_own(methods, w, of_methods), 0);
  assert_int_equal(test_serve(w->s.loop, &options, &w->server), 0);
  uvow_methods_unref(methods);
}

static void connect_to(world_t *w) {
  char url[64];
  test_connect_t options =
      test_connect_options(uvow_protocol_by_name("jsonrpc2"));
  snprintf(url, sizeof(url), "%s:%u/",
           w->tls[0] ? "wss://localhost" : "ws://127.0.0.1",
           (unsigned)uvow_server_port(w->server));
  options.url = url;
  options.websocket.tls = w->tls[0];
  options.peer.renew = on_renew;
  options.peer.opening = on_opening;
  options.peer.no_cancel = 0;
  options.peer.on_state = on_state;
  options.peer.data = w;
  options.peer.methods = uvow_methods_new(w->s.loop);
  assert_int_equal(uvow_methods_add(options.peer.methods, NULL, event_cb, w),
                   0);
  assert_int_equal(uvow_methods_add(options.peer.methods, "back", back_cb, w),
                   0);
  assert_int_equal(test_connect(w->s.loop, &options, &w->s.client), 0);
  uvow_methods_unref(options.peer.methods);
  uvow_peer_set_data(w->s.client, w, of_peer);
  assert_int_equal(uvow_future_done(uvow_peer_ready(w->s.client), on_ready, w),
                   0);
}

static uvow_future_t *ask(world_t *w, const char *method) {
  return uvow_peer_request(w->s.client, method, uvow_value_none());
}

/* Whether all goes on as planned. */
static int until(world_t *w, const int *flag) {
  while (!*flag && !w->acted)
    assert_true(uv_run(&w->s.uv, UV_RUN_ONCE) || *flag || w->acted);
  return !w->acted;
}

static void subscribe(world_t *w) {
  uvow_subscription_options_t options = {.size = sizeof(options)};
  options.event = "news";
  options.key = "/k";
  w->sub = uvow_peer_subscribe(w->s.client, "sub", uvow_value_none(), &options);
  assert_int_equal(
      uvow_future_done(uvow_subscription_ready(w->sub), on_subscribed, w), 0);
  forget(uvow_stream_each(uvow_stream_ref(w->sub), on_each_of_sub, w));
}

static void request_some(world_t *w) {
  uvow_future_t *f = ask(w, "echo");
  f = uvow_future_own(f, w, of_future);
  f = uvow_future_then(f, on_then, w);
  f = uvow_future_finally(f, on_finally, w);
  assert_int_equal(uvow_future_done(f, on_done, w), 0);
  forget(uvow_future_catch(ask(w, "own"), on_catch, w));
  w->events = uvow_peer_events(w->s.client, "tick");
  f = uvow_stream_each(uvow_stream_ref(w->events), on_each, w);
  assert_int_equal(uvow_future_done(f, on_each_end, w), 0);
  subscribe(w);
  forget(ask(w, "tell"));
  uvow_future_t *wait = ask(w, "wait");
  w->kept = uvow_future_ref(wait);
  forget(wait);
}

/* Up to where something was done: all of it, or nothing was. */
static void play(world_t *w) {
  if (!until(w, &w->calls[READY]))
    return;
  request_some(w);
  for (int site = 0; site < SITES; site++)
    if (site != EACH_END &&
        (site < ON_CANCEL || site == OF_FUTURE || site == OF_VALUE) &&
        !until(w, &w->calls[site]))
      return;
  while (!w->promise)
    assert_true(uv_run(&w->s.uv, UV_RUN_ONCE));
  uvow_group_walk(uvow_server_peers(w->server), on_walk, w);
  if (w->acted)
    return;
  cancel(w);
  if (!until(w, &w->calls[ON_CANCEL]) || !until(w, &w->calls[OF_CANCEL]))
    return;
  assert_int_equal(uvow_future_done(uvow_peer_close(w->s.client), on_closed, w),
                   0);
  (void)(until(w, &w->calls[CLOSED]) && until(w, &w->calls[EACH_END]));
}

/* What is told of once is. */
static void check(const world_t *w) {
  for (int site = READY; site < SITES; site++)
    assert_in_range(w->calls[site], 0, 1);
  assert_int_equal(w->calls[READY], 1);
  assert_int_equal(w->calls[OF_PEER], 1);
  assert_int_equal(w->calls[OF_METHODS], 1);
  assert_int_equal(w->calls[OF_FUTURE], w->calls[DONE]);
  for (int site = 0; w->act == NOTHING && site < SITES; site++)
    assert_true(w->calls[site] > 0);
  assert_true(w->acted || w->act == NOTHING);
}

static void make_tls(world_t *w) {
  for (int is_server = 0; is_server < 2; is_server++) {
    uvow_tls_options_t options = tls_options(is_server);
    assert_int_equal(
        uvow_tls_new(w->s.loop, &options, &w->tls[is_server], NULL), 0);
  }
}

static void run(site_t site, act_t what, int with_tls) {
  world_t w;
  memset(&w, 0, sizeof(w));
  w.site = site;
  w.act = what;
  script_init(&w.s);
  w.s.loop->linger_max = 1 + (size_t)(site + what) % 2;
  if (with_tls)
    make_tls(&w);
  serve(&w);
  connect_to(&w);
  play(&w);
  script_turns(&w.s);
  free_peer(&w);
  script_turns(&w.s);
  drop_all(&w);
  script_turns(&w.s);
  drop_all(&w); /* what has come meanwhile */
  uvow_tls_unref(w.tls[0]);
  uvow_tls_unref(w.tls[1]);
  if (w.is_closed)
    w.s.loop = NULL;
  script_end(&w.s);
  check(&w);
}

TEST_CASE(test_all_goes_well) {
  run(SITES, NOTHING, 0);
  run(SITES, NOTHING, 1);
}

static void run_all(int with_tls) {
  for (int site = 0; site < SITES; site++)
    for (int what = NOTHING + 1; what < ACTS; what++)
      run((site_t)site, (act_t)what, with_tls);
}

TEST_CASE(test_from_each_callback) {
  run_all(0);
}

TEST_CASE(test_from_each_callback_over_tls) {
  run_all(1);
}

TEST_MODULE(hostile) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_goes_well),
      cmocka_unit_test(test_from_each_callback),
      cmocka_unit_test(test_from_each_callback_over_tls),
  };
  return cmocka_run_group_tests_name("rpc/hostile", tests, tls_setup,
                                     tls_teardown);
}
