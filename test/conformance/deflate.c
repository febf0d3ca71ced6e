/*
 * permessage-deflate, RFC 7692, as the groups 12 and 13 of Autobahn's suite:
 * every set of parameters with messages of every size, against zlib used
 * directly; RSV1 where it may stand; and what doesn't inflate.
 */
#include "support/bed.h"

#include <stdio.h>

#include <zlib.h>

#define MIB ((size_t)1024 * 1024)

/* What the peer knows of the terms. */
typedef struct terms {
  const char *name;
  const char *offer;  /* the peer's, as a client */
  const char *answer; /* the peer's, as a server */
  const char *agreed; /* what uvow's server must answer to the offer */
  int peer_bits[2];   /* what the peer compresses with: a server, a client */
  int own_bits[2];    /* and uvow, at most */
  int peer_no_takeover[2];
  int own_no_takeover[2];
  uvow_deflate_options_t options; /* of uvow */
} terms_t;

#define PMD "permessage-deflate"
#define BOTH(n)                                                                \
  { (n), (n) }
#define OPTIONS(...)                                                           \
  { sizeof(uvow_deflate_options_t), __VA_ARGS__, 0 }

static const terms_t all_terms[] = {
    {"12.1 the defaults", PMD, PMD, PMD, BOTH(15), BOTH(15), BOTH(0), BOTH(0),
     OPTIONS(6, 1, 0, 0, 0, 0)},
    {"13.1 offered client_max_window_bits", PMD "; client_max_window_bits", PMD,
     PMD, BOTH(15), BOTH(15), BOTH(0), BOTH(0), OPTIONS(1, 1, 0, 0, 0, 0)},
    {"13.2 neither keeps its context",
     PMD "; client_no_context_takeover; server_no_context_takeover",
     PMD "; server_no_context_takeover; client_no_context_takeover",
     PMD "; server_no_context_takeover; client_no_context_takeover", BOTH(15),
     BOTH(15), BOTH(1), BOTH(1), OPTIONS(6, 1, 1, 1, 0, 0)},
    {"13.3 windows of 9 bits",
     PMD "; client_max_window_bits=9; server_max_window_bits=9",
     PMD "; client_max_window_bits=9; server_max_window_bits=9",
     PMD "; server_max_window_bits=9; client_max_window_bits=9", BOTH(9),
     BOTH(9), BOTH(0), BOTH(0), OPTIONS(9, 1, 0, 0, 9, 9)},
    {"13.4 windows of 15 bits, said aloud",
     PMD "; client_max_window_bits=15; server_max_window_bits=15",
     PMD "; client_max_window_bits=15; server_max_window_bits=15",
     PMD "; server_max_window_bits=15", BOTH(15), BOTH(15), BOTH(0), BOTH(0),
     OPTIONS(6, 1, 0, 0, 15, 15)},
    {"13.5 9 bits and no context",
     PMD "; client_no_context_takeover; server_no_context_takeover; "
         "client_max_window_bits=9; server_max_window_bits=9",
     PMD "; client_no_context_takeover; server_no_context_takeover; "
         "client_max_window_bits=9; server_max_window_bits=9",
     PMD "; server_no_context_takeover; client_no_context_takeover; "
         "server_max_window_bits=9; client_max_window_bits=9",
     BOTH(9), BOTH(9), BOTH(1), BOTH(1), OPTIONS(6, 1, 1, 1, 9, 9)},
    {"13.6 the server's context and the client's window",
     PMD "; server_no_context_takeover; client_max_window_bits=10",
     PMD "; server_no_context_takeover; client_max_window_bits=10",
     PMD "; server_no_context_takeover; client_max_window_bits=10",
     {15, 10},
     {15, 10},
     {1, 0},
     {1, 0},
     OPTIONS(6, 1, 1, 0, 0, 10)},
    {"13.7 the second offer is the one that can be had",
     PMD "; server_max_window_bits=16, " PMD "; server_max_window_bits=11",
     PMD "; server_max_window_bits=11",
     PMD "; server_max_window_bits=11",
     {11, 15},
     {11, 15},
     BOTH(0),
     BOTH(0),
     OPTIONS(6, 1, 0, 0, 11, 0)},
};

/* The bits for what the peer sends, and for what uvow does: the client's or the
 * server's, as peer_bits and own_bits both hold [server, client]. */
typedef struct codec {
  z_stream pack;
  z_stream unpack;
  int peer_no_takeover;
  int own_no_takeover;
} codec_t;

static void codec_init(codec_t *codec, const terms_t *terms, int is_client) {
  int peer = is_client ? 0 : 1; /* the peer's role is the other one */
  memset(codec, 0, sizeof(*codec));
  codec->peer_no_takeover = terms->peer_no_takeover[peer];
  codec->own_no_takeover = terms->own_no_takeover[!peer];
  assert_int_equal(deflateInit2(&codec->pack, 6, Z_DEFLATED,
                                -terms->peer_bits[peer], 8, Z_DEFAULT_STRATEGY),
                   Z_OK);
  assert_int_equal(inflateInit2(&codec->unpack, -terms->own_bits[!peer]), Z_OK);
}

static void codec_done(codec_t *codec) {
  deflateEnd(&codec->pack);
  inflateEnd(&codec->unpack);
}

/* RFC 7692 7.2.1: to be freed. */
static uint8_t *pack(codec_t *codec, const uint8_t *bytes, size_t len,
                     size_t *ret_len) {
  size_t cap = len + len / 8 + 1024;
  uint8_t *out = (uint8_t *)malloc(cap);
  assert_non_null(out);
  if (len == 0) { /* 7.2.3.6: an empty message is one byte */
    out[0] = 0;
    *ret_len = 1;
    return out;
  }
  codec->pack.next_in = (Bytef *)(uintptr_t)bytes;
  codec->pack.avail_in = (uInt)len;
  codec->pack.next_out = out;
  codec->pack.avail_out = (uInt)cap;
  assert_int_equal(deflate(&codec->pack, Z_SYNC_FLUSH), Z_OK);
  *ret_len = cap - codec->pack.avail_out - 4;
  if (codec->peer_no_takeover)
    deflateReset(&codec->pack);
  return out;
}

/* RFC 7692 7.2.2: it must be this message. */
static void unpack(codec_t *codec, const peer_t *peer,
                   const peer_frame_t *frame, const uint8_t *bytes,
                   size_t len) {
  static const uint8_t tail[] = {0, 0, 0xff, 0xff};
  uint8_t *in = (uint8_t *)malloc(frame->len + 4);
  uint8_t *out = (uint8_t *)malloc(len + 16);
  assert_non_null(in);
  assert_non_null(out);
  memcpy(in, peer->in + frame->off, frame->len);
  memcpy(in + frame->len, tail, 4);
  codec->unpack.next_in = in;
  codec->unpack.avail_in = (uInt)frame->len + 4;
  codec->unpack.next_out = out;
  codec->unpack.avail_out = (uInt)len + 16;
  int rc = inflate(&codec->unpack, Z_SYNC_FLUSH);
  assert_true(rc == Z_OK || rc == Z_BUF_ERROR);
  assert_int_equal(codec->unpack.avail_in, 0);
  assert_int_equal(len + 16 - codec->unpack.avail_out, len);
  assert_memory_equal(out, bytes, len);
  if (codec->own_no_takeover)
    inflateReset(&codec->unpack);
  free(in);
  free(out);
}

static void prepare(bed_t *bed, const terms_t *terms, int is_client) {
  bed_init(bed, is_client);
  bed->peer.extensions = is_client ? terms->answer : terms->offer;
  assert_int_equal(uvow__deflate_configure(&bed->config.deflate,
                                           &terms->options, !is_client),
                   0);
}

static void start(bed_t *bed, const terms_t *terms, int is_client) {
  prepare(bed, terms, is_client);
  bed_open(bed);
}

/* uvow's answer to the offer, or its offer. */
static void expect_extension(const bed_t *bed, const char *expected) {
  static const char name[] = "Sec-WebSocket-Extensions: ";
  const char *found = strstr(bed->peer.head, name);
  if (!expected) {
    assert_null(found);
    return;
  }
  assert_non_null(found);
  found += sizeof(name) - 1;
  if (strncmp(found, expected, strlen(expected)) != 0 ||
      found[strlen(expected)] != '\r')
    fail_msg("expected %s, came %.120s", expected, found);
}

/* Words in an order that repeats itself here and there, so that windows of all
 * sizes find something. */
static void fill(uint8_t *bytes, size_t len, uint32_t seed) {
  for (size_t i = 0; i < len; i++) {
    if (i % 9 == 0)
      seed = seed * 1664525u + 1013904223u;
    bytes[i] = (uint8_t)("uvow libuv future promise then wslay json "
                             [((seed >> 24) + i) % 42]);
  }
}

static void put_packed(bed_t *bed, codec_t *codec, unsigned opcode,
                       const uint8_t *bytes, size_t len, size_t fragment) {
  size_t size;
  size_t at = 0;
  uint8_t *packed = pack(codec, bytes, len, &size);
  do {
    size_t n = size - at < fragment ? size - at : fragment;
    unsigned fin = at + n == size ? 0x80 : 0;
    peer_put_frame(&bed->peer, fin | (at ? 0 : 0x40 | opcode), packed + at, n);
    at += n;
  } while (at < size);
  free(packed);
}

static const size_t sizes[] = {16,        64,        0,         256,
                               1024,      4096,      8192,      1,
                               16 * 1024, 32 * 1024, 64 * 1024, 128 * 1024};
#define ROUNDS 3

static void run_terms(const terms_t *terms, int is_client, int tls,
                      size_t fragment, unsigned cut) {
  const size_t count = sizeof(sizes) / sizeof(*sizes) * ROUNDS;
  uint8_t *bytes = (uint8_t *)malloc(128 * 1024);
  bed_t bed;
  codec_t codec;
  print_message("# %s, as a %s\n", terms->name,
                is_client ? "client" : "server");
  prepare(&bed, terms, is_client);
  if (tls)
    (void)bed_use_tls(&bed);
  bed_open(&bed);
  if (!is_client)
    expect_extension(&bed, terms->agreed);
  codec_init(&codec, terms, is_client);
  for (size_t i = 0; i < count; i++) {
    fill(bytes, sizes[i / ROUNDS], (uint32_t)(i / 2));
    put_packed(&bed, &codec, 1 + i % 2, bytes, sizes[i / ROUNDS], fragment);
  }
  peer_put(&bed.peer, "89'p' 88<03e8>");
  bed_play(&bed, cut, 5000);
  assert_int_equal(bed.code, UVOW_ECLOSED);
  assert_int_equal(bed.peer.frame_count, count + 2);
  for (size_t i = 0; i < count; i++) {
    const peer_frame_t *frame = &bed.peer.frames[i];
    size_t size = sizes[i / ROUNDS];
    fill(bytes, size, (uint32_t)(i / 2));
    assert_int_equal(frame->first & 0xBF, 0x81 + i % 2);
    if (frame->first & 0x40) {
      unpack(&codec, &bed.peer, frame, bytes, size);
      assert_true(size < 4096 || frame->len < size);
    } else {
      assert_true(size < 4096); /* it was worth it */
      assert_int_equal(frame->len, size);
      assert_memory_equal(bed.peer.in + frame->off, bytes, size);
    }
  }
  codec_done(&codec);
  free(bytes);
  bed_done(&bed);
}

TEST_CASE(test_terms) {
  for (size_t i = 0; i < sizeof(all_terms) / sizeof(*all_terms); i++)
    for (int is_client = 0; is_client < 2; is_client++) {
      run_terms(&all_terms[i], is_client, 0, SIZE_MAX, 0);
      run_terms(&all_terms[i], is_client, 0, 700, 9);
    }
}

TEST_CASE(test_tls) {
  for (size_t i = 0; i < sizeof(all_terms) / sizeof(*all_terms); i++)
    for (int is_client = 0; is_client < 2; is_client++)
      run_terms(&all_terms[i], is_client, 1, 3000, 9);
}

/* RFC 7692 7.1: an offer that can't be had, and what is answered. NULL:
 * nothing, and the connection goes uncompressed. */
TEST_CASE(test_offers) {
  static const struct {
    const char *offer;
    const char *agreed;
  } cases[] = {
      {"x-webkit-deflate-frame", NULL},
      {PMD "; server_max_window_bits=7", NULL},
      {PMD "; server_max_window_bits=16", NULL},
      {PMD "; server_max_window_bits", NULL},
      {PMD "; server_max_window_bits=09", NULL},
      {PMD "; client_max_window_bits=16", NULL},
      {PMD "; client_max_window_bits=x", NULL},
      {PMD "; server_no_context_takeover=1", NULL},
      {PMD "; client_no_context_takeover; client_no_context_takeover", NULL},
      {PMD "; unknown", NULL},
      {PMD "; unknown, " PMD, PMD},
      {"permessage-bzip2, " PMD, PMD},
      {PMD "; server_max_window_bits=\"10\"",
       PMD "; server_max_window_bits=10"},
      {PMD "; client_no_context_takeover", PMD "; client_no_context_takeover"},
      {PMD "; server_no_context_takeover", PMD "; server_no_context_takeover"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    terms_t terms = all_terms[0];
    bed_t bed;
    terms.offer = cases[i].offer;
    start(&bed, &terms, 0);
    expect_extension(&bed, cases[i].agreed);
    if (!cases[i].agreed) /* so RSV1 is reserved */
      peer_put(&bed.peer, "81'plain' c1'no'");
    else
      peer_put(&bed.peer, "81'plain' 88<03ea>");
    bed_play(&bed, 0, 0);
    char *came = peer_text(&bed.peer);
    if (!strstr(came, "'plain'") && cases[i].agreed == NULL)
      fail_msg("%s: %s", cases[i].offer, came);
    assert_int_equal(bed.status, 1002);
    free(came);
    bed_done(&bed);
  }
}

/* What a server may not answer: the client refuses the connection. */
TEST_CASE(test_answers) {
  static const char *const cases[] = {
      PMD "; unknown",
      PMD "; server_max_window_bits=16",
      PMD "; server_max_window_bits=7",
      PMD "; client_max_window_bits",
      PMD "; server_no_context_takeover; server_no_context_takeover",
      PMD "; client_no_context_takeover=true",
      PMD ", " PMD,
      "x-webkit-deflate-frame",
      PMD "; ",
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    terms_t terms = all_terms[0];
    bed_t bed;
    terms.answer = cases[i];
    start(&bed, &terms, 1);
    if (!bed.ended || bed.code != UVOW_EPROTO)
      fail_msg("%s: %s", cases[i], uvow_err_name(bed.code));
    bed_done(&bed);
  }
}

/* "Hello" is f2 48 cd c9 c9 07 00 (RFC 7692 7.2.3.1). */
#define HELLO "<f248cdc9c90700>"

TEST_CASE(test_frames) {
  static const bed_case_t cases[] = {
      BED_OK("7.2.3.1 Hello", "c1" HELLO, "81'Hello'"),
      BED_OK("7.2.3.1 in two frames", "41<f248cd> 80<c9c90700>", "81'Hello'"),
      BED_OK("7.2.3.2 again, by its context", "c1" HELLO " c1<f200110000>",
             "81'Hello' 81'Hello'"),
      BED_OK("7.2.3.3 a block without compression",
             "c1<000500faff48656c6c6f00>", "81'Hello'"),
      BED_OK("7.2.3.4 the last block marked as such", "c1<f348cdc9c9070000>",
             "81'Hello'"),
      BED_OK("7.2.3.5 two blocks", "c1<f24805000000ffffcac9c90700>",
             "81'Hello'"),
      BED_OK("7.2.3.6 nothing", "c1<00>", "81"),
      BED_OK("an uncompressed message between",
             "c1" HELLO " 81'plain' c1<f200110000>",
             "81'Hello' 81'plain' 81'Hello'"),
      BED_OK("a ping between", "41<f248cd> 89'p' 80<c9c90700>",
             "8a'p' 81'Hello'"),
      BED_OK("empty fragments", "41 00 00" HELLO " 80", "81'Hello'"),
      BED_BAD("RSV1 on a continuation", "41<f248cd> c0<c9c90700>", ""),
      BED_BAD("RSV1 on a continuation of plain text", "01'a' c0'b'", ""),
      BED_BAD("RSV1 on a ping", "c9'p'", ""),
      BED_BAD("RSV1 on a close frame", "c8<03e8>", ""),
      BED_BAD("RSV2 with it", "e1" HELLO, ""),
      BED_BAD("a block of no type", "c1+9<ff>", ""),
      BED_BAD("a length whose complement is wrong", "c1<000500faf148656c6c6f>",
              ""),
      BED_BAD("a distance beyond the beginning", "c1<f200110000>", ""),
      BED_BAD("an end within a block", "c1<f248cd>", ""),
      BED_BAD_TEXT("text that isn't UTF-8 after inflating",
                   "c1<000100feff8000>", ""),
      BED_BAD_TEXT("and at once, the frame isn't over",
                   "41<000100feff80> 00+9<00>", ""),
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    for (int is_client = 0; is_client < 2; is_client++)
      for (unsigned cut = 0; cut < 3; cut++) {
        terms_t terms = all_terms[0];
        bed_t bed;
        terms.options.threshold_bytes = 1000;
        start(&bed, &terms, is_client);
        peer_put(&bed.peer, cases[i].send);
        bed_play(&bed, cut, 7);
        char *came = peer_text(&bed.peer);
        const char *expect = cases[i].expect + (*cases[i].expect == ' ');
        if (strcmp(came, expect) != 0 || bed.code != cases[i].code)
          fail_msg("%s\nexpected %s\ncame     %s %s", cases[i].name, expect,
                   came, uvow_err_name(bed.code));
        free(came);
        bed_done(&bed);
      }
}

/* 32 MiB that come as 32 KiB: no message of it. */
TEST_CASE(test_bomb) {
  for (int is_client = 0; is_client < 2; is_client++)
    for (unsigned opcode = 1; opcode <= 2; opcode++) {
      bed_t bed;
      codec_t codec;
      uint8_t *bytes = (uint8_t *)calloc(32, MIB);
      assert_non_null(bytes);
      memset(bytes, 'x', 32 * MIB);
      start(&bed, &all_terms[0], is_client);
      codec_init(&codec, &all_terms[0], is_client);
      put_packed(&bed, &codec, opcode, bytes, 32 * MIB, SIZE_MAX);
      bed_play(&bed, 0, 0);
      char *came = peer_text(&bed.peer);
      assert_string_equal(came, "88<03f1>");
      assert_int_equal(bed.code, UVOW_ETOOBIG);
      assert_int_equal(bed.messages, 0);
      free(came);
      free(bytes);
      codec_done(&codec);
      bed_done(&bed);
    }
}

TEST_MODULE(deflate) {
  const struct CMUnitTest tests[] = {
      {"messages of all sizes, on all terms", test_terms, NULL, NULL, NULL},
      {"and over TLS", test_tls, NULL, NULL, NULL},
      {"an offer is taken as it stands, or not at all", test_offers, NULL, NULL,
       NULL},
      {"an answer that wasn't offered is refused", test_answers, NULL, NULL,
       NULL},
      {"the examples of RFC 7692, and their opposites", test_frames, NULL, NULL,
       NULL},
      {"a bomb is refused", test_bomb, NULL, NULL, NULL},
  };
  return cmocka_run_group_tests_name("conformance/deflate", tests, tls_setup,
                                     tls_teardown);
}
