/* The pool: reuse, growth, alignment, walking. */
#include "support/support.h"

#include "base/pool.h"

typedef struct block {
  void *first; /* a free block's link */
  uint64_t number;
  char rest[24];
} block_t;

enum { MANY = 100000 };

TEST_CASE(takes_no_memory_before_the_first_block) {
  test_alloc_t alloc;
  uvow__pool_t pool;
  test_alloc_init(&alloc);
  uvow__pool_init(&pool, &alloc.allocator, sizeof(block_t));
  uvow__pool_done(&pool);
  assert_int_equal(alloc.calls, 0);
}

TEST_CASE(the_last_one_given_is_taken_first) {
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
TEST_CASE(blocks_do_not_overlap) {
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

TEST_CASE(a_warm_pool_allocates_nothing) {
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

TEST_CASE(any_size_is_aligned) {
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

TEST_CASE(a_walk_sees_each_live_block_once) {
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

TEST_CASE(a_sealed_pool_gives_no_block) {
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

/* ---- a pool that shrinks ---- */

typedef struct shrinking {
  test_alloc_t alloc;
  uvow__tidy_t tidy;
  uvow__pool_t pool;
  block_t *blocks[MANY];
} shrinking_t;

static int is_free(const void *block) {
  return ((const block_t *)block)->number == 0;
}

static shrinking_t *shrinking_sized(size_t block_size) {
  shrinking_t *s = (shrinking_t *)calloc(1, sizeof(*s));
  assert_non_null(s);
  test_alloc_init_sized(&s->alloc);
  uvow__tidy_init(&s->tidy);
  uvow__pool_init(&s->pool, &s->alloc.allocator, block_size);
  uvow__pool_shrink(&s->pool, &s->tidy, is_free);
  return s;
}

static shrinking_t *shrinking_new(void) {
  return shrinking_sized(sizeof(block_t));
}

/* Takes or gives each of the first `count` blocks whose number is no multiple
 * of `but`. */
static void take(shrinking_t *s, size_t count, size_t but) {
  for (size_t i = 0; i < count; i++)
    if (!s->blocks[i] && i % but) {
      s->blocks[i] = (block_t *)uvow__pool_take(&s->pool);
      assert_non_null(s->blocks[i]);
      s->blocks[i]->number = i;
    }
}

static void give(shrinking_t *s, size_t count, size_t but) {
  for (size_t i = 0; i < count; i++)
    if (s->blocks[i] && i % but) {
      assert_int_equal(s->blocks[i]->number, i);
      s->blocks[i]->number = 0;
      uvow__pool_give(&s->pool, s->blocks[i]);
      s->blocks[i] = NULL;
    }
}

static void shrinking_end(shrinking_t *s) {
  give(s, MANY, MANY);
  assert_int_equal(s->pool.live, 0);
  uvow__pool_done(&s->pool);
  assert_int_equal(s->alloc.live, 0);
  assert_true(uvow__list_empty(&s->tidy.keepers));
  free(s);
}

TEST_CASE(what_a_peak_has_left_is_given_back) {
  shrinking_t *s = shrinking_new();
  take(s, MANY, MANY);
  assert_true(s->tidy.wanted);
  uvow__tidy_run(&s->tidy);
  assert_int_equal(s->alloc.bytes, s->alloc.peak); /* all are taken */
  give(s, MANY, MANY);
  uvow__tidy_run(&s->tidy);
  assert_true(s->alloc.bytes < UVOW__POOL_KEEP + 128 * 1024);
  assert_true(s->alloc.peak > 10 * s->alloc.bytes);
  take(s, MANY, MANY);
  shrinking_end(s);
}

/* With none taken nothing more can go, however the slabs add up: a loop that is
 * asked again and again doesn't sleep. */
TEST_CASE(an_empty_pool_is_left_alone) {
  for (size_t size = sizeof(block_t); size <= 512; size += 8) {
    shrinking_t *s = shrinking_sized(size);
    take(s, MANY, MANY);
    give(s, MANY, MANY);
    uvow__tidy_run(&s->tidy);
    assert_false(s->tidy.wanted);
    shrinking_end(s);
  }
}

/* Only the last thousand stay: theirs aren't given back, and are not linked. */
TEST_CASE(taken_blocks_are_left_alone) {
  shrinking_t *s = shrinking_new();
  take(s, MANY, MANY);
  give(s, MANY - 1000, MANY);
  uvow__tidy_run(&s->tidy);
  assert_true(s->alloc.peak > 8 * s->alloc.bytes);
  take(s, MANY, MANY);
  for (size_t i = 1; i < MANY; i++)
    assert_int_equal(s->blocks[i]->number, i);
  shrinking_end(s);
}

/* A burst that comes again, and again, takes its memory from the allocator
 * once: what is taken between two looks, and twice that, stays. */
TEST_CASE(between_looks_nothing_is_given_back) {
  shrinking_t *s = shrinking_new();
  take(s, MANY, MANY);
  size_t calls = s->alloc.calls;
  for (int i = 0; i < 10; i++) {
    give(s, MANY, MANY);
    take(s, MANY, MANY);
    uvow__tidy_run(&s->tidy);
    give(s, MANY / 2, MANY);
    uvow__tidy_run(&s->tidy);
    take(s, MANY, MANY);
  }
  assert_int_equal(s->alloc.calls, calls);
  shrinking_end(s);
}

/* Right at the boundary: a call of malloc for many blocks that were taken. */
TEST_CASE(to_and_fro_takes_few_calls) {
  shrinking_t *s = shrinking_new();
  size_t taken = 0;
  for (int i = 0; i < 20; i++) {
    take(s, MANY, MANY);
    taken += MANY;
    give(s, MANY, MANY);
    uvow__tidy_run(&s->tidy);
  }
  assert_true(s->alloc.calls < taken / 1000);
  shrinking_end(s);
}

/* One block of each slab is taken: nothing can go, and that isn't looked for
 * again before there are fewer. */
TEST_CASE(a_look_in_vain_is_not_repeated) {
  shrinking_t *s = shrinking_new();
  take(s, MANY, MANY);
  for (size_t i = 1; i < MANY; i++)
    if (i % 64) {
      s->blocks[i]->number = 0;
      uvow__pool_give(&s->pool, s->blocks[i]);
      s->blocks[i] = NULL;
    }
  uvow__tidy_run(&s->tidy);
  assert_true(s->tidy.wanted);
  assert_int_equal(s->alloc.bytes, s->alloc.peak);
  assert_true(s->pool.low > 0 && s->pool.low <= s->pool.live / 2);
  give(s, MANY, MANY);
  uvow__tidy_run(&s->tidy);
  assert_true(s->alloc.peak > 10 * s->alloc.bytes);
  shrinking_end(s);
}

TEST_CASE(a_sealed_pool_keeps_its_slabs) {
  shrinking_t *s = shrinking_new();
  take(s, MANY, MANY);
  give(s, MANY, MANY);
  uvow__pool_seal(&s->pool);
  uvow__tidy_run(&s->tidy);
  assert_false(s->tidy.wanted);
  assert_null(uvow__pool_take(&s->pool));
  shrinking_end(s);
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

TEST_CASE(survives_every_failed_allocation) {
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
      cmocka_unit_test(what_a_peak_has_left_is_given_back),
      cmocka_unit_test(an_empty_pool_is_left_alone),
      cmocka_unit_test(taken_blocks_are_left_alone),
      cmocka_unit_test(between_looks_nothing_is_given_back),
      cmocka_unit_test(to_and_fro_takes_few_calls),
      cmocka_unit_test(a_look_in_vain_is_not_repeated),
      cmocka_unit_test(a_sealed_pool_keeps_its_slabs),
      cmocka_unit_test(survives_every_failed_allocation),
  };
  return cmocka_run_group_tests_name("base/pool", tests, NULL, NULL);
}
