/* HTTP/1.1 in a few lines, over plain channels of bytes: a server that says
 * hello to whoever asks, and a client that asks it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <uvow.h>
#include <uvow/fiber.h>
#include <uvow/uv.h>

/* [serve] */
/* One connection: a line with the path, headers, an empty line; an answer. */
static uvow_next_t serve(uvow_loop_t *loop, void *data) {
  uvow_channel_t peer = *(uvow_channel_t *)data;
  uvow_stream_t *lines = uvow_stream_lines(peer.in, 8192);
  char path[64] = "", answer[256];
  uvow_result_t r;
  while (uvow_await_next(lines, &r) > 0) {
    uvow_slice_t line = uvow_result_bytes(&r);
    if (path[0] == 0) {
      snprintf(answer, sizeof answer, "%.*s", (int)line.len, line.bytes);
      sscanf(answer, "GET %63s HTTP/1.1", path);
    } else if (line.len == 0) {
      int len = snprintf(answer, sizeof answer,
                         "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n"
                         "hello %s",
                         strlen("hello ") + strlen(path), path);
      uvow_await_push(peer.out, uvow_value_binary(loop, answer, (size_t)len));
      path[0] = 0; /* the connection is kept: another request may come */
    }
  }
  uvow_stream_unref(lines);
  uvow_sink_end(peer.out);
  return uvow_next_none();
}

static uvow_next_t accept_all(uvow_loop_t *loop, void *peers) {
  uvow_channel_t open[16];
  uvow_result_t r;
  for (int i = 0; i < 16 && uvow_await_next(peers, &r) > 0; i++) {
    open[i] = uvow_result_channel(&r);
    uvow_future_detach(uvow_fiber_spawn(loop, serve, &open[i]));
  }
  return uvow_next_none();
}
/* [serve] */

static void get(uvow_loop_t *loop, uint16_t port, const char *path) {
  uvow_channel_t peer = uvow_tcp_connect(loop, "127.0.0.1", port);
  uvow_stream_t *lines = uvow_stream_lines(peer.in, 8192);
  uvow_result_t r;
  uvow_await_push(peer.out, uvow_value_text("GET "));
  uvow_await_push(peer.out, uvow_value_text(path));
  uvow_await_push(peer.out, uvow_value_text(" HTTP/1.1\r\nHost: me\r\n\r\n"));
  uvow_sink_end(peer.out); /* nothing else is asked */
  while (uvow_await_next(lines, &r) > 0)
    printf("%.*s\n", (int)uvow_result_bytes(&r).len,
           uvow_result_bytes(&r).bytes);
  uvow_stream_unref(lines);
}

static uvow_next_t run(uvow_loop_t *loop, void *data) {
  uint16_t port = 0;
  uvow_stream_t *peers = uvow_tcp_listen(loop, "127.0.0.1", 0, &port);
  uvow_future_t *server = uvow_fiber_spawn(loop, accept_all, peers);
  (void)data;
  get(loop, port, "/one");
  get(loop, port, "/two");
  uvow_future_cancel(server);
  uvow_await(server, NULL);
  uvow_stream_unref(peers);
  return uvow_next_none();
}

int main(void) {
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  return uvow_fiber_main(run, NULL);
}
