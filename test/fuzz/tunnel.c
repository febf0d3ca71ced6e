/* Any bytes as what a proxy answers to CONNECT: how they are split changes
 * nothing; it's open, refused or over as they say, and what stands behind the
 * answer comes as it is. The first byte is the size of the pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/loop.h"
#include "websocket/tunnel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The stream below, and what came out of the one above. */
typedef struct proxy {
  uvow__transport_t transport; /* first */
  uvow__io_t lower;
  uvow__io_t *upper;
  int opened;
  int ended;
  int closed;
  int code;
  int status;
  char *message;
  uint8_t *got;
  size_t got_len;
} proxy_t;

static void must(int fact) {
  if (!fact)
    abort();
}

static int lower_write(uvow__io_t *stream, uvow__buf_t *out) {
  (void)stream;
  must(uvow__buf_size(out) > 12);
  must(memcmp(uvow__buf_front(out), "CONNECT h:1 ", 12) == 0);
  uvow__buf_consume(out, uvow__buf_size(out));
  return 0;
}

static void lower_close(uvow__io_t *stream) {
  stream->callbacks->on_closed(stream->ctx);
}

static void lower_hold(uvow__io_t *stream, int hold) {
  (void)stream;
  (void)hold;
}

static size_t lower_unsent(const uvow__io_t *stream) {
  (void)stream;
  return 0;
}

static const uvow__io_ops_t lower_ops = {lower_write, lower_close, lower_hold,
                                         lower_hold, lower_unsent};

static int lower_connect(const uvow__transport_t *transport, uvow_loop_t *loop,
                         const uvow__endpoint_t *endpoint,
                         const uvow__io_callbacks_t *callbacks, void *ctx,
                         uvow__io_t **ret_io) {
  proxy_t *proxy = (proxy_t *)(uintptr_t)transport;
  (void)loop;
  (void)endpoint;
  proxy->lower.ops = &lower_ops;
  proxy->lower.callbacks = callbacks;
  proxy->lower.ctx = ctx;
  *ret_io = &proxy->lower;
  return 0;
}

static void on_open(void *ctx) {
  proxy_t *proxy = (proxy_t *)ctx;
  must(!proxy->opened && !proxy->ended);
  proxy->opened = 1;
}

static void on_read(void *ctx, const uint8_t *bytes, size_t len) {
  proxy_t *proxy = (proxy_t *)ctx;
  must(proxy->opened && !proxy->ended && len);
  memcpy(proxy->got + proxy->got_len, bytes, len);
  proxy->got_len += len;
}

static void on_drained(void *ctx) {
  (void)ctx;
}

static void on_end(void *ctx, uvow_error_t *error) {
  proxy_t *proxy = (proxy_t *)ctx;
  must(!proxy->ended);
  proxy->ended = 1;
  if (!error)
    return;
  const char *text = uvow_error_message(error);
  proxy->code = uvow_error_code(error);
  proxy->status = uvow_error_status(error);
  proxy->message = (char *)malloc(strlen(text) + 1);
  must(proxy->message != NULL);
  memcpy(proxy->message, text, strlen(text) + 1);
  uvow_error_unref(error);
}

static void on_closed(void *ctx) {
  ((proxy_t *)ctx)->closed++;
}

static const uvow__io_callbacks_t callbacks = {on_open, on_read, on_drained,
                                               on_end, on_closed};

/* What a status may lead to. */
static void check_end(const proxy_t *proxy) {
  int status = proxy->status;
  must(proxy->opened ? !proxy->code : proxy->code == UVOW_EPROXY);
  must(!proxy->code || strstr(proxy->message, "the proxy p:2 ") != NULL);
  must(status == 0 || (status >= 101 && status <= 999));
  must(status < 200 || status > 299);
  must(status != 102 && status != 103);
}

/* The peer says all this, a piece at a time, and ends. */
static void play(proxy_t *proxy, const uint8_t *data, size_t size,
                 size_t step) {
  static const char url_text[] = "ws://user:secret@p:2/";
  uvow_loop_t loop; /* only its memory is used */
  uvow__url_t url;
  uvow__tunnel_transport_t tunnel;
  uvow__endpoint_t endpoint = {"h", 1, 0, NULL, 0};
  memset(&loop, 0, sizeof(loop));
  memset(proxy, 0, sizeof(*proxy));
  loop.rt.mem = uvow__mem_default;
  proxy->transport.connect = lower_connect;
  proxy->got = (uint8_t *)malloc(size + 1);
  must(proxy->got != NULL);
  must(uvow__url_parse(&uvow__mem_default, url_text, strlen(url_text), &url) ==
       0);
  uvow__tunnel_transport_init(&tunnel, &proxy->transport, &url);
  must(tunnel.transport.connect(&tunnel.transport, &loop, &endpoint, &callbacks,
                                proxy, &proxy->upper) == 0);
  proxy->lower.callbacks->on_open(proxy->lower.ctx);
  for (size_t at = 0; at < size && !proxy->ended; at += step)
    proxy->lower.callbacks->on_read(proxy->lower.ctx, data + at,
                                    size - at < step ? size - at : step);
  uvow_error_unref(uvow__io_trouble(proxy->upper));
  if (!proxy->ended)
    proxy->lower.callbacks->on_end(proxy->lower.ctx, NULL);
  must(proxy->ended && !proxy->closed);
  check_end(proxy);
  proxy->upper->ops->close(proxy->upper);
  must(proxy->closed == 1);
  uvow__url_done(&url);
}

static void release(proxy_t *proxy) {
  free(proxy->message);
  free(proxy->got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  proxy_t whole, split;
  if (size == 0)
    return 0;
  play(&whole, data + 1, size - 1, size);
  play(&split, data + 1, size - 1, (size_t)data[0] % 16 + 1);
  must(whole.opened == split.opened && whole.code == split.code);
  must(whole.status == split.status);
  must(!whole.message == !split.message);
  must(!whole.message || strcmp(whole.message, split.message) == 0);
  must(whole.got_len == split.got_len);
  must(memcmp(whole.got, split.got, whole.got_len) == 0);
  must(whole.got_len < size);
  must(memcmp(whole.got, data + size - whole.got_len, whole.got_len) == 0);
  release(&whole);
  release(&split);
  return 0;
}
