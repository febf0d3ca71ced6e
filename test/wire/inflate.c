/* Inflating what must not come in: too much, no DEFLATE, no text. */
#include "support/support.h"

#include <uvow/error.h>

#include "base/mem.h"
#include "support/deflate.h"

#define MIB ((size_t)1024 * 1024)

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

TEST_CASE(stops_a_bomb_at_the_limit) {
  size_t len = 8 * MIB;
  uint8_t *bytes = (uint8_t *)calloc(1, len);
  assert_non_null(bytes);
  deflate_pair_t pair;
  uvow__buf_t packed;
  deflate_start(&pair, &uvow__mem_default, 15, 0, 9);
  uvow__buf_init(&packed, &uvow__mem_default, SIZE_MAX);
  assert_int_equal(uvow__deflate_compress(&pair.client, bytes, len, &packed),
                   0);
  assert_true(packed.len < 10000);
  for (size_t step = 0; step < 2; step++) {
    meter_t meter = {{sizeof(uvow_allocator_t), meter_malloc, meter_realloc,
                      meter_free, NULL},
                     0,
                     0};
    uvow__deflate_config_t config = deflate_agreed(15, 0, 6);
    uvow__deflate_t unpacker;
    uvow__buf_t out;
    uvow__deflate_sink_t sink = {.out = &out};
    meter.allocator.data = &meter;
    uvow__deflate_init(&unpacker, &meter.allocator, &config);
    uvow__buf_init(&out, &meter.allocator, 131072);
    assert_int_equal(
        deflate_inflate_cut(&unpacker, packed.data, packed.len, 1, step, &sink),
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
  deflate_stop(&pair);
  free(bytes);
}

TEST_CASE(inflates_up_to_the_very_limit) {
  static const size_t limits[] = {1, 255, 256, 257, 16384, 16385, 50000};
  static uint8_t bytes[50001];
  deflate_prose(bytes, sizeof(bytes), 4);
  for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
    for (size_t more = 0; more < 2; more++) {
      for (size_t step = 0; step < 4; step++) {
        deflate_pair_t pair;
        uvow__buf_t packed, out;
        uvow__deflate_sink_t sink = {.out = &out};
        deflate_start(&pair, &uvow__mem_default, 15, 0, 6);
        uvow__buf_init(&packed, &uvow__mem_default, SIZE_MAX);
        uvow__buf_init(&out, &uvow__mem_default, limits[i]);
        assert_int_equal(uvow__deflate_compress(&pair.client, bytes,
                                                limits[i] + more, &packed),
                         0);
        assert_int_equal(deflate_inflate_cut(&pair.server, packed.data,
                                             packed.len, 0, step, &sink),
                         more ? UVOW_ETOOBIG : 0);
        assert_memory_equal(out.data, bytes, limits[i]);
        uvow__buf_done(&packed);
        uvow__buf_done(&out);
        deflate_stop(&pair);
      }
    }
  }
}

TEST_CASE(refuses_what_is_not_a_message) {
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
      deflate_pair_t pair;
      uvow__buf_t out;
      uvow__deflate_sink_t sink = {.out = &out};
      deflate_start(&pair, &uvow__mem_default, 15, 0, 6);
      uvow__buf_init(&out, &uvow__mem_default, 1000);
      assert_int_equal(deflate_inflate_cut(&pair.server,
                                           (const uint8_t *)cases[i].bytes,
                                           cases[i].len, cut, 0, &sink),
                       UVOW_EPROTO);
      assert_string_equal(sink.why, cases[i].why);
      uvow__buf_done(&out);
      deflate_stop(&pair);
    }
  }
}

/* One that takes what others send, or not: as the option says. */
static void start_liberal(uvow__deflate_t *deflate, int liberal,
                          int no_takeover) {
  uvow_deflate_options_t options = {.size = sizeof(options)};
  uvow__deflate_config_t config;
  options.liberal = liberal;
  options.client_no_context_takeover = no_takeover;
  assert_int_equal(uvow__deflate_configure(&config, &options, 1), 0);
  uvow__deflate_init(deflate, &uvow__mem_default, &config);
}

/* A message, as it should be or not; the next one refers to it, where there's a
 * history. */
TEST_CASE(takes_loose_ends_where_it_is_liberal) {
  static const struct {
    const char *bytes;
    size_t len;
    const char *text;
    int strict; /* it's one for everybody */
  } cases[] = {
      {"", 0, "", 0},
      {"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff", 11, "Hello", 0},
      {"\x00\x05\x00\xfa\xffHello\x00\x00\x00\xff\xff", 15, "Hello", 0},
      {"\x00\x00\x00\xff\xff", 5, "", 0},
      {"\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello", 1},
      {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, "Hello", 1},
      {"\x00", 1, "", 1},
  };
  static const char hello[] = "\xf2\x48\xcd\xc9\xc9\x07\x00";
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    for (int how = 0; how < 4; how++)
      for (size_t cut = 0; cut <= cases[i].len; cut++) {
        uvow__deflate_t deflate;
        uvow__buf_t out;
        uvow__deflate_sink_t sink = {.out = &out};
        int ok = cases[i].strict || (how & 1);
        start_liberal(&deflate, how & 1, how & 2);
        uvow__buf_init(&out, &uvow__mem_default, 1000);
        int rc = deflate_inflate_cut(&deflate, (const uint8_t *)cases[i].bytes,
                                     cases[i].len, cut, 1, &sink);
        assert_int_equal(rc, ok ? 0 : UVOW_EPROTO);
        if (ok) {
          assert_int_equal(uvow__buf_size(&out), strlen(cases[i].text));
          assert_memory_equal(out.data ? (const char *)out.data : "",
                              cases[i].text, uvow__buf_size(&out));
          uvow__buf_clear(&out, 0);
          assert_int_equal(deflate_inflate_cut(&deflate, (const uint8_t *)hello,
                                               7, 3, 0, &sink),
                           0);
          assert_memory_equal(out.data, "Hello", 5);
        }
        uvow__buf_done(&out);
        uvow__deflate_done(&deflate);
      }
}

/* Being liberal isn't being careless. */
TEST_CASE(refuses_what_is_cut_all_the_same) {
  static const char *const cases[] = {"\xf2\x48\xcd\xc9", "\xf2\x48", "\x06",
                                      "\x03\x02"};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    uvow__deflate_t deflate;
    uvow__buf_t out;
    uvow__deflate_sink_t sink = {.out = &out};
    start_liberal(&deflate, 1, 0);
    uvow__buf_init(&out, &uvow__mem_default, 1000);
    assert_int_equal(uvow__deflate_inflate(&deflate, (const uint8_t *)cases[i],
                                           strlen(cases[i]), 1, &sink),
                     UVOW_EPROTO);
    uvow__buf_done(&out);
    uvow__deflate_done(&deflate);
  }
}

TEST_CASE(refuses_wrong_text_at_its_first_piece) {
  deflate_pair_t pair;
  uvow__buf_t packed, out;
  uvow__utf8_t utf8;
  uvow__deflate_sink_t sink = {.out = &out, .utf8 = &utf8};
  deflate_start(&pair, &uvow__mem_default, 15, 1, 6);
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
  deflate_stop(&pair);
}

TEST_MODULE(inflate) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(stops_a_bomb_at_the_limit),
      cmocka_unit_test(inflates_up_to_the_very_limit),
      cmocka_unit_test(refuses_what_is_not_a_message),
      cmocka_unit_test(takes_loose_ends_where_it_is_liberal),
      cmocka_unit_test(refuses_what_is_cut_all_the_same),
      cmocka_unit_test(refuses_wrong_text_at_its_first_piece),
  };
  return cmocka_run_group_tests_name("wire/inflate", tests, NULL, NULL);
}
