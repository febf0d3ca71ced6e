#ifndef UVOW__DEFLATE_H
#define UVOW__DEFLATE_H

#include <uvow/deflate.h>

#include "base/buf.h"
#include "utf8.h"

#define UVOW__DEFLATE_AS_IS 1 /* of compress: not worth it */
#define UVOW__DEFLATE_MORE 2  /* of inflate: the sink's budget is used up */

/* The parameters of permessage-deflate (RFC 7692 7.1): those wanted, those
 * offered, or those agreed on. */
typedef struct uvow__deflate_terms {
  uint8_t on; /* 0: no compression; the rest doesn't matter */
  uint8_t server_no_context_takeover;
  uint8_t client_no_context_takeover;
  uint8_t server_max_window_bits; /* 8 to 15 */
  uint8_t client_max_window_bits;
  uint8_t asked_server_bits; /* a server must answer it, 15 too (7.1.2.1) */
} uvow__deflate_terms_t;

/* All zero: off. */
typedef struct uvow__deflate_config {
  uvow__deflate_terms_t terms;
  uint8_t is_server;
  uint8_t level;    /* 1 to 9 */
  uint8_t liberal;  /* see uvow_deflate_options_t */
  size_t threshold; /* bytes */
} uvow__deflate_config_t;

/* One end's compression, both ways. */
typedef struct uvow__deflate {
  const uvow__mem_t *mem;
  struct uvow__deflate_stream *packer; /* NULL: nothing to remember */
  struct uvow__deflate_stream *unpacker;
  size_t threshold;
  uint8_t level;
  uint8_t own_bits; /* the window of what is sent; 8: nothing is compressed */
  uint8_t own_no_takeover;
  uint8_t peer_bits;
  uint8_t peer_no_takeover;
  uint8_t liberal;
  uint8_t begun; /* bytes of the message that is being inflated came */
  uint8_t more;  /* the last inflate said UVOW__DEFLATE_MORE */
} uvow__deflate_t;

/* Checks options (NULL: off), and fills in what they leave open. Borrows them.
 * Errors: UVOW_EINVAL: a value out of its range. */
int uvow__deflate_configure(uvow__deflate_config_t *config,
                            const uvow_deflate_options_t *options,
                            int is_server);

/* For terms that were agreed on. Keeps mem. Takes no memory before the first
 * compressed message. */
void uvow__deflate_init(uvow__deflate_t *deflate, const uvow__mem_t *mem,
                        const uvow__deflate_config_t *config);
void uvow__deflate_done(uvow__deflate_t *deflate);

/*
 * Appends a message, compressed, to `out` (RFC 7692 7.2.1).
 *
 * Returns 0: it must be sent, or the stream reset; UVOW__DEFLATE_AS_IS: nothing was
 * appended, the message is to be sent uncompressed. Errors (nothing is
 * appended): UVOW_ENOMEM, UVOW_EOVERLOAD: no room within the limit of `out`,
 * some to spare.
 */
int uvow__deflate_compress(uvow__deflate_t *deflate, const void *bytes,
                           size_t len, uvow__buf_t *out);
/* A message that goes to many: compressed once for all whose compression
 * remembers nothing and is as strong. All zero: not compressed yet. Who has it
 * releases `bytes`. */
typedef struct uvow__packed {
  uvow__buf_t bytes;
  const uvow__mem_t *mem; /* NULL: nothing was compressed */
  size_t threshold;
  uint8_t level;
  uint8_t bits;
  int rc; /* as that of compress */
} uvow__packed_t;

void uvow__packed_done(uvow__packed_t *packed);
/* Compresses the message, or finds it compressed; always the same message. May
 * only be called with own_no_takeover. As uvow__deflate_compress, into
 * packed->bytes. */
int uvow__deflate_compress_once(uvow__deflate_t *deflate, const void *bytes,
                                size_t len, uvow__packed_t *packed);
/* What was compressed last can't be sent: nothing may refer back to it. */
void uvow__deflate_reset(uvow__deflate_t *deflate);

/* Where inflated bytes go. */
typedef struct uvow__deflate_sink {
  uvow__buf_t *out;   /* its limit is that of the message */
  uvow__utf8_t *utf8; /* of a text, how far it is checked; else NULL */
  const char *why;    /* what was wrong: static text */
  size_t budget;      /* bytes that may come now, or a chunk more; 0: any */
  size_t made;        /* of this call: bytes that came */
  size_t used;        /* of this call: bytes of the piece that were read */
} uvow__deflate_sink_t;

/*
 * Inflates the next piece of a message, `last` its last one, and appends what
 * comes of it to sink->out, which holds this message only.
 *
 * Returns 0, or UVOW__DEFLATE_MORE: it stopped, and is to be called again with
 * the rest of the piece, behind sink->used, which may be empty.
 *
 * Errors, sink->why tells: UVOW_ETOOBIG: over the limit, seen at the first
 * byte over it; UVOW_EPROTO: not DEFLATE, or it ends inside a block;
 * UVOW_EUTF8; UVOW_ENOMEM. After an error only done may follow.
 */
int uvow__deflate_inflate(uvow__deflate_t *deflate, const uint8_t *bytes,
                          size_t len, int last, uvow__deflate_sink_t *sink);

#endif
