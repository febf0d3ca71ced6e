/*
 * A protocol of your own, as a JSON text: no code.
 *
 * A question is {"ask":"add","n":1,"with":[1,2]}, its answer {"to":1,"is":3} or
 * {"to":1,"no":"..."}; what is told without being asked is {"tell":"..."}.
 */
#include <stdio.h>

#include <uv.h>
#include <uvow.h>

/* [description] */
static const char description[] =
    "{\"name\": \"asking\", \"ids\": \"number\","
    " \"call\":        {\"ask\": \"$method\", \"n\": \"$id\", \"with\": "
    "\"$params\"},"
    " \"notify\":      {\"tell\": \"$method\", \"with\": \"$params\"},"
    " \"reply\":       {\"to\": \"$id\", \"is\": \"$value\"},"
    " \"reply_error\": {\"to\": \"$id\", \"no\": \"$message\"},"
    " \"rules\": ["
    "   {\"when\": {\"/to\": true, \"/no\": true}, \"is\": \"error\","
    "    \"id\": \"/to\", \"message\": \"/no\"},"
    "   {\"when\": {\"/to\": true}, \"is\": \"ok\", \"id\": \"/to\","
    "    \"value\": \"/is\"},"
    "   {\"when\": {\"/ask\": true}, \"is\": \"call\", \"id\": \"/n\","
    "    \"name\": \"/ask\", \"value\": \"/with\"},"
    "   {\"when\": {\"/tell\": true}, \"is\": \"event\", \"name\": \"/tell\","
    "    \"value\": \"/with\"}]}";
/* [description] */

static uvow_next_t add(uvow_call_t *call, const uvow_result_t *params,
                       void *data) {
  int64_t a, b;
  (void)data;
  if (uvow_result_getf(params, "[I,I]", &a, &b))
    return uvow_next_error(uvow_error_new_peer(uvow_call_loop(call), 0,
                                               "two numbers, please", NULL, 0));
  return uvow_next_value(uvow_value_int64(a + b));
}

static void on_message(const uvow_peer_t *peer, uvow_slice_t message,
                       int is_outgoing, void *data) {
  (void)peer;
  (void)data;
  printf("%s %.*s\n", is_outgoing ? ">" : "<", (int)message.len, message.bytes);
}

static void ask(uvow_loop_t *loop, uvow_peer_t *client) {
  uvow_result_t result;
  int64_t sum = 0;
  uvow_future_t *f = uvow_peer_requestf(client, "add", "[i,i]", 1, 2);
  if (uvow_loop_await(loop, f, &result) == 0 &&
      uvow_result_get_int64(&result, "", &sum) == 0)
    printf("the sum is %d\n", (int)sum);
  f = uvow_peer_requestf(client, "add", "[s]", "one");
  if (uvow_loop_await(loop, f, &result) == UVOW_EREMOTE)
    printf("no sum: %s\n", uvow_error_peer_message(result.error));
}

/* [parse] */
static uvow_protocol_t *parse(void) {
  uvow_error_t *error = NULL;
  uvow_protocol_t *protocol =
      uvow_protocol_parse(description, sizeof(description) - 1, &error);
  if (!protocol)
    fprintf(stderr, "%s\n", uvow_error_message(error)); /* line, column, why */
  uvow_error_unref(error);
  return protocol;
}
/* [parse] */

int main(void) {
  uv_loop_t uv;
  uvow_peer_t *client, *server;
  uvow_trace_t trace = {.size = sizeof(trace), .on_message = on_message};
  uvow_protocol_t *protocol = parse();
  if (!protocol || uv_loop_init(&uv))
    return 1;
  uvow_loop_t *loop = uvow_loop_new(&uv, NULL);
  uvow_methods_t *methods = uvow_methods_new(loop);
  uvow_methods_add(methods, "add", add, NULL);
  int rc = uvow_peer_pair(
      loop, UVOW_WITH(peer, .protocol = protocol, .trace = &trace),
      UVOW_WITH(peer, .protocol = protocol, .methods = methods), &client,
      &server);
  if (rc == 0) {
    ask(loop, client);
    uvow_peer_unref(client);
    uvow_peer_unref(server);
  }
  uvow_methods_unref(methods);
  uvow_protocol_unref(protocol);
  uvow_loop_close(loop, NULL, NULL);
  uv_run(&uv, UV_RUN_DEFAULT);
  return uv_loop_close(&uv) || rc ? 1 : 0;
}
