/* What is made of a secret: the vectors of those who ask for it. */
#include "protocol/maker.h"

#include <stdio.h>

#include "support/faults.h"

#include <uvow/error.h>

typedef struct maker_case {
  unsigned maker;
  const char *vars;
  int rc;
  const char *made; /* as JSON text; NULL: nothing */
} maker_case_t;

#define OBS UVOW__MAKES_OBS5
#define CRA UVOW__MAKES_WAMPCRA
#define NONCE "\"challenge\":\"{\\\"nonce\\\":\\\"LHRTC9zeOIrt_9U3\\\"}\""

static const maker_case_t cases[] = {
    /* docs/generated/protocol.md of obs-websocket */
    {OBS,
     "{\"password\":\"supersecretpassword\",\"challenge\":"
     "\"+IxH4CnCiqpX1rM9scsNynZzbOe4KhDeYcTNS3PDaeY=\",\"salt\":"
     "\"lM1GncleQOaCu9lT1yeUZhFYnqhsLLP1G5lAGo3ixaI=\"}",
     0, "\"1Ct943GAT+6YQUUX47Ia/ncufilbe6+oD6lY+5kaCu4=\""},
    {OBS, "{\"password\":\"p\"}", 0, NULL},
    {OBS, "{\"challenge\":\"c\",\"salt\":\"s\"}", UVOW_EINVAL, NULL},
    {OBS, "{\"password\":\"p\",\"challenge\":\"c\"}", UVOW_EINVAL, NULL},
    {OBS, "{\"password\":5,\"challenge\":\"c\",\"salt\":\"s\"}", UVOW_EINVAL,
     NULL},
    {OBS, "{\"password\":\"p\",\"challenge\":[],\"salt\":\"s\"}", UVOW_EINVAL,
     NULL},
    /* Against Python's hmac and hashlib.pbkdf2_hmac. */
    {CRA, "{\"secret\":\"secret\"," NONCE "}", 0,
     "\"UDynXhCmhKNkLG+P45ifr4Y+2ZP3+HHRBj9o6AD76xA=\""},
    {CRA,
     "{\"secret\":\"secret\"," NONCE
     ",\"salt\":\"salt123\",\"iterations\":100,\"keylen\":32}",
     0, "\"L7BgyMB6WvrQ1JYQw7XcLmJdD6wcMlAtCBwea3jPGKY=\""},
    {CRA, "{\"secret\":\"secret\"," NONCE ",\"salt\":\"salt123\"}", 0,
     "\"h+w/lkyVZ4H122xUkpyL6MiyjuHvq8Nb0psKGknycYs=\""}, /* 1000 times, 32 bytes */
    {CRA, "{" NONCE "}", UVOW_EINVAL, NULL},
    {CRA, "{\"secret\":\"s\"," NONCE ",\"salt\":\"s\",\"iterations\":0}",
     UVOW_EINVAL, NULL},
    {CRA, "{\"secret\":\"s\"," NONCE ",\"salt\":\"s\",\"iterations\":100001}",
     UVOW_EINVAL, NULL},
    {CRA, "{\"secret\":\"s\"," NONCE ",\"salt\":\"s\",\"iterations\":\"9\"}",
     UVOW_EINVAL, NULL},
    {CRA, "{\"secret\":\"s\"," NONCE ",\"salt\":\"s\",\"keylen\":16}",
     UVOW_EINVAL, NULL},
};

TEST_CASE(makes) {
  for (size_t i = 0; i < UVOW__COUNT(cases); i++) {
    uvow__vars_t vars;
    const char *name = uvow__maker_gives(cases[i].maker);
    assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, cases[i].vars),
                     0);
    assert_int_equal(uvow__maker_run(cases[i].maker, &vars), cases[i].rc);
    uvow__slice_t made = uvow__vars_get(&vars, name);
    if (cases[i].made)
      assert_true(uvow__slice_is(made, cases[i].made));
    else
      assert_null(made.ptr);
    uvow__vars_done(&vars);
  }
}

/* Whatever fails, nothing leaks, and it's told. */
static void sweep(test_alloc_t *alloc, void *data) {
  const maker_case_t *one = (const maker_case_t *)data;
  uvow__vars_t vars;
  int rc = uvow__vars_init(&vars, &alloc->allocator, one->vars);
  if (rc == 0) {
    rc = uvow__maker_run(one->maker, &vars);
    uvow__vars_done(&vars);
  }
  assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : one->rc);
}

static const maker_case_t asks = {UVOW__MAKES_OBS5_ASKS, "{\"password\":\"p\"}",
                                  0, NULL};

TEST_CASE(survives_failures) {
  for (size_t i = 0; i < UVOW__COUNT(cases); i++)
    test_alloc_sweep(sweep, (void *)(uintptr_t)&cases[i]);
  test_alloc_sweep(sweep, (void *)(uintptr_t)&asks);
}

/* Each hash, signature and handful of random bytes. */
TEST_CASE(survives_that_openssl_fails) {
  static const char *const calls[] = {"EVP_DigestInit_ex", "EVP_DigestUpdate",
                                      "EVP_DigestFinal_ex", "HMAC",
                                      "RAND_bytes"};
  const maker_case_t *const made[] = {&cases[0], &cases[6], &cases[7], &asks};
  int failures = 0;
  for (size_t n = 0; n < UVOW__COUNT(calls) * UVOW__COUNT(made); n++) {
    const maker_case_t *one = made[n / UVOW__COUNT(calls)];
    const char *call = calls[n % UVOW__COUNT(calls)];
    size_t failed = 1;
    for (size_t at = 1; failed; at++) {
      uvow__vars_t vars;
      assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, one->vars),
                       0);
      faults_begin(call, 0, at, 1);
      int rc = uvow__maker_run(one->maker, &vars);
      failed = faults_end();
      assert_int_equal(rc != 0, failed);
      if (failed && one != &asks)
        assert_null(uvow__vars_get(&vars, uvow__maker_gives(one->maker)).ptr);
      failures += failed != 0;
      uvow__vars_done(&vars);
    }
  }
  assert_true(failures > 100);
}

TEST_MODULE(maker) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(makes),
      cmocka_unit_test(survives_failures),
      cmocka_unit_test(survives_that_openssl_fails),
  };
  return cmocka_run_group_tests_name("protocol/maker", tests, NULL, NULL);
}
