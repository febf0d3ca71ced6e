/*
 * permessage-deflate (RFC 7692 7.2) on zlib. The one file that knows zlib.
 *
 *   compress: deflate(Z_SYNC_FLUSH), its last four bytes, 00 00 FF FF, cut off
 *   inflate:  the pieces of a message, then those four bytes
 *
 * 1. Memory comes from mem, and only while there is something to remember:
 *    from the first message on, or, without context takeover, within one.
 * 2. What the packer remembers is never more than what the peer has been sent:
 *    a message that doesn't leave is forgotten, and all before it.
 * 3. Inflating makes room for one chunk at a time and stops at the limit of
 *    `out`; with no room left, a single byte tells whether more would come.
 * 4. A message must end where a block ends, at a whole byte: else the next one
 *    would be read as its rest.
 * 5. Inflating stops within a chunk of the sink's budget, in the midst of a
 *    piece too, and goes on from there.
 * 6. zlib takes a distance past the agreed window as long as it stays within
 *    what the same call put out. A peer that breaks its own window is refused
 *    or read as it meant it, depending on how its pieces fall.
 *
 * Not here: which terms are agreed on (extension.c), RSV1 (message.c).
 */
#include "deflate.h"

#include <assert.h>
#include <string.h>

#include <uvow/error.h>
#include <zlib.h>

#include "base/options.h"

#define CHUNK ((size_t)16384)
#define CHUNK_MIN ((size_t)256)     /* zlib needs more than 6 for a flush */
#define INPUT_MAX ((size_t)1 << 30) /* zlib counts in unsigned int */
#define TAIL_LEN 4
#define BITS_MIN 9 /* raw deflate knows no smaller window: zlib.h */
#define BITS_MAX 15
#define DEFAULT_LEVEL 6
#define DEFAULT_THRESHOLD 256

static const uint8_t tail[TAIL_LEN] = {0x00, 0x00, 0xFF, 0xFF};

struct uvow__deflate_stream {
  z_stream z;
};

typedef struct uvow__deflate_stream stream_t;

typedef uvow__deflate_sink_t sink_t;

static voidpf zalloc(voidpf mem, uInt items, uInt size) {
  size_t bytes;
  if (uvow__size_mul(items, size, &bytes))
    return Z_NULL;
  return uvow__malloc((const uvow__mem_t *)mem, bytes);
}

static void zfree(voidpf mem, voidpf ptr) {
  uvow__free((const uvow__mem_t *)mem, ptr);
}

static stream_t *new_stream(const uvow__mem_t *mem) {
  stream_t *stream = (stream_t *)uvow__calloc(mem, sizeof(*stream));
  if (!stream)
    return NULL;
  stream->z.zalloc = zalloc;
  stream->z.zfree = zfree;
  stream->z.opaque = (voidpf)(uintptr_t)mem;
  return stream;
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Options. */

static int in_range(int value, int low, int high) {
  return value == 0 || (value >= low && value <= high);
}

int uvow__deflate_configure(uvow__deflate_config_t *config,
                            const uvow_deflate_options_t *options,
                            int is_server) {
  uvow__deflate_terms_t *terms = &config->terms;
  memset(config, 0, sizeof(*config));
  uvow_deflate_options_t own;
  if (!options)
    return 0;
  options =
      (const uvow_deflate_options_t *)uvow__options(options, &own, sizeof(own));
  /* A window of 8 bits is only for what the other end sends. */
  if (!options || !in_range(options->level, 1, 9) ||
      !in_range(options->server_max_window_bits, is_server ? BITS_MIN : 8,
                BITS_MAX) ||
      !in_range(options->client_max_window_bits, is_server ? 8 : BITS_MIN,
                BITS_MAX))
    return UVOW_EINVAL;
  terms->on = 1;
  terms->server_no_context_takeover = options->server_no_context_takeover != 0;
  terms->client_no_context_takeover = options->client_no_context_takeover != 0;
  terms->server_max_window_bits =
      (uint8_t)(options->server_max_window_bits
                    ? options->server_max_window_bits
                    : BITS_MAX);
  terms->client_max_window_bits =
      (uint8_t)(options->client_max_window_bits
                    ? options->client_max_window_bits
                    : BITS_MAX);
  config->is_server = is_server != 0;
  config->liberal = options->liberal != 0;
  config->level = (uint8_t)(options->level ? options->level : DEFAULT_LEVEL);
  config->threshold =
      options->threshold_bytes ? options->threshold_bytes : DEFAULT_THRESHOLD;
  return 0;
}

void uvow__deflate_init(uvow__deflate_t *deflate, const uvow__mem_t *mem,
                        const uvow__deflate_config_t *config) {
  const uvow__deflate_terms_t *terms = &config->terms;
  int is_server = config->is_server;
  memset(deflate, 0, sizeof(*deflate));
  deflate->mem = mem;
  deflate->threshold = config->threshold;
  deflate->level = config->level;
  deflate->liberal = config->liberal;
  deflate->own_bits =
      is_server ? terms->server_max_window_bits : terms->client_max_window_bits;
  deflate->own_no_takeover = is_server ? terms->server_no_context_takeover
                                       : terms->client_no_context_takeover;
  deflate->peer_bits =
      is_server ? terms->client_max_window_bits : terms->server_max_window_bits;
  deflate->peer_no_takeover = is_server ? terms->client_no_context_takeover
                                        : terms->server_no_context_takeover;
}

static void close_packer(uvow__deflate_t *deflate) {
  if (deflate->packer)
    deflateEnd(&deflate->packer->z);
  uvow__free(deflate->mem, deflate->packer);
  deflate->packer = NULL;
}

static void close_unpacker(uvow__deflate_t *deflate) {
  if (deflate->unpacker)
    inflateEnd(&deflate->unpacker->z);
  uvow__free(deflate->mem, deflate->unpacker);
  deflate->unpacker = NULL;
}

void uvow__deflate_done(uvow__deflate_t *deflate) {
  close_packer(deflate);
  close_unpacker(deflate);
}

/* Compressing. */

static int open_packer(uvow__deflate_t *deflate) {
  stream_t *stream;
  /* zlib's own proportion: 8 for 15 bits. */
  int mem_level = deflate->own_bits - 7;
  if (deflate->packer)
    return 0;
  stream = new_stream(deflate->mem);
  if (!stream)
    return UVOW_ENOMEM;
  if (deflateInit2(&stream->z, deflate->level, Z_DEFLATED, -deflate->own_bits,
                   mem_level, Z_DEFAULT_STRATEGY) != Z_OK) {
    uvow__free(deflate->mem, stream);
    return UVOW_ENOMEM;
  }
  deflate->packer = stream;
  return 0;
}

void uvow__deflate_reset(uvow__deflate_t *deflate) {
  if (deflate->packer)
    deflateReset(&deflate->packer->z);
}

/* All that zlib has to say for its input. */
static int pack_piece(z_stream *z, int flush, uvow__buf_t *out) {
  size_t room = least(CHUNK_MIN + z->avail_in, CHUNK);
  do {
    int rc = uvow__buf_reserve(out, room);
    if (rc)
      return rc;
    z->next_out = out->data + out->len;
    z->avail_out = (uInt)room;
    rc = deflate(z, flush);
    assert(rc == Z_OK || rc == Z_BUF_ERROR);
    (void)rc;
    out->len += room - z->avail_out;
    room = CHUNK;
  } while (z->avail_out == 0);
  return 0;
}

static int pack(z_stream *z, const uint8_t *bytes, size_t len,
                uvow__buf_t *out) {
  int rc = 0;
  while (rc == 0 && len) {
    size_t piece = least(len, INPUT_MAX);
    z->next_in = (z_const Bytef *)(uintptr_t)bytes;
    z->avail_in = (uInt)piece;
    bytes += piece;
    len -= piece;
    rc = pack_piece(z, len ? Z_NO_FLUSH : Z_SYNC_FLUSH, out);
  }
  return rc;
}

/* Whether `packed` bytes are a poor bargain for `len`. With a history, small
 * ones are sent all the same: the next ones refer to them. What fills the whole
 * window and doesn't shrink leaves nothing worth to refer to. */
static int is_poor(const uvow__deflate_t *deflate, size_t packed, size_t len) {
  return packed >= len &&
         (deflate->own_no_takeover || len >= (size_t)1 << deflate->own_bits);
}

int uvow__deflate_compress(uvow__deflate_t *deflate, const void *bytes,
                           size_t len, uvow__buf_t *out) {
  size_t before = uvow__buf_size(out);
  if (len == 0 || len < deflate->threshold || deflate->own_bits < BITS_MIN)
    return UVOW__DEFLATE_AS_IS;
  int rc = open_packer(deflate);
  if (rc)
    return rc;
  rc = pack(&deflate->packer->z, (const uint8_t *)bytes, len, out);
  if (rc == 0) {
    out->len -= TAIL_LEN;
    assert(memcmp(out->data + out->len, tail, TAIL_LEN) == 0);
    if (is_poor(deflate, uvow__buf_size(out) - before, len))
      rc = UVOW__DEFLATE_AS_IS;
  }
  if (rc)
    out->len = out->off + before;
  if (deflate->own_no_takeover)
    close_packer(deflate);
  else if (rc)
    uvow__deflate_reset(deflate);
  return rc;
}

void uvow__packed_done(uvow__packed_t *packed) {
  if (packed->mem)
    uvow__buf_done(&packed->bytes);
  packed->mem = NULL;
}

int uvow__deflate_compress_once(uvow__deflate_t *deflate, const void *bytes,
                                size_t len, uvow__packed_t *packed) {
  assert(deflate->own_no_takeover);
  if (packed->mem && packed->level == deflate->level &&
      packed->bits == deflate->own_bits &&
      packed->threshold == deflate->threshold)
    return packed->rc;
  uvow__packed_done(packed);
  uvow__buf_init(&packed->bytes, deflate->mem, SIZE_MAX);
  int rc = uvow__deflate_compress(deflate, bytes, len, &packed->bytes);
  packed->mem = deflate->mem;
  packed->level = deflate->level;
  packed->bits = deflate->own_bits;
  packed->threshold = deflate->threshold;
  packed->rc = rc;
  if (rc < 0) /* the next one may have memory */
    uvow__packed_done(packed);
  return rc;
}

/* Inflating. */

static int refuse(sink_t *sink, int code, const char *why) {
  sink->why = why;
  return code;
}

static int open_unpacker(uvow__deflate_t *deflate, sink_t *sink) {
  stream_t *stream;
  if (deflate->unpacker)
    return 0;
  stream = new_stream(deflate->mem);
  if (!stream)
    return refuse(sink, UVOW_ENOMEM, "no memory to inflate");
  if (inflateInit2(&stream->z, -deflate->peer_bits) != Z_OK) {
    uvow__free(deflate->mem, stream);
    return refuse(sink, UVOW_ENOMEM, "no memory to inflate");
  }
  deflate->unpacker = stream;
  return 0;
}

/* What inflate said, once what it gave is taken. */
static int judge(z_stream *z, int said, sink_t *sink) {
  switch (said) {
  case Z_OK:
  case Z_BUF_ERROR: /* it wants more input */
    return 0;
  case Z_STREAM_END:
    /* A last block (RFC 7692 7.2.3.5): more may follow, and the history stays,
     * which inflateReset would drop. */
    inflateResetKeep(z);
    return 0;
  case Z_MEM_ERROR:
    return refuse(sink, UVOW_ENOMEM, "no memory to inflate");
  default:
    return refuse(sink, UVOW_EPROTO, "compressed message is not DEFLATE");
  }
}

/* As much as there is room for in a chunk. */
static int unpack_chunk(z_stream *z, sink_t *sink) {
  uvow__buf_t *out = sink->out;
  uint8_t probe;
  uint8_t *to = &probe;
  size_t left = out->max - uvow__buf_size(out);
  size_t room = left;
  if (left) {
    room = least(left,
                 z->avail_in < CHUNK / 4 ? CHUNK_MIN + 3 * z->avail_in : CHUNK);
    if (uvow__buf_reserve(out, room))
      return refuse(sink, UVOW_ENOMEM, "no memory for a message");
    to = out->data + out->len;
  }
  z->next_out = to;
  z->avail_out = left ? (uInt)room : 1;
  int said = inflate(z, Z_SYNC_FLUSH);
  size_t made = (size_t)(z->next_out - to);
  sink->made += made;
  if (made > left)
    return refuse(sink, UVOW_ETOOBIG, "inflated message over the limit");
  if (left)
    out->len += made;
  if (sink->utf8 && uvow__utf8_feed(sink->utf8, to, made))
    return refuse(sink, UVOW_EUTF8, "inflated text is not UTF-8");
  return judge(z, said, sink);
}

/* Whether zlib has more to say without more input than it has. */
static int has_more(const z_stream *z) {
  return z->avail_in || z->avail_out == 0;
}

static int is_spent(const sink_t *sink) {
  return sink->budget && sink->made >= sink->budget;
}

/* more: it stopped when zlib had more to say. */
static int unpack(z_stream *z, const uint8_t *bytes, size_t len, int more,
                  sink_t *sink) {
  size_t at = 0;
  int rc = 0;
  while (rc == 0 && (more || at < len)) {
    size_t piece = least(len - at, INPUT_MAX);
    z->next_in = (z_const Bytef *)((uintptr_t)bytes + at);
    z->avail_in = (uInt)piece;
    more = 0;
    do
      rc = unpack_chunk(z, sink);
    while (rc == 0 && !is_spent(sink) && has_more(z));
    at += piece - z->avail_in;
    if (rc == 0 && has_more(z))
      rc = UVOW__DEFLATE_MORE;
  }
  sink->used = at;
  return rc;
}

/* A message as others take it: without a byte, or with the four bytes that it
 * was to leave out. */
static int ends_loosely(const uvow__deflate_t *deflate, const z_stream *z) {
  return deflate->liberal && (!deflate->begun || z->data_type == 128);
}

/* The message is over. zlib.h of data_type: 128 behind a block, plus 64 if that
 * was a last one, plus the bits of the last byte that weren't used. */
static int unpack_end(const uvow__deflate_t *deflate, z_stream *z,
                      sink_t *sink) {
  int loose = ends_loosely(deflate, z);
  sink->budget = 0; /* no more than a few KiB can come of it */
  int rc = loose ? 0 : unpack(z, tail, TAIL_LEN, 0, sink);
  if (rc == 0 && !loose && z->data_type != 128)
    rc = refuse(sink, UVOW_EPROTO, "compressed message ends inside a block");
  if (rc == 0 && sink->utf8 && uvow__utf8_end(sink->utf8))
    rc = refuse(sink, UVOW_EUTF8, "inflated text ends inside a character");
  return rc;
}

int uvow__deflate_inflate(uvow__deflate_t *deflate, const uint8_t *bytes,
                          size_t len, int last, uvow__deflate_sink_t *sink) {
  sink->made = sink->used = 0;
  int rc = open_unpacker(deflate, sink);
  if (rc)
    return rc;
  z_stream *z = &deflate->unpacker->z;
  deflate->begun |= len != 0;
  rc = unpack(z, bytes, len, deflate->more, sink);
  deflate->more = rc == UVOW__DEFLATE_MORE;
  if (rc || !last)
    return rc;
  rc = unpack_end(deflate, z, sink);
  deflate->begun = 0;
  if (rc == 0 && deflate->peer_no_takeover)
    close_unpacker(deflate);
  return rc;
}
