#ifndef UVOW__HASH_H
#define UVOW__HASH_H

#include "buf.h"

#define UVOW__SHA1 20 /* bytes */
#define UVOW__SHA256 32
#define UVOW__RANDOM_BLOCK 4096

/* Each hashes a text in pieces, one behind the other. 0, or UVOW_ENOMEM. */
int uvow__sha1(const uvow__slice_t *pieces, size_t count,
               uint8_t ret[UVOW__SHA1]);
int uvow__sha256(const uvow__slice_t *pieces, size_t count,
                 uint8_t ret[UVOW__SHA256]);
/* RFC 2104. The same. */
int uvow__hmac_sha256(uvow__slice_t key, uvow__slice_t text,
                      uint8_t ret[UVOW__SHA256]);

/* Random bytes that nobody can guess, fetched in blocks. Begins as all zero. */
typedef struct uvow__random {
  size_t left; /* of block, at its end */
  uint8_t block[UVOW__RANDOM_BLOCK];
} uvow__random_t;

/* Fills in len bytes. UVOW_ETLS: the system has none to begin with. */
int uvow__random(uvow__random_t *random, uint8_t *bytes, size_t len);

/* Random bytes for mask keys, which all WebSockets of a loop share: each is used
 * once, by one of them. 0 at first. */
typedef struct uvow__mask_keys {
  size_t left;
  uint8_t bytes[256];
} uvow__mask_keys_t;

#endif
