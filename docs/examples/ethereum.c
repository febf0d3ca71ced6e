/*
 * New blocks of an Ethereum node: eth_subscribe, and the events that belong to
 * it.
 *
 *   ethereum URL    follows a node that is there
 *   ethereum        follows a small one of its own: so it runs anywhere
 */
#include <signal.h>
#include <stdio.h>

#include <uv.h>
#include <uvow.h>

/* A node that has three blocks to tell of. */

static uvow_next_t subscribe(uvow_call_t *call, const uvow_result_t *params,
                             void *data) {
  static const char *const numbers[] = {"0x10", "0x11", "0x12"};
  (void)params;
  (void)data;
  for (int i = 0; i < 3; i++)
    uvow_peer_notifyf(uvow_call_peer(call), "eth_subscription", "{s:s,s:{s:s}}",
                      "subscription", "0xcafe", "result", "number", numbers[i]);
  return uvow_next_jsonf(uvow_call_loop(call), "s", "0xcafe");
}

static uvow_next_t unsubscribe(uvow_call_t *call, const uvow_result_t *params,
                               void *data) {
  const char *id = "nothing";
  (void)data;
  uvow_result_get_text(params, "/0", &id);
  printf("the node: %s is unsubscribed\n", id);
  return uvow_next_jsonf(uvow_call_loop(call), "b", 1);
}

static uvow_server_t *make_node(uvow_loop_t *loop) {
  uvow_methods_t *methods = uvow_methods_new(loop);
  uvow_methods_add(methods, "eth_subscribe", subscribe, NULL);
  uvow_methods_add(methods, "eth_unsubscribe", unsubscribe, NULL);
  uvow_server_t *server = uvow_server_new(
      uvow_listener_new(loop, NULL),
      UVOW_WITH(peer, .protocol = uvow_protocol_by_name("jsonrpc2"),
                .methods = methods));
  uvow_methods_unref(methods);
  return server;
}

/* [client] */
static uvow_next_t on_head(const uvow_result_t *head, void *data) {
  int *left = data;
  const char *number = "?";
  if (uvow_result_missed(head)) /* a reconnect came between */
    printf("some blocks may be missing here\n");
  uvow_result_get_text(head, "/number", &number);
  printf("block %s\n", number);
  return --*left ? uvow_next_pass() : uvow_next_end(uvow_value_none());
}

static uvow_future_t *follow(uvow_peer_t *node, int *left) {
  uvow_stream_t *heads = uvow_peer_subscribe(
      node, "eth_subscribe", uvow_value_raw("[\"newHeads\"]"),
      UVOW_WITH(subscription, .event = "eth_subscription",
                .key = "/subscription", .item = "/result",
                .unsubscribe = "eth_unsubscribe"));
  return uvow_stream_each(heads, on_head, left);
}
/* [client] */

int main(int argc, char **argv) {
  char url[64];
  int left = 3;
  uv_loop_t uv;
  signal(SIGPIPE, SIG_IGN);
  if (uv_loop_init(&uv))
    return 1;
  uvow_loop_t *loop = uvow_loop_new(&uv, NULL);
  uvow_server_t *server = argc > 1 ? NULL : make_node(loop);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(server));
  uvow_peer_t *node = uvow_peer_connect(
      loop, argc > 1 ? argv[1] : url,
      UVOW_WITH(peer, .protocol = uvow_protocol_by_name("jsonrpc2"),
                .reconnect = UVOW_DEFAULTS(reconnect)));
  int rc = uvow_loop_await(loop, follow(node, &left), NULL);
  if (rc)
    fprintf(stderr, "%s\n", uvow_error_message(uvow_loop_error(loop)));
  (void)uvow_loop_await(loop, uvow_peer_close(node), NULL);
  uvow_peer_unref(node);
  uvow_server_free(server);
  uvow_loop_close(loop, NULL, NULL);
  uv_run(&uv, UV_RUN_DEFAULT);
  return uv_loop_close(&uv) || rc ? 1 : 0;
}
