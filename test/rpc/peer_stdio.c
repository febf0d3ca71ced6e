/* Peers over what libuv has: a child's stdio in both framings, a pipe, a
 * WebSocket. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <uvow/uv.h>

#include <unistd.h>

#include "support/loop_bed.h"

typedef struct scene {
  loop_bed_t bed;
  uvow_process_t *child;
  uvow_methods_t *methods;
  uvow_peer_t *peer;
} scene_t;

/* A server: echoes; "ask" asks us first; "die" ends it; headers with more than a
 * length, and each byte written alone if it's slow. */
static const char server[] =
    "import json, sys, os\n"
    "headers, slow = sys.argv[1] == 'headers', len(sys.argv) > 2\n"
    "inp, out = sys.stdin.buffer, sys.stdout.buffer\n"
    "def read():\n"
    "    if not headers: return inp.readline()\n"
    "    n = 0\n"
    "    while True:\n"
    "        line = inp.readline()\n"
    "        if not line: return b''\n"
    "        if line == b'\\r\\n': return inp.read(n)\n"
    "        if line.lower().startswith(b'content-length:'):\n"
    "            n = int(line.split(b':')[1])\n"
    "def write(message):\n"
    "    text = json.dumps(dict(message, jsonrpc='2.0')).encode()\n"
    "    if headers:\n"
    "        text = b'Content-Type: x; y=\"z\"\\r\\nContent-Length: "
    "%d\\r\\n\\r\\n' \\\n"
    "            % len(text) + text\n"
    "    else: text += b'\\n'\n"
    "    for part in ([text[i:i + 1] for i in range(len(text))] if slow\n"
    "                 else [text]):\n"
    "        try: out.write(part); out.flush()\n"
    "        except BrokenPipeError: os._exit(0)\n"
    "asked = None\n"
    "while True:\n"
    "    text = read()\n"
    "    if not text: break\n"
    "    m = json.loads(text)\n"
    "    if m.get('method') == 'die': os._exit(3)\n"
    "    elif m.get('method') == 'wait': pass\n"
    "    elif m.get('method') == 'ask':\n"
    "        asked = m['id']; write({'id': 'q', 'method': 'config'})\n"
    "    elif m.get('method') == 'big':\n"
    "        write({'id': m['id'], 'result': 'x' * m['params'][0]})\n"
    "    elif 'method' in m and 'id' in m:\n"
    "        write({'id': m['id'], 'result': m.get('params')})\n"
    "    elif m.get('id') == 'q': write({'id': asked, 'result': m['result']})\n"
    "write({'method': 'bye'})\n";

static uvow_next_t config_cb(uvow_call_t *call, const uvow_result_t *params,
                             void *data) {
  (void)params;
  (void)data;
  return uvow_next_jsonf(uvow_call_loop(call), "{s:i}", "width", 80);
}

static uvow_next_t bye_cb(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  (void)call;
  (void)params;
  loop_bed_log(&((scene_t *)data)->bed, "bye");
  return uvow_next_none();
}

static uvow_peer_options_t options_of(scene_t *s) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = s->methods;
  options.timeout_ms = UVOW_NO_TIMEOUT;
  return options;
}

static void open_scene(scene_t *s) {
  memset(s, 0, sizeof(*s));
  signal(SIGPIPE, SIG_IGN);
  loop_bed_open(&s->bed);
  s->methods = uvow_methods_new(s->bed.loop);
  assert_int_equal(uvow_methods_add(s->methods, "config", config_cb, s), 0);
  assert_int_equal(uvow_methods_add(s->methods, "bye", bye_cb, s), 0);
}

static void start(scene_t *s, const char *framing, const char *slow) {
  const char *args[] = {"python3", "-c", server, framing, slow, NULL};
  uvow_process_options_t options = {.size = sizeof(options), .args = args};
  open_scene(s);
  options.pipes = UVOW_STDIN | UVOW_STDOUT;
  s->child = uvow_spawn(s->bed.loop, &options);
  assert_non_null(s->child);
  uvow_channel_t bytes = uvow_process_stdio(s->child);
  uvow_peer_options_t peer_options = options_of(s);
  s->peer = uvow_peer_new(s->bed.loop,
                          strcmp(framing, "lines") == 0
                              ? uvow_channel_lines(bytes, 100000)
                              : uvow_channel_content_length(bytes, 100000),
                          &peer_options);
  assert_non_null(s->peer);
}

static void end(scene_t *s, const char *log) {
  uvow_peer_unref(s->peer);
  uvow_process_unref(s->child);
  uvow_methods_unref(s->methods);
  loop_bed_close(&s->bed, log);
}

static int wait(scene_t *s, uvow_future_t *f, uvow_result_t *ret) {
  return loop_bed_wait(&s->bed, f, ret);
}

static void talk(scene_t *s) {
  uvow_result_t r;
  int64_t n = 0;
  for (int i = 0; i < 3; i++) {
    assert_int_equal(wait(s, uvow_peer_requestf(s->peer, "echo", "[i]", i), &r),
                     0);
    assert_int_equal(uvow_result_get_int64(&r, "/0", &n), 0);
    assert_int_equal(n, i);
  }
  assert_int_equal(wait(s, uvow_peer_requestf(s->peer, "ask", NULL), &r), 0);
  assert_int_equal(uvow_result_get_int64(&r, "/width", &n), 0);
  assert_int_equal(n, 80);
}

/* Closing the peer closes the child's stdin; what it says then is heard. */
TEST_CASE(a_child_s_stdio) {
  static const struct {
    const char *framing, *slow;
  } ways[] = {{"lines", NULL},
              {"lines", "slow"},
              {"headers", NULL},
              {"headers", "slow"}};
  for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
    scene_t s;
    uvow_result_t r;
    int64_t status = -1;
    start(&s, ways[i].framing, ways[i].slow);
    talk(&s);
    assert_int_equal(wait(&s, uvow_peer_close(s.peer), &r), 0);
    assert_int_equal(wait(&s, uvow_process_exit(s.child), &r), 0);
    assert_int_equal(uvow_value_get_int64(&r.value, &status), 0);
    assert_int_equal(status, 0);
    end(&s, "bye closed");
  }
}

/* Killed, or gone by itself: what waits for an answer learns it. */
TEST_CASE(a_child_that_dies) {
  for (int killed = 0; killed < 2; killed++) {
    scene_t s;
    uvow_result_t r;
    start(&s, "headers", NULL);
    talk(&s);
    uvow_future_t *f = uvow_peer_requestf(s.peer, "wait", NULL);
    uvow_future_t *ready = uvow_peer_ready(s.peer);
    uvow_future_unref(ready);
    if (killed)
      assert_int_equal(uvow_process_kill(s.child, SIGKILL), 0);
    else
      assert_int_equal(uvow_peer_notifyf(s.peer, "die", NULL), 0);
    assert_int_equal(wait(&s, f, &r), UVOW_ELOST);
    assert_int_equal(uvow_error_outcome(r.error), UVOW_MAYBE_EXECUTED);
    assert_int_equal(uvow_peer_state(s.peer), UVOW_PEER_CLOSED);
    assert_int_equal(wait(&s, uvow_peer_requestf(s.peer, "echo", NULL), &r),
                     UVOW_ECLOSED);
    end(&s, "closed");
  }
}

/* An answer above the bound ends the peer, and says why. */
TEST_CASE(a_message_too_large) {
  for (int headers = 0; headers < 2; headers++) {
    scene_t s;
    uvow_result_t r;
    start(&s, headers ? "headers" : "lines", NULL);
    assert_int_equal(
        wait(&s, uvow_peer_requestf(s.peer, "big", "[i]", 90000), &r), 0);
    assert_int_equal(
        wait(&s, uvow_peer_requestf(s.peer, "big", "[i]", 100001), &r),
        UVOW_ETOOBIG);
    end(&s, "closed");
  }
}

/* Both ends are peers, over a Unix socket. */
TEST_CASE(a_pipe) {
  scene_t s;
  uvow_result_t r;
  char path[] = "/tmp/uvow-peer-XXXXXX";
  open_scene(&s);
  assert_int_equal(close(mkstemp(path)), 0);
  assert_int_equal(unlink(path), 0);
  uvow_stream_t *guests = uvow_pipe_listen(s.bed.loop, path);
  uvow_channel_t a = uvow_pipe_connect(s.bed.loop, path);
  assert_int_equal(wait(&s, uvow_stream_next(guests), &r), 0);
  uvow_channel_t b = uvow_result_channel(&r);
  uvow_peer_options_t options = options_of(&s);
  s.peer = uvow_peer_new(s.bed.loop, uvow_channel_lines(a, 1000), &options);
  uvow_peer_t *other =
      uvow_peer_new(s.bed.loop, uvow_channel_lines(b, 1000), &options);
  int64_t n = 0;
  assert_int_equal(wait(&s, uvow_peer_requestf(other, "config", NULL), &r), 0);
  assert_int_equal(uvow_result_get_int64(&r, "/width", &n), 0);
  assert_int_equal(wait(&s, uvow_peer_requestf(s.peer, "config", NULL), &r), 0);
  assert_int_equal(uvow_result_get_int64(&r, "/width", &n), 0);
  assert_int_equal(n, 80);
  assert_int_equal(wait(&s, uvow_peer_close(other), &r), 0);
  assert_int_equal(wait(&s, uvow_peer_close(s.peer), &r), 0);
  uvow_peer_unref(other);
  uvow_stream_unref(guests);
  end(&s, "closed");
}

/* Over a WebSocket that we connected, and one that was accepted, whose first
 * message came before the peer was made. */
TEST_CASE(a_websocket) {
  scene_t s;
  uvow_result_t r;
  char url[64];
  int64_t n = 0;
  open_scene(&s);
  uvow_listener_options_t listen = {.size = sizeof(listen)};
  uvow_listener_t *listener = uvow_listener_new(s.bed.loop, &listen);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%d/",
           uvow_listener_port(listener));
  uvow_websocket_t *a = uvow_websocket_connect(s.bed.loop, url, NULL);
  uvow_peer_options_t options = options_of(&s);
  s.peer = uvow_peer_over(a, &options);
  uvow_future_t *f = uvow_peer_requestf(s.peer, "config", NULL);
  uvow_stream_t *guests = uvow_listener_accept(listener);
  assert_int_equal(wait(&s, uvow_stream_next(guests), &r), 0);
  uvow_websocket_t *b = uvow_websocket_ref(uvow_result_websocket(&r));
  uvow_stream_t *messages = uvow_websocket_messages(b);
  while (uvow_stream_waiting(messages) == 0)
    uv_run(&s.bed.uv, UV_RUN_ONCE);
  uvow_peer_t *other = uvow_peer_over(b, &options);
  uvow_stream_unref(messages);
  assert_int_equal(wait(&s, f, &r), 0);
  assert_int_equal(uvow_result_get_int64(&r, "/width", &n), 0);
  assert_int_equal(n, 80);
  assert_int_equal(wait(&s, uvow_peer_requestf(other, "config", NULL), &r), 0);
  uvow_future_t *lost = uvow_peer_requestf(other, "none", NULL);
  assert_int_equal(wait(&s, lost, &r), UVOW_EREMOTE);
  assert_int_equal(wait(&s, uvow_peer_close(s.peer), &r), 0);
  assert_int_equal(wait(&s, uvow_peer_close(other), &r), 0);
  uvow_peer_unref(other);
  uvow_websocket_unref(a);
  uvow_websocket_unref(b);
  uvow_stream_unref(guests);
  uvow_listener_free(listener);
  end(&s, "closed");
}

/* Its end says how it ended. */
TEST_CASE(a_websocket_that_ends) {
  scene_t s;
  uvow_result_t r;
  char url[64];
  open_scene(&s);
  uvow_peer_options_t options = options_of(&s);
  uvow_websocket_t *none =
      uvow_websocket_connect(s.bed.loop, "ws://127.0.0.1:1/", NULL);
  s.peer = uvow_peer_over(none, &options);
  int rc = wait(&s, uvow_peer_requestf(s.peer, "config", NULL), &r);
  assert_int_equal(rc, UVOW_ELOST);
  const uvow_error_t *why = uvow_error_cause(uvow_error_cause(r.error));
  assert_int_equal(uvow_error_code(why), UV_ECONNREFUSED);
  uvow_peer_unref(s.peer);
  uvow_websocket_unref(none);

  uvow_listener_options_t listen = {.size = sizeof(listen)};
  uvow_listener_t *listener = uvow_listener_new(s.bed.loop, &listen);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%d/",
           uvow_listener_port(listener));
  uvow_websocket_t *a = uvow_websocket_connect(s.bed.loop, url, NULL);
  uvow_stream_t *guests = uvow_listener_accept(listener);
  s.peer = uvow_peer_over(a, &options);
  uvow_future_t *f = uvow_peer_requestf(s.peer, "config", NULL);
  assert_int_equal(wait(&s, uvow_stream_next(guests), &r), 0);
  uvow_websocket_t *b = uvow_websocket_ref(uvow_result_websocket(&r));
  uvow_future_detach(uvow_websocket_close(b, 4001, "go away"));
  assert_int_equal(wait(&s, f, &r), UVOW_ELOST);
  assert_int_equal(uvow_error_status(r.error), 4001);
  assert_non_null(strstr(uvow_error_message(r.error), "go away"));
  uvow_websocket_unref(a);
  uvow_websocket_unref(b);
  uvow_stream_unref(guests);
  uvow_listener_free(listener);
  end(&s, "closed");
}

TEST_MODULE(peer_stdio) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_child_s_stdio),
      cmocka_unit_test(a_child_that_dies),
      cmocka_unit_test(a_message_too_large),
      cmocka_unit_test(a_pipe),
      cmocka_unit_test(a_websocket),
      cmocka_unit_test(a_websocket_that_ends),
  };
  return cmocka_run_group_tests_name("rpc/peer_stdio", tests, NULL, NULL);
}
