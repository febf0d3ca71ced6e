/* What a peer chooses (names of events and groups, ids of calls, its address) is
 * hashed with numbers that it can't know: of each loop others. */
#include "rpc/peer.h"

#include "rpc/call.h"
#include "rpc/group.h"
#include "websocket/listener.h"

#include "support/loop_bed.h"

#include <stdio.h>

#define LOOPS 6 /* an address has one of 64 places: all alike, once of 2^30 */

typedef uint64_t (*hash_fn)(loop_bed_t *bed);

static void differ(hash_fn hash_of) {
  uint64_t hashes[LOOPS];
  int others = 0;
  for (int i = 0; i < LOOPS; i++) {
    loop_bed_t bed;
    loop_bed_open(&bed);
    hashes[i] = hash_of(&bed);
    loop_bed_close(&bed, "closed");
    others += hashes[i] != hashes[0];
  }
  assert_true(others > 0);
}

static uint64_t hash_of_event(loop_bed_t *bed) {
  uvow__events_t events;
  uvow__events_init(&events, &bed->loop->rt);
  uvow__event_name_t *name = uvow__events_name(&events, UVOW__SLICE("tick"));
  assert_non_null(name);
  uint64_t hash = name->entry.hash;
  uvow__events_unname(&events, name);
  uvow__events_done(&events);
  return hash;
}

static uint64_t hash_of_group(loop_bed_t *bed) {
  uvow_server_t *server = uvow_server_new(
      uvow_listener_new(bed->loop, UVOW_DEFAULTS(listener)),
      UVOW_WITH(peer, .protocol = uvow_protocol_by_name("jsonrpc2")));
  assert_non_null(server);
  uvow_group_t *group = uvow_server_group(server, "room 7");
  assert_non_null(group);
  uint64_t hash = group->entry.hash;
  uvow_server_free(server);
  loop_bed_run(bed);
  return hash;
}

static uvow_call_t *the_call; /* the first */

static uvow_next_t never_cb(uvow_call_t *call, const uvow_result_t *params,
                            void *data) {
  (void)params;
  (void)data;
  the_call = the_call ? the_call : call;
  return uvow_next_future(uvow_future_delay(uvow_call_loop(call), 60000));
}

/* Calls are hashed with the first cancel. */
static uint64_t hash_of_call(loop_bed_t *bed) {
  uvow_peer_t *ends[2];
  uvow_methods_t *methods = uvow_methods_new(bed->loop);
  const uvow_peer_options_t *options = UVOW_WITH(
      peer, .protocol = uvow_protocol_by_name("jsonrpc2"), .methods = methods);
  the_call = NULL;
  assert_int_equal(uvow_methods_add(methods, "m", never_cb, NULL), 0);
  assert_int_equal(
      uvow_peer_pair(bed->loop, options, options, &ends[0], &ends[1]), 0);
  uvow_methods_unref(methods);
  uvow_future_detach(uvow_peer_request(ends[0], "m", uvow_value_none()));
  while (!the_call)
    uv_run(&bed->uv, UV_RUN_NOWAIT);
  assert_int_equal(uvow_peer_notify(ends[0], "$/cancelRequest",
                                    uvow_value_raw("{\"id\":99}")),
                   0);
  while (!the_call->callee->index.places)
    uv_run(&bed->uv, UV_RUN_NOWAIT);
  uint64_t hash = the_call->entry.hash;
  uvow_peer_end(ends[0]);
  uvow_peer_end(ends[1]);
  uvow_peer_unref(ends[0]);
  uvow_peer_unref(ends[1]);
  loop_bed_run(bed);
  return hash;
}

/* In which of the lists of addresses a peer is. */
static uint64_t hash_of_address(loop_bed_t *bed) {
  char url[64];
  uint64_t at = 0;
  uvow_listener_t *listener =
      uvow_listener_new(bed->loop, UVOW_WITH(listener, .max_peers = 8,
                                             .max_peers_per_address = 4));
  assert_non_null(listener);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_listener_port(listener));
  uvow_stream_t *accepted = uvow_listener_accept(listener);
  uvow_websocket_t *client = uvow_websocket_connect(bed->loop, url, NULL);
  assert_int_equal(loop_bed_wait(bed, uvow_stream_next(accepted), NULL), 0);
  while (at < UVOW__ADDRESSES && uvow__list_empty(&listener->addresses[at]))
    at++;
  assert_true(at < UVOW__ADDRESSES);
  uvow_websocket_unref(client);
  uvow_stream_unref(accepted);
  uvow_listener_free(listener);
  loop_bed_run(bed);
  return at;
}

TEST_CASE(test_events) {
  differ(hash_of_event);
}

TEST_CASE(test_groups) {
  differ(hash_of_group);
}

TEST_CASE(test_calls) {
  differ(hash_of_call);
}

TEST_CASE(test_addresses) {
  differ(hash_of_address);
}

TEST_MODULE(seeds) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_events),
      cmocka_unit_test(test_groups),
      cmocka_unit_test(test_calls),
      cmocka_unit_test(test_addresses),
  };
  return cmocka_run_group_tests_name("rpc/seeds", tests, NULL, NULL);
}
