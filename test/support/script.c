#include "script.h"

#include <signal.h>
#include <stdio.h>

#include "base/error.h"
#include "wire/framer.h"
#include "wire/handshake.h"

#define TURNS 8

struct script_stream {
  uvow__io_t stream; /* first */
  script_t *s;
  uvow_loop_t *loop;
  uv_check_t handle; /* keeps the uv loop running, as a socket does */
  int closing;
};

/* The stream. */

/* libuv has polled: what waits is read. */
static void on_check(uv_check_t *handle) {
  script_t *s = ((script_stream_t *)handle->data)->s;
  uint8_t *bytes = s->waiting;
  if (!bytes)
    return;
  s->waiting = NULL;
  script_feed(s, bytes, s->waiting_len);
  free(bytes);
}

static void on_stream_closed(uv_handle_t *handle) {
  script_stream_t *stream = (script_stream_t *)handle->data;
  uvow_loop_t *loop = stream->loop;
  const uvow__io_callbacks_t *callbacks = stream->stream.callbacks;
  void *ctx = stream->stream.ctx;
  uvow__runtime_enter(&loop->rt);
  uvow__free(uvow__loop_mem(loop), stream);
  callbacks->on_closed(ctx);
  uvow__runtime_leave(&loop->rt);
  uvow__loop_stream_closed(loop);
}

static void keep_sent(script_t *s, const uint8_t *bytes, size_t len) {
  uint8_t *sent = (uint8_t *)realloc(s->sent, s->sent_len + len + 1);
  assert_non_null(sent);
  memcpy(sent + s->sent_len, bytes, len);
  s->sent = sent;
  s->sent_len += len;
}

static int stream_write(uvow__io_t *stream, uvow__buf_t *out) {
  script_t *s = ((script_stream_t *)(void *)stream)->s;
  assert_false(((script_stream_t *)(void *)stream)->closing);
  assert_false(stream->writing);
  assert_true(uvow__buf_size(out) > 0);
  if (s->write_error)
    return s->write_error;
  s->writes++;
  keep_sent(s, uvow__buf_front(out), uvow__buf_size(out));
  stream->writing = s->block;
  uvow__loop_return_write(((script_stream_t *)(void *)stream)->loop, out);
  return 0;
}

static void stream_close(uvow__io_t *base) {
  script_stream_t *stream = (script_stream_t *)(void *)base;
  if (stream->closing)
    return;
  stream->closing = 1;
  if (stream->s->stream == stream)
    stream->s->stream = NULL;
  uv_close((uv_handle_t *)&stream->handle, on_stream_closed);
}

static void stream_hold(uvow__io_t *base, int hold) {
  script_stream_t *stream = (script_stream_t *)(void *)base;
  stream->s->held = hold;
  if (hold)
    uv_ref((uv_handle_t *)&stream->handle);
  else
    uv_unref((uv_handle_t *)&stream->handle);
}

static void stream_pause(uvow__io_t *base, int pause) {
  script_stream_t *stream = (script_stream_t *)(void *)base;
  assert_false(stream->closing);
  stream->s->paused = pause;
}

static size_t stream_unsent(const uvow__io_t *base) {
  return ((const script_stream_t *)(const void *)base)->s->unsent;
}

static const uvow__io_ops_t stream_ops = {
    stream_write, stream_close, stream_hold, stream_pause, stream_unsent};

static int stream_connect(const uvow__transport_t *transport, uvow_loop_t *loop,
                          const uvow__endpoint_t *endpoint,
                          const uvow__io_callbacks_t *callbacks, void *ctx,
                          uvow__io_t **ret_io) {
  script_t *s = UVOW__CONTAINER(transport, script_t, transport);
  (void)endpoint;
  s->connects++;
  if (s->connect_error)
    return s->connect_error;
  script_stream_t *stream =
      (script_stream_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*stream));
  if (!stream)
    return UVOW_ENOMEM;
  stream->stream.ops = &stream_ops;
  stream->stream.callbacks = callbacks;
  stream->stream.ctx = ctx;
  stream->s = s;
  stream->loop = loop;
  uv_check_init(loop->uv, &stream->handle);
  uv_check_start(&stream->handle, on_check);
  stream->handle.data = stream;
  uvow__loop_stream_opened(loop);
  s->stream = stream;
  s->paused = 0;
  *ret_io = &stream->stream;
  return 0;
}

/* The loop. */

static uint64_t on_clock(uvow__runtime_t *rt) {
  const uvow_loop_t *loop = (const uvow_loop_t *)(void *)rt;
  return ((const script_t *)loop->user_data)->now_ns;
}

static void on_unhandled(uvow_loop_t *loop, const uvow_error_t *error,
                         void *data) {
  script_t *s = (script_t *)data;
  size_t len = strlen(s->unhandled);
  (void)loop;
  snprintf(s->unhandled + len, sizeof(s->unhandled) - len, "%s%s",
           len ? " " : "", uvow_err_name(uvow_error_code(error)));
}

void script_init_with(script_t *s, test_alloc_t *alloc) {
  uvow_loop_options_t options;
#ifdef SIGPIPE
  /* libuv's writes raise it: every program on libuv ignores it. */
  signal(SIGPIPE, SIG_IGN);
#endif
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  options.on_unhandled = on_unhandled;
  options.data = s;
  memset(s, 0, sizeof(*s));
  s->alloc = alloc;
  s->transport.connect = stream_connect;
  s->held = -1;
  s->now_ns = uv_hrtime();
  options.allocator = &alloc->allocator;
  assert_int_equal(uv_loop_init(&s->uv), 0);
  s->loop = uvow_loop_new(&s->uv, &options);
}

void script_init(script_t *s) {
  test_alloc_t *alloc = (test_alloc_t *)malloc(sizeof(*alloc));
  assert_non_null(alloc);
  test_alloc_init(alloc);
  script_init_with(s, alloc);
  s->own_alloc.allocator.data = alloc; /* to be freed */
  assert_non_null(s->loop);
}

void script_drive_clock(script_t *s) {
  /* An hour ahead of libuv's: so its timer never comes, not even where a test
   * is slower than the time that it plays. It would be set again and again,
   * for a clock that stands still. */
  s->now_ns = s->loop->rt.clock(&s->loop->rt) + UINT64_C(3600000000000);
  s->loop->rt.clock = on_clock;
}

void script_advance(script_t *s, uint64_t ms) {
  s->now_ns += ms * 1000000;
  uvow__runtime_enter(&s->loop->rt);
  uvow__runtime_expire(&s->loop->rt);
  uvow__runtime_leave(&s->loop->rt);
  script_turns(s);
}

void script_turns(script_t *s) {
  for (int i = 0; i < TURNS; i++)
    uv_run(&s->uv, UV_RUN_NOWAIT);
}

void script_until(script_t *s, const int *flag) {
  while (!*flag)
    if (!uv_run(&s->uv, UV_RUN_ONCE) && !*flag)
      fail_msg("nothing is left to happen; log: %s", s->log);
}

static void on_loop_closed(void *data) {
  ((script_t *)data)->closed_calls++;
}

/* Bounded: a loop that doesn't end in so many turns hangs. */
static void run_out(script_t *s) {
  int turns = 0;
  while (uv_run(&s->uv, UV_RUN_ONCE))
    if (++turns > 100000)
      fail_msg("the loop hangs; log: %s", s->log);
}

void script_quit(script_t *s) {
  if (s->loop) {
    uvow_loop_close(s->loop, on_loop_closed, s);
    uvow_peer_unref(s->client);
    run_out(s);
    assert_int_equal(s->closed_calls, 1);
  }
  run_out(s);
  assert_int_equal(uv_loop_close(&s->uv), 0);
  free(s->sent);
  free(s->waiting);
}

void script_end(script_t *s) {
  script_turns(s);
  assert_string_equal(s->log, "");
  assert_string_equal(s->unhandled, "");
  script_quit(s);
  if (strcmp(s->log, "state:CLOSED") == 0) /* as its loop closed */
    s->log[0] = '\0';
  assert_string_equal(s->log, "");
  assert_string_equal(s->unhandled, "");
  assert_int_equal(s->alloc->live, 0);
  free(s->own_alloc.allocator.data);
}

/* The peer. */

int script_client(script_t *s, const test_connect_t *options) {
  test_connect_t own = script_options(s);
  return test_connect_on(s->loop, options ? options : &own, &s->transport,
                         &s->client);
}

void script_open_client(script_t *s, const test_connect_t *options) {
  assert_int_equal(script_client(s, options), 0);
  script_connected(s);
  script_accept(s);
  s->sent_at = s->sent_len;
}

void script_wait(script_t *s, const void *bytes, size_t len) {
  assert_null(s->waiting);
  s->waiting = (uint8_t *)malloc(len);
  assert_non_null(s->waiting);
  memcpy(s->waiting, bytes, len);
  s->waiting_len = len;
}

void script_wait_text(script_t *s, const char *text) {
  uint8_t frame[512];
  size_t len = strlen(text);
  assert_true(len + 4 < sizeof(frame));
  script_wait(s, frame, script_put_frame(frame, 0x81, text, len));
}

void script_connected(script_t *s) {
  script_stream_t *stream = s->stream;
  if (!stream)
    return;
  uvow__runtime_enter(&s->loop->rt);
  stream->stream.callbacks->on_open(stream->stream.ctx);
  uvow__runtime_leave(&s->loop->rt);
}

size_t script_accept_text(script_t *s, char *ret, size_t cap) {
  static const char name[] = "\r\nSec-WebSocket-Key: ";
  static const char protocol[] = "\r\nSec-WebSocket-Protocol: ";
  char accept[UVOW__HANDSHAKE_ACCEPT + 1];
  s->sent = (uint8_t *)realloc(s->sent, s->sent_len + 1);
  assert_non_null(s->sent);
  s->sent[s->sent_len] = '\0';
  const char *key = strstr((const char *)s->sent, name);
  assert_non_null(key);
  key += sizeof(name) - 1;
  s->sent_at = (size_t)(strstr((const char *)s->sent, "\r\n\r\n") + 4 -
                        (const char *)s->sent);
  assert_int_equal(uvow__handshake_accept(key, UVOW__HANDSHAKE_KEY, accept), 0);
  const char *offered = strstr((const char *)s->sent, protocol);
  int len = snprintf(ret, cap,
                     "HTTP/1.1 101 Switching Protocols\r\n"
                     "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: %s%.*s\r\n\r\n",
                     accept, offered ? (int)strcspn(offered + 2, "\r,") + 2 : 0,
                     offered ? offered : "");
  assert_true(len > 0 && (size_t)len < cap);
  return (size_t)len;
}

void script_accept(script_t *s) {
  char text[512];
  script_feed(s, text, script_accept_text(s, text, sizeof(text)));
}

static void feed_piece(script_t *s, const uint8_t *bytes, size_t len) {
  script_stream_t *stream = s->stream;
  if (!stream || !s->loop)
    return;
  for (int turn = 0; s->paused && s->stream == stream && turn < 100000; turn++)
    uv_run(&s->uv, UV_RUN_NOWAIT); /* it reads when it goes on */
  if (s->stream != stream)
    return;
  assert_false(s->paused);
  /* A copy with nothing behind it: an over-read is seen. */
  uint8_t *copy = (uint8_t *)malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, bytes, len);
  uvow__runtime_enter(&s->loop->rt);
  stream->stream.callbacks->on_read(stream->stream.ctx, copy, len);
  free(copy);
  uvow__runtime_leave(&s->loop->rt);
}

void script_feed(script_t *s, const void *bytes, size_t len) {
  const uint8_t *at = (const uint8_t *)bytes;
  while (len) {
    size_t piece = len;
    if (s->cut == 1)
      piece = 1;
    else if (s->cut > 1) {
      s->cut = s->cut * 1103515245u + 12345u;
      piece = 1 + (s->cut >> 16) % 40;
      s->cut |= 2;
    }
    piece = piece > len ? len : piece;
    feed_piece(s, at, piece);
    at += piece;
    len -= piece;
  }
}

size_t script_put_frame(uint8_t *to, unsigned first, const void *bytes,
                        size_t len) {
  size_t head = 2;
  to[0] = (uint8_t)first;
  if (len < 126) {
    to[1] = (uint8_t)len;
  } else {
    assert_true(len < 65536);
    to[1] = 126;
    to[2] = (uint8_t)(len >> 8);
    to[3] = (uint8_t)len;
    head = 4;
  }
  if (len)
    memcpy(to + head, bytes, len);
  return head + len;
}

void script_frame(script_t *s, unsigned first, const void *bytes, size_t len) {
  uint8_t *frame = (uint8_t *)malloc(len + 4);
  assert_non_null(frame);
  script_feed(s, frame, script_put_frame(frame, first, bytes, len));
  free(frame);
}

void script_text(script_t *s, const char *text) {
  script_frame(s, 0x81, text, strlen(text));
}

void script_close_frame(script_t *s, int code) {
  uint8_t bytes[2] = {(uint8_t)(code >> 8), (uint8_t)code};
  script_frame(s, 0x88, bytes, code ? 2 : 0);
}

void script_hang_up(script_t *s, int code) {
  script_stream_t *stream = s->stream;
  if (!stream)
    return;
  uvow__runtime_enter(&s->loop->rt);
  stream->stream.callbacks->on_end(
      stream->stream.ctx,
      code ? uvow__error_code(uvow__loop_mem(s->loop), code, UVOW_OUTCOME_NONE)
           : NULL);
  uvow__runtime_leave(&s->loop->rt);
}

void script_unblock(script_t *s) {
  script_stream_t *stream = s->stream;
  if (!stream || !stream->stream.writing)
    return;
  uvow__runtime_enter(&s->loop->rt);
  stream->stream.writing = 0;
  stream->stream.callbacks->on_drained(stream->stream.ctx);
  uvow__runtime_leave(&s->loop->rt);
}

int script_gone(const script_t *s) {
  return s->stream == NULL;
}

static void put_text(script_t *s, int opcode, const uint8_t *bytes,
                     size_t len) {
  static const char *const names[16] = {[0] = "more:",
                                        [2] = "binary:",
                                        [8] = "close:",
                                        [9] = "ping:",
                                        [10] = "pong:"};
  const char *name = names[opcode] ? names[opcode] : "";
  assert_true(len + 32 < sizeof(s->text));
  if (opcode == 8 && len >= 2)
    snprintf(s->text, sizeof(s->text), "close:%d%.*s", bytes[0] << 8 | bytes[1],
             (int)(len - 2), (const char *)bytes + 2);
  else
    snprintf(s->text, sizeof(s->text), "%s%.*s", name, (int)len,
             (const char *)bytes);
}

const char *script_next(script_t *s) {
  size_t left = s->sent_len - s->sent_at;
  uint8_t *at = s->sent ? s->sent + s->sent_at : NULL;
  s->text[0] = '\0';
  if (left == 0)
    return s->text;
  assert_true(left >= 6);
  assert_true(at[1] & 0x80); /* a client masks (RFC 6455 5.1) */
  size_t len = at[1] & 0x7F;
  size_t head = 2;
  if (len == 126) {
    len = (size_t)at[2] << 8 | at[3];
    head = 4;
  }
  assert_true(left >= head + 4 + len);
  const uint8_t *key = at + head;
  uint8_t *bytes = at + head + 4;
  for (size_t i = 0; i < len; i++)
    bytes[i] ^= key[i % 4];
  put_text(s, at[0] & 0x0F, bytes, len);
  s->sent_at += head + 4 + len;
  return s->text;
}
