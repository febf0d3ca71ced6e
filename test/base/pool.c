/* The pool: reuse, growth, alignment, walking. */
#include "support/support.h"

#include "base/pool.h"

typedef struct block {
  void *first; /* a free block's link */
  uint64_t number;
  char rest[24];
} block_t;

enum { MANY = 100000 };

static void takes_no_memory_before_the_first_block(void **state) {
  (void)state;
  test_alloc_t alloc;
  uvow__pool_t pool;
  test_alloc_init(&alloc);
  uvow__pool_init(&pool, &alloc.allocator, sizeof(block_t));
  uvow__pool_done(&pool);
  assert_int_equal(alloc.calls, 0);
}

static void the_last_one_given_is_taken_first(void **state) {
  (void)state;
  uvow__pool_t pool;
  uvow__pool_init(&pool, &uvow__mem_default, sizeof(block_t));
  void *a = uvow__pool_take(&pool);
  void *b = uvow__pool_take(&pool);
  assert_ptr_not_equal(a, b);
  assert_int_equal(pool.live, 2);
  uvow__pool_give(&pool, a);
  uvow__pool_give(&pool, b);
  assert_int_equal(pool.live, 0);
  assert_ptr_equal(uvow__pool_take(&pool), b);
  assert_ptr_equal(uvow__pool_take(&pool), a);
  uvow__pool_give(&pool, a);
  uvow__pool_give(&pool, b);
  uvow__pool_done(&pool);
}

/* All blocks are filled whole, and hold what was written to each. */
static void blocks_do_not_overlap(void **state) {
  (void)state;
  static block_t *blocks[MANY];
  test_alloc_t alloc;
  uvow__pool_t pool;
  test_alloc_init(&alloc);
  uvow__pool_init(&pool, &alloc.allocator, sizeof(block_t));
  for (int i = 0; i < MANY; i++) {
    blocks[i] = (block_t *)uvow__pool_take(&pool);
    assert_non_null(blocks[i]);
    memset(blocks[i], i & 0xff, sizeof(block_t));
    blocks[i]->number = (uint64_t)i;
  }
  for (int i = 0; i < MANY; i++) {
    char expected[sizeof(blocks[i]->rest)];
    memset(expected, i & 0xff, sizeof(expected));
    assert_int_equal(blocks[i]->number, i);
    assert_memory_equal(blocks[i]->rest, expected, sizeof(expected));
    uvow__pool_give(&pool, blocks[i]);
  }
  assert_true(alloc.calls < 40); /* 4 MB in slabs of up to 128 KiB */
  uvow__pool_done(&pool);
  assert_int_equal(alloc.live, 0);
}

static void a_warm_pool_allocates_nothing(void **state) {
  (void)state;
  enum { TAKEN = 1000 };
  void *blocks[TAKEN];
  test_alloc_t alloc;
  uvow__pool_t pool;
  test_alloc_init(&alloc);
  uvow__pool_init(&pool, &alloc.allocator, sizeof(block_t));
  size_t warm = 0;
  for (int turn = 0; turn < 10; turn++) {
    for (int i = 0; i < TAKEN; i++)
      blocks[i] = uvow__pool_take(&pool);
    for (int i = 0; i < TAKEN; i++)
      uvow__pool_give(&pool, blocks[(i * 7) % TAKEN]);
    warm = turn == 0 ? alloc.calls : warm;
    assert_int_equal(alloc.calls, warm);
  }
  uvow__pool_done(&pool);
  assert_int_equal(alloc.live, 0);
}

static void any_size_is_aligned(void **state) {
  (void)state;
  static const size_t sizes[] = {1, 7, 8, 9, 17, 4096, 5000, 300000};
  for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
    uvow__pool_t pool;
    void *blocks[20];
    uvow__pool_init(&pool, &uvow__mem_default, sizes[s]);
    for (int i = 0; i < 20; i++) {
      blocks[i] = uvow__pool_take(&pool);
      assert_non_null(blocks[i]);
      assert_int_equal((uintptr_t)blocks[i] % sizeof(int64_t), 0);
      memset(blocks[i], 0xff, sizes[s]);
    }
    for (int i = 0; i < 20; i++)
      uvow__pool_give(&pool, blocks[i]);
    uvow__pool_done(&pool);
  }
}

static void count_live(void *block, void *data) {
  unsigned *seen = (unsigned *)data;
  uint64_t number = ((block_t *)block)->number;
  if (number)
    seen[number]++;
}

static void a_walk_sees_each_live_block_once(void **state) {
  (void)state;
  enum { TAKEN = 1000 };
  block_t *blocks[TAKEN];
  unsigned seen[TAKEN + 1] = {0};
  uvow__pool_t pool;
  uvow__pool_init(&pool, &uvow__mem_default, sizeof(block_t));
  uvow__pool_walk(&pool, count_live, seen);
  for (size_t i = 0; i < TAKEN; i++) {
    blocks[i] = (block_t *)uvow__pool_take(&pool);
    blocks[i]->number = i + 1;
  }
  for (size_t i = 0; i < TAKEN; i += 3) {
    blocks[i]->number = 0;
    uvow__pool_give(&pool, blocks[i]);
  }
  uvow__pool_walk(&pool, count_live, seen);
  for (size_t i = 0; i < TAKEN; i++) {
    assert_int_equal(seen[i + 1], i % 3 != 0);
    if (i % 3 != 0)
      uvow__pool_give(&pool, blocks[i]);
  }
  uvow__pool_done(&pool);
}

static void a_sealed_pool_gives_no_block(void **state) {
  (void)state;
  test_alloc_t alloc;
  uvow__pool_t pool;
  test_alloc_init(&alloc);
  uvow__pool_init(&pool, &alloc.allocator, sizeof(block_t));
  void *a = uvow__pool_take(&pool);
  uvow__pool_seal(&pool);
  assert_null(uvow__pool_take(&pool));
  assert_int_equal(pool.live, 1);
  uvow__pool_give(&pool, a);
  uvow__pool_seal(&pool);
  assert_null(uvow__pool_take(&pool));
  assert_int_equal(pool.live, 0);
  assert_int_equal(alloc.calls, 1);
  uvow__pool_done(&pool);
  assert_int_equal(alloc.live, 0);
}

static void sweep_body(test_alloc_t *alloc, void *data) {
  enum { TAKEN = 500 };
  void *blocks[TAKEN];
  uvow__pool_t pool;
  size_t live = 0;
  (void)data;
  uvow__pool_init(&pool, &alloc->allocator, sizeof(block_t));
  for (int i = 0; i < TAKEN; i++) {
    blocks[i] = uvow__pool_take(&pool);
    live += blocks[i] != NULL;
    assert_int_equal(pool.live, live);
  }
  for (int i = 0; i < TAKEN; i++)
    if (blocks[i])
      uvow__pool_give(&pool, blocks[i]);
  uvow__pool_done(&pool);
}

static void survives_every_failed_allocation(void **state) {
  (void)state;
  test_alloc_sweep(sweep_body, NULL);
}

TEST_MODULE(pool) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_no_memory_before_the_first_block),
      cmocka_unit_test(the_last_one_given_is_taken_first),
      cmocka_unit_test(blocks_do_not_overlap),
      cmocka_unit_test(a_warm_pool_allocates_nothing),
      cmocka_unit_test(any_size_is_aligned),
      cmocka_unit_test(a_walk_sees_each_live_block_once),
      cmocka_unit_test(a_sealed_pool_gives_no_block),
      cmocka_unit_test(survives_every_failed_allocation),
  };
  return cmocka_run_group_tests_name("base/pool", tests, NULL, NULL);
}
