/*
 * What opening steps prove of a secret, without telling it.
 *
 * obs-websocket 5: who asks for a password makes a challenge and a salt of 32
 * random bytes each; what proves it is base64(sha256(base64(sha256(password salt)) challenge)).
 * WAMP-CRA: base64(hmac_sha256(key, challenge)); key is the secret, or, with a
 * salt, base64(pbkdf2_hmac_sha256(secret, salt, iterations)).
 *
 * 1. A peer says how many iterations: at most ITERATIONS_MAX, or it could hold
 *    up the loop.
 */
#include "maker.h"

#include <stdio.h>
#include <string.h>

#include <uvow/error.h>

#include "base/hash.h"
#include "wire/base64.h"
#include "wire/json_text.h"

#define ITERATIONS_MAX 100000
#define HASH_TEXT UVOW__BASE64_SIZE(UVOW__SHA256)

typedef struct texts {
  uvow__buf_t bufs[3];
  uvow__slice_t secret;
  uvow__slice_t challenge;
  uvow__slice_t salt; /* NULL: none */
} texts_t;

/* A variable that is a string, as plain text. UVOW_EINVAL: it isn't one. */
static int get_text(const uvow__vars_t *vars, const char *name,
                    uvow__buf_t *buf, uvow__slice_t *ret) {
  uvow__slice_t raw = uvow__vars_get(vars, name);
  if (raw.len < 2 || *raw.ptr != '"')
    return UVOW_EINVAL;
  int rc = uvow__json_unescape(buf, raw);
  ret->ptr = rc ? NULL : (const char *)uvow__buf_front(buf);
  ret->len = uvow__buf_size(buf);
  return rc;
}

static int set_text(uvow__vars_t *vars, const char *name, const char *text) {
  char quoted[HASH_TEXT + 2];
  size_t len = strlen(text);
  quoted[0] = '"';
  memcpy(quoted + 1, text, len);
  quoted[len + 1] = '"';
  return uvow__vars_set(vars, (uvow__slice_t){name, strlen(name)},
                        (uvow__slice_t){quoted, len + 2});
}

/* The two texts, one behind the other. */
static int hash(uvow__slice_t a, uvow__slice_t b, char ret[HASH_TEXT]) {
  uint8_t digest[UVOW__SHA256];
  uvow__slice_t pieces[2] = {a, b};
  int rc = uvow__sha256(pieces, 2, digest);
  if (rc == 0)
    uvow__base64_encode(digest, sizeof(digest), ret);
  return rc;
}

static int make_obs5(const texts_t *texts, uvow__vars_t *vars) {
  char first[HASH_TEXT];
  char second[HASH_TEXT];
  int rc = hash(texts->secret, texts->salt, first);
  if (rc == 0)
    rc = hash((uvow__slice_t){first, strlen(first)}, texts->challenge, second);
  return rc ? rc : set_text(vars, "authentication", second);
}

/* PBKDF2 of one block (RFC 8018 5.2): as long as the hash. */
static int derive(const texts_t *texts, uint64_t iterations,
                  uvow__buf_t *salted, char ret[HASH_TEXT]) {
  uint8_t last[UVOW__SHA256];
  uint8_t sum[UVOW__SHA256];
  int rc = uvow__buf_append(salted, texts->salt.ptr, texts->salt.len);
  if (rc == 0)
    rc = uvow__buf_append(salted, "\0\0\0\1", 4);
  if (rc)
    return rc;
  uvow__slice_t text = {(const char *)uvow__buf_front(salted),
                        uvow__buf_size(salted)};
  for (uint64_t i = 0; rc == 0 && i < iterations; i++) {
    rc = uvow__hmac_sha256(texts->secret, text, last);
    for (size_t n = 0; n < sizeof(sum); n++)
      sum[n] = (uint8_t)(i ? sum[n] ^ last[n] : last[n]);
    text = (uvow__slice_t){(const char *)last, sizeof(last)};
  }
  if (rc == 0)
    uvow__base64_encode(sum, sizeof(sum), ret);
  return rc;
}

static int make_wampcra(const texts_t *texts, uvow__vars_t *vars) {
  uint64_t iterations = 1000;
  uvow__slice_t asked = uvow__vars_get(vars, "iterations");
  uvow__slice_t length = uvow__vars_get(vars, "keylen");
  char key_text[HASH_TEXT];
  char signature[HASH_TEXT];
  uint8_t digest[UVOW__SHA256];
  uvow__slice_t key = texts->secret;
  int rc = 0;
  if (texts->salt.ptr) {
    uvow__buf_t salted;
    if ((asked.ptr && uvow__slice_u64(asked, ITERATIONS_MAX, &iterations)) ||
        iterations == 0 || (length.ptr && !uvow__slice_is(length, "32")))
      return UVOW_EINVAL;
    uvow__buf_init(&salted, vars->mem, SIZE_MAX);
    rc = derive(texts, iterations, &salted, key_text);
    uvow__buf_done(&salted);
    key = (uvow__slice_t){key_text, rc ? 0 : strlen(key_text)};
  }
  if (rc == 0)
    rc = uvow__hmac_sha256(key, texts->challenge, digest);
  if (rc)
    return rc;
  uvow__base64_encode(digest, sizeof(digest), signature);
  return set_text(vars, "signature", signature);
}

/* What a server asks for a password with. */
static int make_obs5_asks(uvow__vars_t *vars) {
  uvow__random_t source = {0};
  uint8_t random[2][UVOW__SHA256];
  char texts[2][HASH_TEXT];
  char asks[2 * HASH_TEXT + 40];
  if (!uvow__vars_get(vars, "password").ptr)
    return 0;
  int rc = uvow__random(&source, random[0], sizeof(random));
  if (rc)
    return rc;
  for (size_t i = 0; i < 2; i++)
    uvow__base64_encode(random[i], sizeof(random[i]), texts[i]);
  int len =
      snprintf(asks, sizeof(asks), "{\"challenge\":\"%s\",\"salt\":\"%s\"}",
               texts[0], texts[1]);
  rc = set_text(vars, "challenge", texts[0]);
  if (rc == 0)
    rc = set_text(vars, "salt", texts[1]);
  if (rc == 0)
    rc = uvow__vars_set(vars, UVOW__SLICE("asks"),
                        (uvow__slice_t){asks, (size_t)len});
  return rc ? rc : uvow__maker_run(UVOW__MAKES_OBS5, vars);
}

int uvow__maker_run(unsigned maker, uvow__vars_t *vars) {
  int is_obs = maker == UVOW__MAKES_OBS5;
  texts_t texts;
  if (maker == UVOW__MAKES_OBS5_ASKS)
    return make_obs5_asks(vars);
  if (!uvow__vars_get(vars, "challenge").ptr)
    return 0; /* it isn't asked for */
  memset(&texts, 0, sizeof(texts));
  for (size_t i = 0; i < UVOW__COUNT(texts.bufs); i++)
    uvow__buf_init(&texts.bufs[i], vars->mem, SIZE_MAX);
  int rc = get_text(vars, is_obs ? "password" : "secret", &texts.bufs[0],
                    &texts.secret);
  if (rc == 0)
    rc = get_text(vars, "challenge", &texts.bufs[1], &texts.challenge);
  if (rc == 0 && (is_obs || uvow__vars_get(vars, "salt").ptr))
    rc = get_text(vars, "salt", &texts.bufs[2], &texts.salt);
  if (rc == 0)
    rc = is_obs ? make_obs5(&texts, vars) : make_wampcra(&texts, vars);
  for (size_t i = 0; i < UVOW__COUNT(texts.bufs); i++)
    uvow__buf_done(&texts.bufs[i]);
  return rc;
}
