/* A raw WebSocket echo: what a peer doesn't read back isn't read from it. */
#include <stdio.h>
#include <uv.h>
#include <uvow.h>

/* [echo] */
static uvow_next_t serve(const uvow_result_t *item, void *data) {
  uvow_channel_t c = uvow_websocket_channel(uvow_result_websocket(item));
  (void)data;
  uvow_future_detach(uvow_stream_pipe(c.in, c.out));
  return uvow_next_none(); /* the next one, at once */
}
/* [echo] */

static void on_echo(const uvow_result_t *result, void *listener) {
  uvow_slice_t text = uvow_result_bytes(result);
  printf("%.*s\n", (int)text.len, text.bytes);
  uvow_listener_free(listener); /* the end: who has gone has gone */
}

int main(void) {
  char url[32];
  uvow_loop_t *loop = uvow_loop_new(uv_default_loop(), NULL);
  uvow_listener_t *listener = uvow_listener_new(loop, NULL);
  uvow_future_detach(
      uvow_stream_each(uvow_listener_accept(listener), serve, NULL));
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           uvow_listener_port(listener));
  /* [client] */
  uvow_websocket_t *ws = uvow_websocket_connect(loop, url, NULL);
  uvow_websocket_send(ws, uvow_value_text("hello"));
  uvow_stream_t *messages = uvow_websocket_messages(ws);
  uvow_websocket_unref(ws); /* who reads the messages owns it, too */
  uvow_future_done(uvow_stream_first(messages), on_echo, listener);
  /* [client] */
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  uvow_loop_close(loop, NULL, NULL);
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
