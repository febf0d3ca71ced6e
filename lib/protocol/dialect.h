#ifndef UVOW__DIALECT_H
#define UVOW__DIALECT_H

#include "protocol.h"

#define UVOW__PREFIX_MAX 80
#define UVOW__PREFIX_RANDOM 8 /* random bytes of a prefix */
#define UVOW__BATCH_MAX 1024  /* messages in one array */

/*
 * A protocol as one side of one conversation speaks it: with its own prefix of
 * ids, and the state of a codec. Lives in who speaks.
 */
typedef struct uvow__dialect {
  const uvow_protocol_t *protocol; /* kept */
  const uvow__mem_t *mem;
  uvow__ids_t ids;
  const struct uvow__vars *vars; /* of all messages; or NULL */
  void *state;                   /* of a codec: the connection's */
  int is_ready; /* that is there; without it a codec isn't asked */
  void *own;    /* what a native protocol remembers; or NULL */
  int strict;   /* an array that isn't JSON throughout is none at all */
  int accepted; /* it's who was connected to */
  char prefix[UVOW__PREFIX_MAX];
} uvow__dialect_t;

/* random: UVOW__PREFIX_RANDOM bytes, for ids that need them; NULL: zeros. */
void uvow__dialect_init(uvow__dialect_t *dialect, const uvow__mem_t *mem,
                        const uvow_protocol_t *protocol, const uint8_t *random);
void uvow__dialect_done(uvow__dialect_t *dialect);
/* The connection has ended; there may be another. */
void uvow__dialect_end(uvow__dialect_t *dialect);
/* Whether who made this call wants partial answers. */
int uvow__dialect_wants_parts(const uvow__dialect_t *dialect,
                              uvow__slice_t raw_id);

struct uvow_reader;

/* What tables can't say of a built-in protocol. write and read return 0; 1: by
 * the tables; or a negative code: it can't be sent, or is malformed. */
typedef struct uvow__native {
  int (*write)(uvow__dialect_t *dialect, const uvow__op_t *op, uvow__buf_t *out,
               int *ret_binary);
  int (*read)(struct uvow_reader *reader, uvow__slice_t message);
  /* Whether who made this call wants partial answers; NULL: all do. */
  int (*wants_parts)(const uvow__dialect_t *dialect, uvow__slice_t raw_id);
  /* The connection has ended, or the dialect has: for good. Or NULL. */
  void (*end)(uvow__dialect_t *dialect, int for_good);
  const char *expects; /* what write does, as a sentence */
} uvow__native_t;

/* Whether its messages may be binary, or several in one. */
static inline int uvow__dialect_is_coded(const uvow__dialect_t *dialect) {
  return dialect->protocol->codec != NULL || dialect->protocol->native != NULL;
}

/*
 * Appends the message of an operation, all or nothing; its ids are set. Errors
 * as those of uvow__protocol_encode, or a codec's own.
 */
int uvow__dialect_write(uvow__dialect_t *dialect, uvow__op_t *op,
                        uvow__buf_t *out, int *ret_binary);
/* The same without a codec: what its base does. */
int uvow__dialect_write_base(uvow__dialect_t *dialect, const uvow__op_t *op,
                             uvow__buf_t *out, int *ret_binary);

/* Where the messages go that are read. */
struct uvow_reader {
  uvow__dialect_t *dialect;
  /* One message: rc and msg as of uvow__protocol_decode; bytes: where it was.
   * The conversation may end within. */
  void (*on_message)(uvow_reader_t *reader, int rc, const uvow__msg_t *msg,
                     uvow__slice_t bytes);
  size_t batch;        /* how many are in the array; 0: it isn't in one */
  uvow__slice_t bytes; /* of a codec's message */
  int is_binary;
};

/* Reads what came: 0..n messages. */
void uvow__dialect_read(uvow_reader_t *reader, int is_binary,
                        uvow__slice_t message);

/* Whether a message is an array of messages, or may be several. One that isn't
 * is what uvow__protocol_decode_as reads. */
static inline int uvow__dialect_is_many(const uvow__dialect_t *dialect,
                                        int is_binary, uvow__slice_t message) {
  return uvow__dialect_is_coded(dialect) || is_binary ||
         (dialect->protocol->batches && message.len && message.ptr[0] != '{');
}

#endif
