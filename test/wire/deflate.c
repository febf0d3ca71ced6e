/* Compressing and inflating messages, without frames around them. */
#include "support/support.h"

#include <uvow/error.h>

#include "base/mem.h"
#include "wire/deflate.h"

#define MIB ((size_t)1024 * 1024)

/* Two ends that agreed on the same. */
typedef struct pair {
  uvow__deflate_t client;
  uvow__deflate_t server;
} pair_t;

static uvow__deflate_config_t agreed(int bits, int forgets, int level) {
  uvow__deflate_config_t config;
  memset(&config, 0, sizeof(config));
  config.terms.on = 1;
  config.terms.server_max_window_bits = (uint8_t)bits;
  config.terms.client_max_window_bits = (uint8_t)bits;
  config.terms.server_no_context_takeover = (uint8_t)forgets;
  config.terms.client_no_context_takeover = (uint8_t)forgets;
  config.level = (uint8_t)level;
  config.threshold = 1;
  return config;
}

static void start(pair_t *pair, const uvow__mem_t *mem, int bits, int forgets,
                  int level) {
  uvow__deflate_config_t config = agreed(bits, forgets, level);
  uvow__deflate_init(&pair->client, mem, &config);
  config.is_server = 1;
  uvow__deflate_init(&pair->server, mem, &config);
}

static void stop(pair_t *pair) {
  uvow__deflate_done(&pair->client);
  uvow__deflate_done(&pair->server);
}

/* Reproducible bytes that don't shrink. */
static void noise(uint8_t *bytes, size_t len, uint32_t seed) {
  for (size_t i = 0; i < len; i++) {
    seed = seed * 1664525 + 1013904223;
    bytes[i] = (uint8_t)(seed >> 24);
  }
}

/* Bytes that do. */
static void prose(uint8_t *bytes, size_t len, uint32_t seed) {
  static const char words[] = "future promise fulfill reject settle then ";
  for (size_t i = 0; i < len; i++) {
    if (i % 7 == 0)
      seed = seed * 1664525 + 1013904223;
    bytes[i] = (uint8_t)words[((seed >> 24) % 6 * 7 + i % 7) % 41];
  }
}

/* Inflates a message, cut before `cut` and then every `step` bytes. */
static int inflate_cut(uvow__deflate_t *deflate, const uint8_t *bytes,
                       size_t len, size_t cut, size_t step,
                       uvow__deflate_sink_t *sink) {
  int rc = uvow__deflate_inflate(deflate, bytes, cut, cut == len, sink);
  while (!rc && cut < len) {
    size_t n = step && step < len - cut ? step : len - cut;
    rc = uvow__deflate_inflate(deflate, bytes + cut, n, cut + n == len, sink);
    cut += n;
  }
  assert_int_equal(rc != 0, sink->why != NULL);
  return rc;
}

/* A message from one end to the other; returns how long it was on the way. */
static size_t carry(uvow__deflate_t *from, uvow__deflate_t *to,
                    const uint8_t *bytes, size_t len) {
  uvow__buf_t packed, out;
  uvow__deflate_sink_t sink = {&out, NULL, NULL};
  uvow__buf_init(&packed, &uvow__mem_default, SIZE_MAX);
  uvow__buf_init(&out, &uvow__mem_default, len);
  assert_int_equal(uvow__deflate_compress(from, bytes, len, &packed), 0);
  size_t size = uvow__buf_size(&packed);
  assert_int_equal(
      inflate_cut(to, uvow__buf_front(&packed), size, size, 0, &sink), 0);
  assert_int_equal(uvow__buf_size(&out), len);
  assert_memory_equal(uvow__buf_front(&out), bytes, len);
  uvow__buf_done(&packed);
  uvow__buf_done(&out);
  return size;
}

/* RFC 7692 7.2.3: messages of "Hello", as they may look. */
static const struct {
  const char *bytes;
  size_t len;
  int again; /* only behind a message with the same text */
} hellos[] = {
    {"\xf2\x48\xcd\xc9\xc9\x07\x00", 7, 0},
    {"\xf2\x00\x11\x00\x00", 5, 1},
    {"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11, 0},
    {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, 0},
    {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13, 0},
};

static void reads_the_examples_of_rfc_7692_however_they_are_cut(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(hellos) / sizeof(hellos[0]); i++) {
    for (size_t cut = 0; cut <= hellos[i].len; cut++) {
      for (size_t step = 0; step < 3; step++) {
        pair_t pair;
        uvow__buf_t out;
        uvow__utf8_t utf8;
        uvow__deflate_sink_t sink = {&out, &utf8, NULL};
        start(&pair, &uvow__mem_default, 15, 0, 6);
        uvow__buf_init(&out, &uvow__mem_default, 10);
        uvow__utf8_init(&utf8);
        /* The message before has a last block; history survives that. */
        const uint8_t *before = (const uint8_t *)hellos[3].bytes;
        if (hellos[i].again)
          assert_int_equal(inflate_cut(&pair.client, before, 8, 8, 0, &sink),
                           0);
        uvow__buf_clear(&out, 0);
        assert_int_equal(inflate_cut(&pair.client,
                                     (const uint8_t *)hellos[i].bytes,
                                     hellos[i].len, cut, step, &sink),
                         0);
        assert_int_equal(uvow__buf_size(&out), 5);
        assert_memory_equal(uvow__buf_front(&out), "Hello", 5);
        uvow__buf_done(&out);
        stop(&pair);
      }
    }
  }
}

static void writes_the_examples_of_rfc_7692(void **state) {
  (void)state;
  pair_t pair;
  uvow__buf_t out;
  start(&pair, &uvow__mem_default, 15, 0, 6);
  uvow__buf_init(&out, &uvow__mem_default, 100);
  assert_int_equal(uvow__deflate_compress(&pair.client, "Hello", 5, &out), 0);
  assert_int_equal(uvow__buf_size(&out), 7);
  assert_memory_equal(out.data, hellos[0].bytes, 7);
  assert_int_equal(uvow__deflate_compress(&pair.client, "Hello", 5, &out), 0);
  assert_int_equal(uvow__buf_size(&out), 12);
  assert_memory_equal(out.data + 7, hellos[1].bytes, 5);
  uvow__buf_done(&out);
  stop(&pair);
}

static void reads_an_empty_message(void **state) {
  (void)state;
  static const uint8_t nothing[1] = {0};
  pair_t pair;
  uvow__buf_t out;
  uvow__deflate_sink_t sink = {&out, NULL, NULL};
  start(&pair, &uvow__mem_default, 15, 0, 6);
  uvow__buf_init(&out, &uvow__mem_default, 10);
  for (size_t len = 0; len < 2; len++) /* RFC 7692 7.2.3.6: one byte of 0 */
    assert_int_equal(
        uvow__deflate_inflate(&pair.server, nothing, len, 1, &sink), 0);
  assert_int_equal(uvow__buf_size(&out), 0);
  uvow__buf_done(&out);
  stop(&pair);
}

static void carries_messages_with_all_terms(void **state) {
  (void)state;
  static const size_t sizes[] = {1, 2, 60, 511, 513, 4096, 33000, 70001};
  static uint8_t bytes[70001];
  for (int bits = 9; bits <= 15; bits++) {
    for (int forgets = 0; forgets < 4; forgets++) {
      uvow__deflate_config_t config = agreed(bits, 0, 1 + (bits + forgets) % 9);
      uvow__deflate_t ends[2];
      config.terms.client_no_context_takeover = forgets & 1;
      config.terms.server_no_context_takeover = forgets > 1;
      config.terms.client_max_window_bits = (uint8_t)(24 - bits);
      for (int i = 0; i < 2; i++) {
        config.is_server = (uint8_t)i;
        uvow__deflate_init(&ends[i], &uvow__mem_default, &config);
      }
      for (size_t i = 0; i < 16; i++) {
        prose(bytes, sizes[i % 8], (uint32_t)i);
        carry(&ends[i & 1], &ends[!(i & 1)], bytes, sizes[i % 8]);
        carry(&ends[!(i & 1)], &ends[i & 1], bytes, sizes[i % 8]);
      }
      uvow__deflate_done(&ends[0]);
      uvow__deflate_done(&ends[1]);
    }
  }
}

static void carries_a_long_message_in_pieces(void **state) {
  (void)state;
  size_t len = 5 * MIB + 1;
  uint8_t *bytes = (uint8_t *)malloc(len);
  assert_non_null(bytes);
  pair_t pair;
  uvow__buf_t packed, out;
  uvow__deflate_sink_t sink = {&out, NULL, NULL};
  prose(bytes, len / 2, 1);
  noise(bytes + len / 2, len - len / 2, 2);
  start(&pair, &uvow__mem_default, 15, 0, 6);
  uvow__buf_init(&packed, &uvow__mem_default, SIZE_MAX);
  uvow__buf_init(&out, &uvow__mem_default, len);
  assert_int_equal(uvow__deflate_compress(&pair.client, bytes, len, &packed),
                   0);
  assert_int_equal(
      inflate_cut(&pair.server, packed.data, packed.len, 1, 4099, &sink), 0);
  assert_int_equal(uvow__buf_size(&out), len);
  assert_memory_equal(out.data, bytes, len);
  uvow__buf_done(&packed);
  uvow__buf_done(&out);
  stop(&pair);
  free(bytes);
}

static void refers_back_to_what_the_window_holds(void **state) {
  (void)state;
  uint8_t bytes[2000];
  noise(bytes, sizeof(bytes), 7);
  for (int bits = 9; bits <= 15; bits++) {
    for (int forgets = 0; forgets < 2; forgets++) {
      uvow__deflate_config_t config = agreed(bits, forgets, 6);
      uvow__deflate_t packer;
      uvow__buf_t packed;
      uvow__deflate_init(&packer, &uvow__mem_default, &config);
      uvow__buf_init(&packed, &uvow__mem_default, SIZE_MAX);
      uvow__deflate_compress(&packer, bytes, sizeof(bytes), &packed);
      size_t first = uvow__buf_size(&packed);
      uvow__deflate_compress(&packer, bytes, sizeof(bytes), &packed);
      size_t second = uvow__buf_size(&packed) - first;
      if (bits > 11 && !forgets) /* 2000 bytes ago, and some look-ahead */
        assert_in_range(second, 5, 100);
      else if (!forgets && bits == 11)
        assert_int_equal(second, sizeof(bytes) + 6);
      else
        assert_int_equal(uvow__buf_size(&packed), 0); /* as it is */
      uvow__buf_done(&packed);
      uvow__deflate_done(&packer);
    }
  }
}

static void refuses_to_look_back_beyond_the_window(void **state) {
  (void)state;
  uint8_t bytes[600];
  pair_t wide, narrow;
  uvow__buf_t packed, out;
  uvow__deflate_sink_t sink = {&out, NULL, NULL};
  noise(bytes, sizeof(bytes), 9);
  start(&wide, &uvow__mem_default, 15, 0, 6);
  start(&narrow, &uvow__mem_default, 9, 0, 6);
  uvow__buf_init(&packed, &uvow__mem_default, SIZE_MAX);
  uvow__buf_init(&out, &uvow__mem_default, 1000);
  for (int i = 0; i < 2; i++) {
    uvow__buf_clear(&packed, SIZE_MAX);
    uvow__buf_clear(&out, SIZE_MAX);
    assert_int_equal(
        uvow__deflate_compress(&wide.client, bytes, sizeof(bytes), &packed), 0);
    assert_int_equal(uvow__deflate_inflate(&narrow.server, packed.data,
                                           packed.len, 1, &sink),
                     i ? UVOW_EPROTO : 0);
  }
  assert_string_equal(sink.why, "compressed message is not DEFLATE");
  uvow__buf_done(&packed);
  uvow__buf_done(&out);
  stop(&wide);
  stop(&narrow);
}

static void
takes_memory_only_while_there_is_something_to_remember(void **state) {
  (void)state;
  static const uint8_t text[] = "text text text text text text text text";
  for (int forgets = 0; forgets < 2; forgets++) {
    test_alloc_t alloc;
    pair_t pair;
    test_alloc_init(&alloc);
    start(&pair, &alloc.allocator, 15, forgets, 6);
    assert_int_equal(alloc.calls, 0);
    for (int i = 0; i < 3; i++) {
      carry(&pair.client, &pair.server, text, sizeof(text));
      assert_int_equal(alloc.live == 0, forgets);
      size_t live = alloc.live;
      carry(&pair.server, &pair.client, text, sizeof(text));
      assert_int_equal(alloc.live > live, !forgets && i == 0);
    }
    stop(&pair);
    assert_int_equal(alloc.live, 0);
  }
}

static void sends_short_messages_as_they_are(void **state) {
  (void)state;
  static const uint8_t text[200] = {0};
  uvow__deflate_config_t config = agreed(15, 0, 6);
  test_alloc_t alloc;
  uvow__deflate_t packer;
  uvow__buf_t out;
  test_alloc_init(&alloc);
  config.threshold = 100;
  uvow__deflate_init(&packer, &alloc.allocator, &config);
  uvow__buf_init(&out, &uvow__mem_default, 1000);
  assert_int_equal(uvow__deflate_compress(&packer, text, 99, &out),
                   UVOW__DEFLATE_AS_IS);
  assert_int_equal(uvow__deflate_compress(&packer, text, 0, &out),
                   UVOW__DEFLATE_AS_IS);
  assert_int_equal(alloc.calls, 0);
  assert_int_equal(uvow__buf_size(&out), 0);
  assert_int_equal(uvow__deflate_compress(&packer, text, 100, &out), 0);
  assert_in_range(uvow__buf_size(&out), 1, 20);
  uvow__deflate_done(&packer);
  /* A window that zlib can't do: never. */
  config.terms.client_max_window_bits = 8;
  uvow__deflate_init(&packer, &alloc.allocator, &config);
  assert_int_equal(uvow__deflate_compress(&packer, text, 200, &out),
                   UVOW__DEFLATE_AS_IS);
  assert_int_equal(alloc.live, 0);
  uvow__deflate_done(&packer);
  uvow__buf_done(&out);
}

static void sends_what_does_not_shrink_as_it_is(void **state) {
  (void)state;
  static uint8_t bytes[40000];
  static const struct {
    int forgets;
    size_t len;
    int rc;
  } cases[] = {{1, 30, UVOW__DEFLATE_AS_IS},
               {1, 40000, UVOW__DEFLATE_AS_IS},
               {0, 30, 0},
               {0, 32767, 0},
               {0, 32768, UVOW__DEFLATE_AS_IS}};
  noise(bytes, sizeof(bytes), 3);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    pair_t pair;
    uvow__buf_t out;
    start(&pair, &uvow__mem_default, 15, cases[i].forgets, 6);
    uvow__buf_init(&out, &uvow__mem_default, SIZE_MAX);
    assert_int_equal(uvow__buf_append(&out, "kept", 4), 0);
    assert_int_equal(
        uvow__deflate_compress(&pair.client, bytes, cases[i].len, &out),
        cases[i].rc);
    assert_int_equal(uvow__buf_size(&out) == 4, cases[i].rc != 0);
    /* The peer never saw it: what follows may not refer to it. */
    if (cases[i].rc)
      carry(&pair.client, &pair.server, bytes + cases[i].len - 30, 30 / 2);
    uvow__buf_done(&out);
    stop(&pair);
  }
}

static void forgets_what_did_not_leave(void **state) {
  (void)state;
  static uint8_t bytes[500];
  for (int full = 0; full < 2; full++) {
    pair_t pair;
    uvow__buf_t out;
    noise(bytes, sizeof(bytes), 5);
    start(&pair, &uvow__mem_default, 15, 0, 6);
    uvow__buf_init(&out, &uvow__mem_default, full ? 300 : SIZE_MAX);
    carry(&pair.client, &pair.server, bytes, 10);
    assert_int_equal(
        uvow__deflate_compress(&pair.client, bytes, sizeof(bytes), &out),
        full ? UVOW_EOVERLOAD : 0);
    assert_int_equal(uvow__buf_size(&out) == 0, full);
    if (!full)
      uvow__deflate_forget(&pair.client);
    size_t size = carry(&pair.client, &pair.server, bytes, sizeof(bytes));
    assert_true(size > sizeof(bytes)); /* from nothing on */
    size = carry(&pair.client, &pair.server, bytes, sizeof(bytes));
    assert_in_range(size, 5, 50); /* and on from there */
    uvow__buf_done(&out);
    stop(&pair);
  }
}

/* An allocator that knows how much is out. */
typedef struct meter {
  uvow_allocator_t allocator;
  size_t now;
  size_t peak;
} meter_t;

static void *meter_realloc(void *ptr, size_t size, void *data) {
  meter_t *meter = (meter_t *)data;
  size_t *block = ptr ? (size_t *)ptr - 2 : NULL;
  size_t old = block ? block[0] : 0;
  block = (size_t *)realloc(block, size + 2 * sizeof(size_t));
  assert_non_null(block);
  block[0] = size;
  meter->now += size - old;
  if (meter->now > meter->peak)
    meter->peak = meter->now;
  return block + 2;
}

static void *meter_malloc(size_t size, void *data) {
  return meter_realloc(NULL, size, data);
}

static void meter_free(void *ptr, void *data) {
  meter_t *meter = (meter_t *)data;
  meter->now -= ((size_t *)ptr)[-2];
  free((size_t *)ptr - 2);
}

static void stops_a_bomb_at_the_limit(void **state) {
  (void)state;
  size_t len = 8 * MIB;
  uint8_t *bytes = (uint8_t *)calloc(1, len);
  assert_non_null(bytes);
  pair_t pair;
  uvow__buf_t packed;
  start(&pair, &uvow__mem_default, 15, 0, 9);
  uvow__buf_init(&packed, &uvow__mem_default, SIZE_MAX);
  assert_int_equal(uvow__deflate_compress(&pair.client, bytes, len, &packed),
                   0);
  assert_true(packed.len < 10000);
  for (size_t step = 0; step < 2; step++) {
    meter_t meter = {{meter_malloc, meter_realloc, meter_free, NULL}, 0, 0};
    uvow__deflate_config_t config = agreed(15, 0, 6);
    uvow__deflate_t unpacker;
    uvow__buf_t out;
    uvow__deflate_sink_t sink = {&out, NULL, NULL};
    meter.allocator.data = &meter;
    uvow__deflate_init(&unpacker, &meter.allocator, &config);
    uvow__buf_init(&out, &meter.allocator, 131072);
    assert_int_equal(
        inflate_cut(&unpacker, packed.data, packed.len, 1, step, &sink),
        UVOW_ETOOBIG);
    assert_string_equal(sink.why, "inflated message over the limit");
    assert_int_equal(uvow__buf_size(&out), 131072);
    assert_int_equal(out.cap, 131072);
    /* The message, and zlib's window and state. */
    assert_true(meter.peak < 131072 + 45000);
    uvow__buf_done(&out);
    uvow__deflate_done(&unpacker);
    assert_int_equal(meter.now, 0);
  }
  uvow__buf_done(&packed);
  stop(&pair);
  free(bytes);
}

static void inflates_up_to_the_very_limit(void **state) {
  (void)state;
  static const size_t limits[] = {1, 255, 256, 257, 16384, 16385, 50000};
  static uint8_t bytes[50001];
  prose(bytes, sizeof(bytes), 4);
  for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
    for (size_t more = 0; more < 2; more++) {
      for (size_t step = 0; step < 4; step++) {
        pair_t pair;
        uvow__buf_t packed, out;
        uvow__deflate_sink_t sink = {&out, NULL, NULL};
        start(&pair, &uvow__mem_default, 15, 0, 6);
        uvow__buf_init(&packed, &uvow__mem_default, SIZE_MAX);
        uvow__buf_init(&out, &uvow__mem_default, limits[i]);
        assert_int_equal(uvow__deflate_compress(&pair.client, bytes,
                                                limits[i] + more, &packed),
                         0);
        assert_int_equal(
            inflate_cut(&pair.server, packed.data, packed.len, 0, step, &sink),
            more ? UVOW_ETOOBIG : 0);
        assert_memory_equal(out.data, bytes, limits[i]);
        uvow__buf_done(&packed);
        uvow__buf_done(&out);
        stop(&pair);
      }
    }
  }
}

static void refuses_what_is_not_a_message(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t len;
    const char *why;
  } cases[] = {
      {"\x06", 1, "compressed message is not DEFLATE"}, /* a third block type */
      {"\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00", 11,
       "compressed message is not DEFLATE"},                /* a wrong length */
      {"\x03\x02", 2, "compressed message is not DEFLATE"}, /* too far back */
      {"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff", 11,
       "compressed message ends inside a block"}, /* its tail not cut off */
      {"\xf3\x48\xcd\xc9\xc9\x07\x00", 7,
       "compressed message ends inside a block"}, /* ends with a last block */
      {"\xf2\x48\xcd\xc9", 4, "compressed message ends inside a block"},
      {"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f", 10,
       "compressed message ends inside a block"},
      {"\x00\xff\xff\x00\x00", 5, "compressed message ends inside a block"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    for (size_t cut = 0; cut <= cases[i].len; cut++) {
      pair_t pair;
      uvow__buf_t out;
      uvow__deflate_sink_t sink = {&out, NULL, NULL};
      start(&pair, &uvow__mem_default, 15, 0, 6);
      uvow__buf_init(&out, &uvow__mem_default, 1000);
      assert_int_equal(inflate_cut(&pair.server,
                                   (const uint8_t *)cases[i].bytes,
                                   cases[i].len, cut, 0, &sink),
                       UVOW_EPROTO);
      assert_string_equal(sink.why, cases[i].why);
      uvow__buf_done(&out);
      stop(&pair);
    }
  }
}

static void refuses_wrong_text_at_its_first_piece(void **state) {
  (void)state;
  pair_t pair;
  uvow__buf_t packed, out;
  uvow__utf8_t utf8;
  uvow__deflate_sink_t sink = {&out, &utf8, NULL};
  start(&pair, &uvow__mem_default, 15, 1, 6);
  uvow__buf_init(&packed, &uvow__mem_default, 1000);
  uvow__buf_init(&out, &uvow__mem_default, 1000);
  assert_int_equal(
      uvow__deflate_compress(&pair.client,
                             "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
                             "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3",
                             21, &packed),
      0);
  uvow__utf8_init(&utf8);
  assert_int_equal(
      uvow__deflate_inflate(&pair.server, packed.data, packed.len, 1, &sink),
      UVOW_EUTF8);
  assert_string_equal(sink.why, "inflated text ends inside a character");
  uvow__deflate_done(&pair.server);
  uvow__utf8_init(&utf8);
  uvow__buf_clear(&out, 0);
  sink.why = NULL;
  /* "H", a sync flush, then 0xC0 as a stored byte: no need for the rest. */
  assert_int_equal(uvow__deflate_inflate(&pair.server,
                                         (const uint8_t *)"\x00\x01\x00\xfe\xff"
                                                          "H\x00\x02\x00\xfd"
                                                          "\xff\xC0",
                                         12, 0, &sink),
                   UVOW_EUTF8);
  assert_string_equal(sink.why, "inflated text is not UTF-8");
  uvow__buf_done(&packed);
  uvow__buf_done(&out);
  stop(&pair);
}

static void checks_options(void **state) {
  (void)state;
  uvow_deflate_options_t options;
  uvow__deflate_config_t config;
  memset(&options, 0, sizeof(options));
  for (int server = 0; server < 2; server++) {
    assert_int_equal(uvow__deflate_configure(&config, NULL, server), 0);
    assert_int_equal(config.terms.on, 0);
    options.size = 1;
    assert_int_equal(uvow__deflate_configure(&config, &options, server),
                     UVOW_EINVAL);
    options.size = sizeof(options);
    assert_int_equal(uvow__deflate_configure(&config, &options, server), 0);
    assert_int_equal(config.is_server, server);
    assert_int_equal(config.terms.on, 1);
    assert_int_equal(config.level, 6);
    assert_int_equal(config.threshold, 256);
    assert_int_equal(config.terms.server_max_window_bits, 15);
    assert_int_equal(config.terms.client_max_window_bits, 15);
    assert_int_equal(config.terms.server_no_context_takeover, 0);
    assert_int_equal(config.terms.client_no_context_takeover, 0);
    for (int n = -1; n < 18; n++) {
      uvow_deflate_options_t o = options;
      o.level = n;
      assert_int_equal(uvow__deflate_configure(&config, &o, server),
                       n >= 0 && n <= 9 ? 0 : UVOW_EINVAL);
      o = options;
      o.server_max_window_bits = n;
      int ok = n == 0 || (n >= 8 + server && n <= 15);
      assert_int_equal(uvow__deflate_configure(&config, &o, server),
                       ok ? 0 : UVOW_EINVAL);
      o = options;
      o.client_max_window_bits = n;
      ok = n == 0 || (n >= 9 - server && n <= 15);
      assert_int_equal(uvow__deflate_configure(&config, &o, server),
                       ok ? 0 : UVOW_EINVAL);
    }
  }
  options.level = 1;
  options.threshold_bytes = 7;
  options.server_no_context_takeover = 2;
  options.client_no_context_takeover = 256;
  options.server_max_window_bits = 9;
  options.client_max_window_bits = 10;
  assert_int_equal(uvow__deflate_configure(&config, &options, 1), 0);
  assert_int_equal(config.level, 1);
  assert_int_equal(config.threshold, 7);
  assert_int_equal(config.terms.server_no_context_takeover, 1);
  assert_int_equal(config.terms.client_no_context_takeover, 1);
  assert_int_equal(config.terms.server_max_window_bits, 9);
  assert_int_equal(config.terms.client_max_window_bits, 10);
}

static void no_memory(test_alloc_t *alloc, void *data) {
  static uint8_t bytes[3000];
  const int *forgets = (const int *)data;
  pair_t pair;
  uvow__buf_t packed, out;
  uvow__deflate_sink_t sink = {&out, NULL, NULL};
  int rc = 0;
  start(&pair, &alloc->allocator, 15, *forgets, 6);
  uvow__buf_init(&packed, &alloc->allocator, SIZE_MAX);
  uvow__buf_init(&out, &alloc->allocator, SIZE_MAX);
  prose(bytes, sizeof(bytes), 1);
  for (int i = 0; i < 2 && !rc; i++) {
    uvow__buf_clear(&out, 0);
    uvow__buf_clear(&packed, 0);
    rc = uvow__deflate_compress(&pair.client, bytes, sizeof(bytes), &packed);
    if (rc)
      assert_int_equal(uvow__buf_size(&packed), 0);
    else
      rc = inflate_cut(&pair.server, packed.data, packed.len, 100, 100, &sink);
  }
  assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
  uvow__buf_done(&packed);
  uvow__buf_done(&out);
  stop(&pair);
}

static void survives_every_failing_allocation(void **state) {
  (void)state;
  for (int forgets = 0; forgets < 2; forgets++)
    test_alloc_sweep(no_memory, &forgets);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_the_examples_of_rfc_7692_however_they_are_cut),
      cmocka_unit_test(writes_the_examples_of_rfc_7692),
      cmocka_unit_test(reads_an_empty_message),
      cmocka_unit_test(carries_messages_with_all_terms),
      cmocka_unit_test(carries_a_long_message_in_pieces),
      cmocka_unit_test(refers_back_to_what_the_window_holds),
      cmocka_unit_test(refuses_to_look_back_beyond_the_window),
      cmocka_unit_test(takes_memory_only_while_there_is_something_to_remember),
      cmocka_unit_test(sends_short_messages_as_they_are),
      cmocka_unit_test(sends_what_does_not_shrink_as_it_is),
      cmocka_unit_test(forgets_what_did_not_leave),
      cmocka_unit_test(stops_a_bomb_at_the_limit),
      cmocka_unit_test(inflates_up_to_the_very_limit),
      cmocka_unit_test(refuses_what_is_not_a_message),
      cmocka_unit_test(refuses_wrong_text_at_its_first_piece),
      cmocka_unit_test(checks_options),
      cmocka_unit_test(survives_every_failing_allocation),
  };
  return cmocka_run_group_tests_name("wire/deflate", tests, NULL, NULL);
}
