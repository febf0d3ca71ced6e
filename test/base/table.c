#include "base/table.h"

#include <uvow/error.h>

#include "support/support.h"

#include <stdio.h>

#define MANY 3000

typedef struct thing {
  uvow__entry_t entry;
  unsigned key;
} thing_t;

static thing_t *find(const uvow__table_t *table, unsigned key, uint64_t hash) {
  uvow__entry_t *at = uvow__table_find(table, hash);
  while (at && ((thing_t *)(void *)at)->key != key)
    at = uvow__table_next(at);
  return (thing_t *)(void *)at;
}

TEST_CASE(test_many) {
  static thing_t things[MANY];
  uvow__table_t table;
  uvow__table_init(&table, &uvow__mem_default);
  assert_null(find(&table, 1, uvow__hash_number(1)));
  for (unsigned i = 0; i < MANY; i++) {
    things[i].key = i;
    assert_int_equal(
        uvow__table_add(&table, &things[i].entry, uvow__hash_number(i)), 0);
  }
  assert_int_equal(table.count, MANY);
  assert_true(table.mask + 1 >= MANY && table.mask < 4 * MANY);
  for (unsigned i = 0; i < MANY; i += 2)
    uvow__table_remove(&table, &things[i].entry);
  for (unsigned i = 0; i < MANY; i++)
    assert_ptr_equal(find(&table, i, uvow__hash_number(i)),
                     i % 2 ? &things[i] : NULL);
  assert_int_equal(table.count, MANY / 2);
  uvow__table_done(&table);
}

/* Equal hashes are told apart by who compares the keys. */
TEST_CASE(test_same_hash) {
  thing_t things[40];
  uvow__table_t table;
  uvow__table_init(&table, &uvow__mem_default);
  for (unsigned i = 0; i < 40; i++) {
    things[i].key = i;
    assert_int_equal(uvow__table_add(&table, &things[i].entry, 7), 0);
  }
  for (unsigned i = 0; i < 40; i += 3)
    uvow__table_remove(&table, &things[i].entry);
  for (unsigned i = 0; i < 40; i++)
    assert_ptr_equal(find(&table, i, 7), i % 3 ? &things[i] : NULL);
  assert_null(find(&table, 1, 8));
  uvow__table_done(&table);
}

/* Nor is the rest of its place looked at when one is taken out: here it can't
 * be. */
TEST_CASE(test_removed_at_once) {
  thing_t things[4];
  uvow__table_t table;
  uvow__table_init(&table, &uvow__mem_default);
  for (unsigned i = 0; i < 4; i++) {
    things[i].key = i;
    assert_int_equal(uvow__table_add(&table, &things[i].entry, 7), 0);
  }
  uvow__entry_t **places = table.places;
  table.places = NULL;
  uvow__table_remove(&table, &things[1].entry);
  uvow__table_remove(&table, &things[3].entry);
  table.places = places;
  for (unsigned i = 0; i < 4; i++)
    assert_ptr_equal(find(&table, i, 7), i % 2 ? NULL : &things[i]);
  uvow__table_done(&table);
}

/* Only the first one needs memory. */
TEST_CASE(test_without_memory) {
  thing_t things[100];
  uvow__table_t table;
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow__table_init(&table, &alloc.allocator);
  alloc.fail_at = 1;
  alloc.fail_all_after = 1;
  assert_int_equal(uvow__table_add(&table, &things[0].entry, 1), UVOW_ENOMEM);
  assert_int_equal(table.count, 0);
  alloc.fail_at = alloc.calls + 2;
  for (unsigned i = 0; i < 100; i++) {
    things[i].key = i;
    assert_int_equal(
        uvow__table_add(&table, &things[i].entry, uvow__hash_number(i)), 0);
  }
  for (unsigned i = 0; i < 100; i++)
    assert_ptr_equal(find(&table, i, uvow__hash_number(i)), &things[i]);
  uvow__table_done(&table);
  assert_int_equal(alloc.live, 0);
}

/* Whoever doesn't know the seed can't choose texts of one hash. */
TEST_CASE(test_texts) {
  uvow__slice_t a = UVOW__SLICE("0x1");
  uvow__slice_t b = UVOW__SLICE("0x2");
  assert_true(uvow__hash_text(1, a) == uvow__hash_text(1, a));
  assert_true(uvow__hash_text(1, a) != uvow__hash_text(1, b));
  assert_true(uvow__hash_text(1, a) != uvow__hash_text(2, a));
}

/* As OpenSSL's SIPHASH makes them, with 1 and 3 rounds: of the key 00 01 .. 0f
 * and the text 00 01 .. of each length. */
TEST_CASE(test_siphash) {
  static const struct {
    size_t len;
    uint64_t hash;
  } cases[] = {
      {0, UINT64_C(0xabac0158050fc4dc)},  {1, UINT64_C(0xc9f49bf37d57ca93)},
      {7, UINT64_C(0xd3927d989bb11140)},  {8, UINT64_C(0x369095118d299a8e)},
      {15, UINT64_C(0xd320d86d2a519956)}, {16, UINT64_C(0xcc4fdd1a7d908b66)},
      {63, UINT64_C(0x9d199062b7bbb3a8)},
  };
  char text[64];
  for (int i = 0; i < 64; i++)
    text[i] = (char)i;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    assert_true(uvow__hash_keyed(
                    UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908),
                    (uvow__slice_t){text, cases[i].len}) == cases[i].hash);
}

TEST_MODULE(table) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_many),
      cmocka_unit_test(test_same_hash),
      cmocka_unit_test(test_removed_at_once),
      cmocka_unit_test(test_without_memory),
      cmocka_unit_test(test_texts),
      cmocka_unit_test(test_siphash),
  };
  return cmocka_run_group_tests_name("base/table", tests, NULL, NULL);
}
