/* Compressing and inflating messages, without frames around them. What is
 * refused: inflate.c. */
#include "support/support.h"

#include <uvow/error.h>

#include "base/mem.h"
#include "support/deflate.h"

#define MIB ((size_t)1024 * 1024)

/* A message from one end to the other; returns how long it was on the way, 0:
 * it's sent as it is. */
static size_t carry(uvow__deflate_t *from, uvow__deflate_t *to,
                    const uint8_t *bytes, size_t len) {
  uvow__buf_t packed, out;
  uvow__deflate_sink_t sink = {.out = &out};
  uvow__buf_init(&packed, &uvow__mem_default, SIZE_MAX);
  uvow__buf_init(&out, &uvow__mem_default, len);
  int rc = uvow__deflate_compress(from, bytes, len, &packed);
  size_t size = uvow__buf_size(&packed);
  assert_int_equal(rc, size ? 0 : UVOW__DEFLATE_AS_IS);
  if (size) {
    assert_int_equal(
        deflate_inflate_cut(to, uvow__buf_front(&packed), size, size, 0, &sink),
        0);
    assert_int_equal(uvow__buf_size(&out), len);
    assert_memory_equal(uvow__buf_front(&out), bytes, len);
  }
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

TEST_CASE(reads_the_examples_of_rfc_7692_however_they_are_cut) {
  for (size_t i = 0; i < sizeof(hellos) / sizeof(hellos[0]); i++) {
    for (size_t cut = 0; cut <= hellos[i].len; cut++) {
      for (size_t step = 0; step < 3; step++) {
        deflate_pair_t pair;
        uvow__buf_t out;
        uvow__utf8_t utf8;
        uvow__deflate_sink_t sink = {.out = &out, .utf8 = &utf8};
        deflate_start(&pair, &uvow__mem_default, 15, 0, 6);
        uvow__buf_init(&out, &uvow__mem_default, 10);
        uvow__utf8_init(&utf8);
        /* The message before has a last block; history survives that. */
        const uint8_t *before = (const uint8_t *)hellos[3].bytes;
        if (hellos[i].again)
          assert_int_equal(
              deflate_inflate_cut(&pair.client, before, 8, 8, 0, &sink), 0);
        uvow__buf_clear(&out, 0);
        assert_int_equal(deflate_inflate_cut(&pair.client,
                                             (const uint8_t *)hellos[i].bytes,
                                             hellos[i].len, cut, step, &sink),
                         0);
        assert_int_equal(uvow__buf_size(&out), 5);
        assert_memory_equal(uvow__buf_front(&out), "Hello", 5);
        uvow__buf_done(&out);
        deflate_stop(&pair);
      }
    }
  }
}

TEST_CASE(writes_the_examples_of_rfc_7692) {
  deflate_pair_t pair;
  uvow__buf_t out;
  deflate_start(&pair, &uvow__mem_default, 15, 0, 6);
  uvow__buf_init(&out, &uvow__mem_default, 1000);
  assert_int_equal(uvow__deflate_compress(&pair.client, "Hello", 5, &out), 0);
  assert_int_equal(uvow__buf_size(&out), 7);
  assert_memory_equal(out.data, hellos[0].bytes, 7);
  assert_int_equal(uvow__deflate_compress(&pair.client, "Hello", 5, &out), 0);
  assert_int_equal(uvow__buf_size(&out), 12);
  assert_memory_equal(out.data + 7, hellos[1].bytes, 5);
  uvow__buf_done(&out);
  deflate_stop(&pair);
}

TEST_CASE(reads_an_empty_message) {
  static const uint8_t bytes[1] = {0}; /* RFC 7692 7.2.3.6 */
  deflate_pair_t pair;
  uvow__buf_t out;
  uvow__deflate_sink_t sink = {.out = &out};
  deflate_start(&pair, &uvow__mem_default, 15, 0, 6);
  uvow__buf_init(&out, &uvow__mem_default, 10);
  assert_int_equal(uvow__deflate_inflate(&pair.server, bytes, 1, 1, &sink), 0);
  assert_int_equal(uvow__deflate_inflate(&pair.server, bytes, 0, 0, &sink), 0);
  assert_int_equal(uvow__deflate_inflate(&pair.server, bytes, 1, 0, &sink), 0);
  assert_int_equal(uvow__deflate_inflate(&pair.server, bytes, 0, 1, &sink), 0);
  assert_int_equal(uvow__buf_size(&out), 0);
  /* None at all isn't one: the end of a block needs a beginning. */
  assert_int_equal(uvow__deflate_inflate(&pair.server, bytes, 0, 1, &sink),
                   UVOW_EPROTO);
  uvow__buf_done(&out);
  deflate_stop(&pair);
}

TEST_CASE(carries_messages_with_all_terms) {
  static const size_t sizes[] = {1, 2, 60, 511, 513, 4096, 33000, 70001};
  static uint8_t bytes[70001];
  for (int bits = 9; bits <= 15; bits++) {
    for (int no_takeover = 0; no_takeover < 4; no_takeover++) {
      uvow__deflate_config_t config =
          deflate_agreed(bits, 0, 1 + (bits + no_takeover) % 9);
      uvow__deflate_t ends[2];
      config.terms.client_no_context_takeover = no_takeover & 1;
      config.terms.server_no_context_takeover = no_takeover > 1;
      config.terms.client_max_window_bits = (uint8_t)(24 - bits);
      for (int i = 0; i < 2; i++) {
        config.is_server = (uint8_t)i;
        uvow__deflate_init(&ends[i], &uvow__mem_default, &config);
      }
      for (size_t i = 0; i < 16; i++) {
        deflate_prose(bytes, sizes[i % 8], (uint32_t)i);
        size_t size = carry(&ends[i & 1], &ends[!(i & 1)], bytes, sizes[i % 8]);
        assert_true(size < sizes[i % 8] || sizes[i % 8] <= 2);
        size = carry(&ends[!(i & 1)], &ends[i & 1], bytes, sizes[i % 8]);
        assert_true(size < sizes[i % 8] || sizes[i % 8] <= 2);
      }
      uvow__deflate_done(&ends[0]);
      uvow__deflate_done(&ends[1]);
    }
  }
}

TEST_CASE(carries_a_long_message_in_pieces) {
  size_t len = 5 * MIB + 1;
  uint8_t *bytes = (uint8_t *)malloc(len);
  assert_non_null(bytes);
  deflate_pair_t pair;
  uvow__buf_t packed, out;
  uvow__deflate_sink_t sink = {.out = &out};
  deflate_prose(bytes, len / 2, 1);
  deflate_noise(bytes + len / 2, len - len / 2, 2);
  deflate_start(&pair, &uvow__mem_default, 15, 0, 6);
  uvow__buf_init(&packed, &uvow__mem_default, SIZE_MAX);
  uvow__buf_init(&out, &uvow__mem_default, len);
  assert_int_equal(uvow__deflate_compress(&pair.client, bytes, len, &packed),
                   0);
  assert_int_equal(deflate_inflate_cut(&pair.server, packed.data, packed.len, 1,
                                       4099, &sink),
                   0);
  assert_int_equal(uvow__buf_size(&out), len);
  assert_memory_equal(out.data, bytes, len);
  uvow__buf_done(&packed);
  uvow__buf_done(&out);
  deflate_stop(&pair);
  free(bytes);
}

TEST_CASE(refers_back_to_what_the_window_holds) {
  uint8_t bytes[2000];
  deflate_noise(bytes, sizeof(bytes), 7);
  for (int bits = 9; bits <= 15; bits++) {
    for (int no_takeover = 0; no_takeover < 2; no_takeover++) {
      uvow__deflate_config_t config = deflate_agreed(bits, no_takeover, 6);
      uvow__deflate_t packer;
      uvow__buf_t packed;
      uvow__deflate_init(&packer, &uvow__mem_default, &config);
      uvow__buf_init(&packed, &uvow__mem_default, SIZE_MAX);
      uvow__deflate_compress(&packer, bytes, sizeof(bytes), &packed);
      size_t first = uvow__buf_size(&packed);
      uvow__deflate_compress(&packer, bytes, sizeof(bytes), &packed);
      size_t second = uvow__buf_size(&packed) - first;
      if (bits > 11 && !no_takeover) /* 2000 bytes ago, and some look-ahead */
        assert_in_range(second, 5, 100);
      else if (!no_takeover && bits == 11)
        assert_in_range(second, sizeof(bytes), sizeof(bytes) + 20);
      else
        assert_int_equal(uvow__buf_size(&packed), 0); /* as it is */
      uvow__buf_done(&packed);
      uvow__deflate_done(&packer);
    }
  }
}

TEST_CASE(refuses_to_look_back_beyond_the_window) {
  uint8_t bytes[600];
  deflate_pair_t wide, narrow;
  uvow__buf_t packed, out;
  uvow__deflate_sink_t sink = {.out = &out};
  deflate_noise(bytes, sizeof(bytes), 9);
  deflate_start(&wide, &uvow__mem_default, 15, 0, 6);
  deflate_start(&narrow, &uvow__mem_default, 9, 0, 6);
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
  deflate_stop(&wide);
  deflate_stop(&narrow);
}

TEST_CASE(takes_memory_only_while_there_is_something_to_remember) {
  static const uint8_t text[] = "text text text text text text text text";
  for (int no_takeover = 0; no_takeover < 2; no_takeover++) {
    test_alloc_t alloc;
    deflate_pair_t pair;
    test_alloc_init(&alloc);
    deflate_start(&pair, &alloc.allocator, 15, no_takeover, 6);
    assert_int_equal(alloc.calls, 0);
    for (int i = 0; i < 3; i++) {
      carry(&pair.client, &pair.server, text, sizeof(text));
      assert_int_equal(alloc.live == 0, no_takeover);
      size_t live = alloc.live;
      carry(&pair.server, &pair.client, text, sizeof(text));
      assert_int_equal(alloc.live > live, !no_takeover && i == 0);
    }
    deflate_stop(&pair);
    assert_int_equal(alloc.live, 0);
  }
}

TEST_CASE(sends_short_messages_as_they_are) {
  static const uint8_t text[200] = {0};
  uvow__deflate_config_t config = deflate_agreed(15, 0, 6);
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

TEST_CASE(sends_what_does_not_shrink_as_it_is) {
  static uint8_t bytes[40000];
  static const struct {
    int no_takeover;
    size_t len;
    int rc;
  } cases[] = {{1, 300, UVOW__DEFLATE_AS_IS},
               {1, 40000, UVOW__DEFLATE_AS_IS},
               {0, 30, 0},
               {0, 32767, 0},
               {0, 32768, UVOW__DEFLATE_AS_IS}};
  deflate_noise(bytes, sizeof(bytes), 3);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    deflate_pair_t pair;
    uvow__buf_t out;
    deflate_start(&pair, &uvow__mem_default, 15, cases[i].no_takeover, 6);
    uvow__buf_init(&out, &uvow__mem_default, SIZE_MAX);
    assert_int_equal(uvow__buf_append(&out, "kept", 4), 0);
    assert_int_equal(
        uvow__deflate_compress(&pair.client, bytes, cases[i].len, &out),
        cases[i].rc);
    assert_int_equal(uvow__buf_size(&out) == 4, cases[i].rc != 0);
    /* The peer never saw it: what follows may not refer to it. */
    if (cases[i].rc)
      assert_int_equal(carry(&pair.client, &pair.server,
                             bytes + cases[i].len - 300, 300) != 0,
                       !cases[i].no_takeover);
    uvow__buf_done(&out);
    deflate_stop(&pair);
  }
}

TEST_CASE(drops_what_did_not_leave) {
  static uint8_t bytes[500];
  for (int full = 0; full < 2; full++) {
    deflate_pair_t pair;
    uvow__buf_t out;
    deflate_noise(bytes, sizeof(bytes), 5);
    deflate_start(&pair, &uvow__mem_default, 15, 0, 6);
    uvow__buf_init(&out, &uvow__mem_default, full ? 600 : SIZE_MAX);
    carry(&pair.client, &pair.server, bytes, 10);
    assert_int_equal(
        uvow__deflate_compress(&pair.client, bytes, sizeof(bytes), &out),
        full ? UVOW_EOVERLOAD : 0);
    assert_int_equal(uvow__buf_size(&out) == 0, full);
    if (!full)
      uvow__deflate_reset(&pair.client);
    size_t size = carry(&pair.client, &pair.server, bytes, sizeof(bytes));
    assert_true(size > sizeof(bytes)); /* from nothing on */
    size = carry(&pair.client, &pair.server, bytes, sizeof(bytes));
    assert_in_range(size, 5, 50); /* and on from there */
    uvow__buf_done(&out);
    deflate_stop(&pair);
  }
}

TEST_CASE(checks_options) {
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
  const int *no_takeover = (const int *)data;
  deflate_pair_t pair;
  uvow__buf_t packed, out;
  uvow__deflate_sink_t sink = {.out = &out};
  int rc = 0;
  deflate_start(&pair, &alloc->allocator, 15, *no_takeover, 6);
  uvow__buf_init(&packed, &alloc->allocator, SIZE_MAX);
  uvow__buf_init(&out, &alloc->allocator, SIZE_MAX);
  deflate_prose(bytes, sizeof(bytes), 1);
  for (int i = 0; i < 2 && rc == 0; i++) {
    uvow__buf_clear(&out, 0);
    uvow__buf_clear(&packed, 0);
    rc = uvow__deflate_compress(&pair.client, bytes, sizeof(bytes), &packed);
    if (rc)
      assert_int_equal(uvow__buf_size(&packed), 0);
    else
      rc = deflate_inflate_cut(&pair.server, packed.data, packed.len, 9, 9,
                               &sink);
  }
  assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
  uvow__buf_done(&packed);
  uvow__buf_done(&out);
  deflate_stop(&pair);
}

TEST_CASE(survives_every_failing_allocation) {
  for (int no_takeover = 0; no_takeover < 2; no_takeover++)
    test_alloc_sweep(no_memory, &no_takeover);
}

/* What goes to many is compressed once for all who remember nothing and ask for
 * the same. */
TEST_CASE(compresses_once_for_many) {
  static uint8_t bytes[4000];
  deflate_pair_t like[3];
  uvow__packed_t packed = {0};
  deflate_prose(bytes, sizeof(bytes), 1);
  deflate_start(&like[0], &uvow__mem_default, 15, 1, 6);
  deflate_start(&like[1], &uvow__mem_default, 15, 1, 6);
  deflate_start(&like[2], &uvow__mem_default, 10, 1, 6);
  assert_int_equal(uvow__deflate_compress_once(&like[0].server, bytes,
                                               sizeof(bytes), &packed),
                   0);
  const uint8_t *at = uvow__buf_front(&packed.bytes);
  size_t size = uvow__buf_size(&packed.bytes);
  memset(bytes, 'x', sizeof(bytes)); /* it doesn't look again */
  assert_int_equal(uvow__deflate_compress_once(&like[1].server, bytes,
                                               sizeof(bytes), &packed),
                   0);
  assert_ptr_equal(uvow__buf_front(&packed.bytes), at);
  assert_int_equal(uvow__buf_size(&packed.bytes), size);
  assert_int_equal(uvow__deflate_compress_once(&like[2].server, bytes,
                                               sizeof(bytes), &packed),
                   0);
  assert_true(uvow__buf_size(&packed.bytes) < size);
  uvow__packed_done(&packed);
  assert_int_equal(
      uvow__deflate_compress_once(&like[2].server, bytes, 0, &packed),
      UVOW__DEFLATE_AS_IS);
  assert_int_equal(
      uvow__deflate_compress_once(&like[2].server, bytes, 0, &packed),
      UVOW__DEFLATE_AS_IS);
  uvow__packed_done(&packed);
  for (int i = 0; i < 3; i++)
    deflate_stop(&like[i]);
}

/* Without memory for one peer, the next one may have some. */
static void pack_once(test_alloc_t *alloc, void *data) {
  deflate_pair_t pair;
  uvow__packed_t packed = {0};
  uint8_t bytes[400];
  (void)data;
  memset(bytes, 'x', sizeof(bytes));
  deflate_start(&pair, &alloc->allocator, 15, 1, 6);
  int rc =
      uvow__deflate_compress_once(&pair.server, bytes, sizeof(bytes), &packed);
  assert_int_equal(rc, packed.mem ? 0 : UVOW_ENOMEM);
  uvow__packed_done(&packed);
  deflate_stop(&pair);
}

TEST_CASE(compresses_once_without_memory) {
  test_alloc_sweep(pack_once, NULL);
}

TEST_MODULE(deflate) {
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
      cmocka_unit_test(drops_what_did_not_leave),
      cmocka_unit_test(compresses_once_for_many),
      cmocka_unit_test(compresses_once_without_memory),
      cmocka_unit_test(checks_options),
      cmocka_unit_test(survives_every_failing_allocation),
  };
  return cmocka_run_group_tests_name("wire/deflate", tests, NULL, NULL);
}
