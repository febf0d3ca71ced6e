/*
 * Every struct that begins with its size and is read by the library: of an older
 * program (shorter), of a newer one (longer), and of one that says what this
 * library doesn't know. A copy is as long as it says, so that a byte too many
 * is seen. test/check/abi.py looks that none is missing here.
 */
#include <stdio.h>

#include <uvow/uv.h>

#include "support/certs.h"
#include "support/folder.h"
#include "support/loop_bed.h"

#define UNKNOWN 64

/* Why the last call failed, which returned nothing. */
static int failed(loop_bed_t *bed, char *text) {
  const uvow_error_t *error = uvow_loop_error(bed->loop);
  snprintf(text, 256, "%s", uvow_error_message(error));
  return uvow_error_code(error);
}

/* What a future that is not pending rejected with. Takes it. */
static int outcome_of(uvow_future_t *f, char *text) {
  uvow_result_t result;
  int rc = 0;
  assert_non_null(f);
  if (uvow_future_peek(f, &result) == 0 && result.error) {
    rc = uvow_error_code(result.error);
    snprintf(text, 256, "%s", uvow_error_message(result.error));
  }
  uvow_future_drop(f);
  return rc;
}

static uvow_future_t *attempt(uint32_t number, void *data) {
  (void)number;
  return uvow_future_fulfilled((uvow_loop_t *)data, uvow_value_none());
}

static int use_retry(loop_bed_t *bed, void *options, char *text) {
  uvow_future_t *f = uvow_future_retry(bed->loop, attempt, bed->loop,
                                       (uvow_retry_options_t *)options);
  return f ? outcome_of(f, text) : failed(bed, text);
}

static int use_chain(loop_bed_t *bed, void *options, char *text) {
  uvow_future_t *f =
      uvow_future_chain(uvow_future_fulfilled(bed->loop, uvow_value_none()),
                        (uvow_chain_options_t *)options);
  return f ? outcome_of(f, text) : failed(bed, text);
}

static int use_stream(loop_bed_t *bed, void *options, char *text) {
  uvow_sink_t *sink;
  uvow_stream_t *stream =
      uvow_stream_new(bed->loop, (uvow_stream_options_t *)options, &sink);
  if (!stream)
    return failed(bed, text);
  uvow_stream_t *copy =
      uvow_stream_tee(stream, (uvow_stream_options_t *)options);
  assert_non_null(copy);
  uvow_stream_unref(copy);
  uvow_stream_unref(stream);
  uvow_sink_drop(sink);
  return 0;
}

static uvow_next_t fiber(uvow_loop_t *loop, void *data) {
  (void)loop;
  (void)data;
  return uvow_next_none();
}

static int use_fiber(loop_bed_t *bed, void *options, char *text) {
  uvow_future_t *f = uvow_fiber_spawn_with(bed->loop, fiber, NULL,
                                           (uvow_fiber_options_t *)options);
  if (!f)
    return failed(bed, text);
  uvow_future_unref(f);
  return 0;
}

static int use_thread_loop(loop_bed_t *bed, void *options, char *text) {
  uvow_thread_loop_t *handle =
      uvow_thread_loop_new(bed->loop, (uvow_thread_loop_options_t *)options);
  uvow_thread_loop_unref(handle);
  return handle ? 0 : failed(bed, text);
}

/* There is no loop yet that could say why. */
static int use_loop(loop_bed_t *bed, void *options, char *text) {
  uvow_loop_t *loop = uvow_loop_new(&bed->uv, (uvow_loop_options_t *)options);
  strcpy(text, "uvow_loop_options_t");
  if (!loop)
    return UVOW_EINVAL;
  uvow_loop_close(loop, NULL, NULL);
  return 0;
}

static int use_allocator(loop_bed_t *bed, void *options, char *text) {
  uvow_loop_options_t loop = {.size = sizeof(loop),
                              .allocator = (uvow_allocator_t *)options};
  int rc = use_loop(bed, &loop, text);
  strcpy(text, "uvow_allocator_t");
  return rc;
}

static void *given_malloc(size_t size, void *data) {
  (void)data;
  return malloc(size);
}

static void *given_realloc(void *ptr, size_t size, void *data) {
  (void)data;
  return realloc(ptr, size);
}

static void given_free(void *ptr, void *data) {
  (void)data;
  free(ptr);
}

static void need_allocator(void *options) {
  uvow_allocator_t *allocator = (uvow_allocator_t *)options;
  allocator->malloc_cb = given_malloc;
  allocator->realloc_cb = given_realloc;
  allocator->free_cb = given_free;
}

static int use_tls(loop_bed_t *bed, void *options, char *text) {
  uvow_tls_t *tls = NULL;
  if (uvow_tls_new(bed->loop, (uvow_tls_options_t *)options, &tls, NULL))
    return failed(bed, text);
  uvow_tls_unref(tls);
  return 0;
}

static int use_udp(loop_bed_t *bed, void *options, char *text) {
  uvow_channel_t channel =
      uvow_udp_open(bed->loop, (uvow_udp_options_t *)options, NULL);
  uvow_future_t *f = uvow_stream_next(channel.in);
  int rc = uvow_future_state(f) == UVOW_REJECTED ? failed(bed, text) : 0;
  uvow_future_drop(f);
  uvow_stream_unref(channel.in);
  uvow_sink_drop(channel.out);
  return rc;
}

static void need_process(void *options) {
  static const char *const args[] = {"true", NULL};
  ((uvow_process_options_t *)options)->args = args;
}

static int use_process(loop_bed_t *bed, void *options, char *text) {
  uvow_process_t *process =
      uvow_spawn(bed->loop, (uvow_process_options_t *)options);
  if (!process)
    return failed(bed, text);
  uvow_process_unref(process);
  return 0;
}

static int use_websocket(loop_bed_t *bed, void *options, char *text) {
  uvow_websocket_t *ws = uvow_websocket_connect(
      bed->loop, "ws://127.0.0.1:1/", (uvow_websocket_options_t *)options);
  int rc = outcome_of(uvow_websocket_ready(ws), text);
  uvow_websocket_unref(ws);
  return rc;
}

static int use_deflate(loop_bed_t *bed, void *options, char *text) {
  uvow_websocket_options_t ws = {.size = sizeof(ws),
                                 .deflate = (uvow_deflate_options_t *)options};
  return use_websocket(bed, &ws, text);
}

static void need_header(void *options) {
  ((uvow_header_t *)options)->name = "X-A";
  ((uvow_header_t *)options)->value = "b";
}

static int use_header(loop_bed_t *bed, void *options, char *text) {
  uvow_websocket_options_t ws = {.size = sizeof(ws),
                                 .headers = (uvow_header_t *)options,
                                 .header_count = 1};
  return use_websocket(bed, &ws, text);
}

static int use_listener(loop_bed_t *bed, void *options, char *text) {
  uvow_listener_t *listener =
      uvow_listener_new(bed->loop, (uvow_listener_options_t *)options);
  uvow_listener_free(listener);
  return listener ? 0 : failed(bed, text);
}

static void need_peer(void *options) {
  ((uvow_peer_options_t *)options)->protocol =
      uvow_protocol_by_name("jsonrpc2");
}

static int use_peer(loop_bed_t *bed, void *options, char *text) {
  uvow_peer_t *peer = uvow_peer_connect(bed->loop, "ws://127.0.0.1:1/",
                                        (uvow_peer_options_t *)options);
  int rc = outcome_of(uvow_peer_ready(peer), text);
  uvow_peer_unref(peer);
  return rc;
}

static void need_pair(void *options) {
  need_peer(options);
}

static int use_pair(loop_bed_t *bed, void *options, char *text) {
  uvow_peer_t *one = NULL;
  uvow_peer_t *two = NULL;
  if (uvow_peer_pair(bed->loop, (uvow_peer_options_t *)options,
                     (uvow_peer_options_t *)options, &one, &two))
    return failed(bed, text);
  uvow_peer_unref(one);
  uvow_peer_unref(two);
  return 0;
}

static int use_trace(loop_bed_t *bed, void *options, char *text) {
  uvow_peer_options_t peer = {.size = sizeof(peer),
                              .protocol = uvow_protocol_by_name("jsonrpc2"),
                              .trace = (uvow_trace_t *)options};
  return use_peer(bed, &peer, text);
}

static int use_reconnect(loop_bed_t *bed, void *options, char *text) {
  uvow_peer_options_t peer = {.size = sizeof(peer),
                              .protocol = uvow_protocol_by_name("jsonrpc2"),
                              .reconnect = (uvow_reconnect_options_t *)options};
  return use_peer(bed, &peer, text);
}

static int use_request(loop_bed_t *bed, void *options, char *text) {
  uvow_peer_options_t given = {.size = sizeof(given),
                               .protocol = uvow_protocol_by_name("jsonrpc2")};
  uvow_peer_t *peer = uvow_peer_connect(bed->loop, "ws://127.0.0.1:1/", &given);
  uvow_future_t *f = uvow_peer_request_with(
      peer, "m", uvow_value_none(), (const uvow_request_options_t *)options);
  int rc = outcome_of(f, text);
  uvow_peer_unref(peer);
  return rc;
}

static int use_subscription(loop_bed_t *bed, void *options, char *text) {
  uvow_peer_options_t given = {.size = sizeof(given),
                               .protocol = uvow_protocol_by_name("jsonrpc2")};
  uvow_peer_t *peer = uvow_peer_connect(bed->loop, "ws://127.0.0.1:1/", &given);
  uvow_stream_t *stream =
      uvow_peer_subscribe(peer, "m", uvow_value_none(),
                          (const uvow_subscription_options_t *)options);
  int rc = outcome_of(uvow_stream_next(stream), text);
  uvow_stream_unref(stream);
  uvow_peer_unref(peer);
  return rc;
}

static void need_server(void *options) {
  ((uvow_peer_options_t *)options)->protocol =
      uvow_protocol_by_name("jsonrpc2");
}

static int use_server(loop_bed_t *bed, void *options, char *text) {
  uvow_server_t *server = uvow_server_new(uvow_listener_new(bed->loop, NULL),
                                          (const uvow_peer_options_t *)options);
  if (!server)
    return failed(bed, text);
  uvow_server_free(server);
  return 0;
}

static void need_codec(void *options) {
  uvow_codec_t *codec = (uvow_codec_t *)options;
  codec->name = "planted";
  codec->base = uvow_protocol_by_name("jsonrpc2");
}

static int use_codec(loop_bed_t *bed, void *options, char *text) {
  uvow_protocol_t *protocol =
      uvow_protocol_new(bed->loop, (const uvow_codec_t *)options);
  uvow_protocol_unref(protocol);
  return protocol ? 0 : failed(bed, text);
}

typedef struct emitted {
  const uvow_meaning_t *meaning;
  int rc;
} emitted_t;

static int write_byte(void *state, const uvow_operation_t *op,
                      uvow_writer_t *out) {
  (void)state;
  assert_int_equal(op->size, sizeof(*op));
  return uvow_writer_add(out, "x", 1);
}

static int read_byte(void *state, uvow_slice_t message, int is_binary,
                     uvow_reader_t *out) {
  emitted_t *emitted = (emitted_t *)state;
  (void)is_binary;
  assert_int_equal(message.len, 1);
  emitted->rc = uvow_reader_emit(out, emitted->meaning);
  return 0;
}

/* Within a codec there is nobody to tell more than the code. */
static int use_meaning(loop_bed_t *bed, void *options, char *text) {
  emitted_t emitted = {(const uvow_meaning_t *)options, 1};
  uvow_codec_t codec = {.size = sizeof(codec),
                        .name = "planted",
                        .write = write_byte,
                        .read = read_byte,
                        .data = &emitted};
  uvow_peer_options_t peer = {.size = sizeof(peer),
                              .protocol = uvow_protocol_new(bed->loop, &codec)};
  uvow_peer_t *one = NULL;
  uvow_peer_t *two = NULL;
  assert_int_equal(uvow_peer_pair(bed->loop, &peer, &peer, &one, &two), 0);
  assert_int_equal(uvow_peer_notify(one, "m", uvow_value_none()), 0);
  loop_bed_run(bed);
  uvow_peer_unref(one);
  uvow_peer_unref(two);
  uvow_protocol_unref((uvow_protocol_t *)(uintptr_t)peer.protocol);
  strcpy(text, "uvow_meaning_t");
  return emitted.rc;
}

static void need_type(void *options) {
  ((uvow_type_t *)options)->name = "planted";
}

static int use_type(loop_bed_t *bed, void *options, char *text) {
  uvow_value_t value = uvow_value_ptr((const uvow_type_t *)options, bed);
  int rc = outcome_of(uvow_future_fulfilled(bed->loop, value), text);
  strcpy(text, "uvow_type_t");
  return rc == UVOW_ETYPE ? UVOW_EINVAL : rc;
}

typedef struct abi_case {
  const char *name;
  size_t size;
  size_t least; /* how much of it is required */
  void (*need)(void *options);
  int (*use)(loop_bed_t *bed, void *options, char *text);
} abi_case_t;

#define NEEDS(type, member, noun)                                              \
  {                                                                            \
#type, sizeof(type), offsetof(type, member) + sizeof(void *), need_##noun, \
        use_##noun                                                             \
  }

#define CASE(type, noun)                                                       \
  { #type, sizeof(type), sizeof(size_t), NULL, use_##noun }

static const abi_case_t cases[] = {
    CASE(uvow_retry_options_t, retry),
    CASE(uvow_chain_options_t, chain),
    CASE(uvow_stream_options_t, stream),
    CASE(uvow_fiber_options_t, fiber),
    CASE(uvow_thread_loop_options_t, thread_loop),
    CASE(uvow_loop_options_t, loop),
    NEEDS(uvow_allocator_t, free_cb, allocator),
    CASE(uvow_tls_options_t, tls),
    CASE(uvow_udp_options_t, udp),
    NEEDS(uvow_process_options_t, args, process),
    CASE(uvow_websocket_options_t, websocket),
    CASE(uvow_deflate_options_t, deflate),
    NEEDS(uvow_header_t, value, header),
    CASE(uvow_listener_options_t, listener),
    NEEDS(uvow_peer_options_t, protocol, peer),
    NEEDS(uvow_peer_options_t, protocol, pair),
    CASE(uvow_trace_t, trace),
    CASE(uvow_reconnect_options_t, reconnect),
    CASE(uvow_request_options_t, request),
    CASE(uvow_subscription_options_t, subscription),
    NEEDS(uvow_peer_options_t, protocol, server),
    NEEDS(uvow_codec_t, base, codec),
    CASE(uvow_meaning_t, meaning),
    NEEDS(uvow_type_t, destroy, type),
};

/* Uses a copy that is `size` long, with a last byte, and where that is unknown
 * perhaps a wrong one. */
static int use(loop_bed_t *bed, const abi_case_t *abi, size_t size, char last,
               char *text) {
  size_t all = abi->size + UNKNOWN;
  char *whole = (char *)calloc(1, all);
  char *copy = (char *)malloc(size);
  assert_true(whole && copy);
  if (abi->need)
    abi->need(whole);
  memcpy(whole, &size, sizeof(size));
  if (last)
    whole[size - 1] = last;
  memcpy(copy, whole, size);
  text[0] = '\0';
  int rc = abi->use(bed, copy, text);
  loop_bed_run(bed);
  free(whole);
  free(copy);
  return rc;
}

static void expect_both_ways(const abi_case_t *abi) {
  loop_bed_t bed;
  char text[256];
  loop_bed_open(&bed);
  for (size_t size = abi->least; size < abi->size; size += sizeof(void *)) {
    int rc = use(&bed, abi, size, 0, text);
    if (rc)
      print_error("%s of %zu bytes: %d, %s\n", abi->name, size, rc, text);
    assert_int_equal(rc, 0);
  }
  assert_int_equal(use(&bed, abi, abi->size, 0, text), 0);
  assert_int_equal(use(&bed, abi, abi->size + UNKNOWN, 0, text), 0);
  assert_int_equal(use(&bed, abi, abi->size + UNKNOWN, 1, text), UVOW_EINVAL);
  if (!strstr(text, abi->name))
    print_error("%s isn't named: %s\n", abi->name, text);
  assert_non_null(strstr(text, abi->name));
  loop_bed_close(&bed, "closed");
}

/* A context reads all the CAs that there are: one, as the system's take long
 * under valgrind. */
TEST_CASE(test_programs_may_be_older_and_newer) {
  cert_t *ca = cert_new_ca("uvow test CA");
  char path[FOLDER_PATH];
  folder_t folder;
  folder_make(&folder);
  folder_file(&folder, "ca.pem", ca->pem, path);
  assert_int_equal(setenv("SSL_CERT_FILE", path, 1), 0);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    expect_both_ways(&cases[i]);
  assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
  cert_free(ca);
  folder_remove(&folder);
}

/* An array steps by the size of its first: an older program's, a newer one's. */
TEST_CASE(test_arrays_step_by_their_first) {
  struct {
    uvow_header_t known;
    void *more;
  } newer[2] = {{{sizeof(newer[0]), "X-A", "1"}, NULL},
                {{0, "X-B", "2"}, NULL}};
  loop_bed_t bed;
  char text[256];
  uvow_websocket_options_t options = {
      .size = sizeof(options), .headers = &newer[0].known, .header_count = 2};
  loop_bed_open(&bed);
  assert_int_equal(use_websocket(&bed, &options, text), 0);
  newer[1].more = text;
  assert_int_equal(use_websocket(&bed, &options, text), UVOW_EINVAL);
  assert_non_null(strstr(text, "uvow_header_t"));
  loop_bed_close(&bed, "closed");
}

/* What the caller's struct doesn't have isn't written; what the library doesn't
 * know becomes zero. */
TEST_CASE(test_counts_are_filled_as_far_as_asked) {
  struct {
    uvow_tls_stats_t known;
    uint64_t more;
  } newer = {{.size = sizeof(newer)}, 7};
  struct {
    size_t size;
    size_t reserved;
    uint64_t handshakes;
    uint64_t behind;
  } older = {offsetof(uvow_tls_stats_t, resumed), 1, 1, 7};
  struct {
    size_t size;
    size_t behind;
  } oldest = {sizeof(size_t), 7};
  uvow_peer_options_t options = {.size = sizeof(options),
                                 .protocol = uvow_protocol_by_name("jsonrpc2")};
  uvow_tls_t *tls = NULL;
  loop_bed_t bed;
  loop_bed_open(&bed);
  assert_int_equal(uvow_tls_new(bed.loop, NULL, &tls, NULL), 0);
  assert_int_equal(uvow_tls_get_stats(tls, &newer.known), 0);
  assert_true(newer.known.size == sizeof(newer) && newer.more == 0);
  assert_int_equal(uvow_tls_get_stats(tls, (uvow_tls_stats_t *)(void *)&older),
                   0);
  assert_true(older.handshakes == 0 && older.behind == 7);
  uvow_peer_t *peer =
      uvow_peer_connect(bed.loop, "ws://127.0.0.1:1/", &options);
  assert_int_equal(
      uvow_peer_get_stats(peer, (uvow_peer_stats_t *)(void *)&oldest), 0);
  assert_int_equal(oldest.behind, 7);
  oldest.size = 0;
  assert_int_equal(
      uvow_peer_get_stats(peer, (uvow_peer_stats_t *)(void *)&oldest),
      UVOW_EINVAL);
  uvow_peer_unref(peer);
  uvow_tls_unref(tls);
  loop_bed_close(&bed, "closed");
}

TEST_MODULE(abi) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_programs_may_be_older_and_newer),
      cmocka_unit_test(test_arrays_step_by_their_first),
      cmocka_unit_test(test_counts_are_filled_as_far_as_asked),
  };
  return cmocka_run_group_tests_name("rpc/abi", tests, NULL, NULL);
}
