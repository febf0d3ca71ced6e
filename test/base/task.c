/* The task queue: order, late tasks, the budget, tasks that touch the queue. */
#include "support/support.h"

#include "base/task.h"

enum { TASKS = 8, RUNS = 64 };

typedef struct fixture fixture_t;

typedef struct job {
  uvow__task_t task;
  fixture_t *f;
  char name;
  void (*body)(struct job *job);
} job_t;

struct fixture {
  uvow__queue_t queue;
  job_t jobs[TASKS];
  char ran[RUNS];
  size_t runs;
};

static void run_job(uvow__task_t *task) {
  job_t *job = UVOW__CONTAINER(task, job_t, task);
  fixture_t *f = job->f;
  assert_false(uvow__task_queued(task)); /* out of the list before it runs */
  assert_true(f->runs < RUNS - 1);
  f->ran[f->runs++] = job->name;
  f->ran[f->runs] = '\0';
  if (job->body)
    job->body(job);
}

static void init(fixture_t *f) {
  memset(f, 0, sizeof(*f));
  uvow__queue_init(&f->queue);
  for (int i = 0; i < TASKS; i++) {
    f->jobs[i].f = f;
    f->jobs[i].name = (char)('a' + i);
    uvow__task_init(&f->jobs[i].task, run_job);
  }
}

static void push(fixture_t *f, int i) {
  uvow__queue_push(&f->queue, &f->jobs[i].task);
}

static void push_late(fixture_t *f, int i) {
  uvow__queue_push_late(&f->queue, &f->jobs[i].task, UVOW__LATE_WRITE);
}

TEST_CASE(first_in_first_out) {
  fixture_t f;
  init(&f);
  assert_true(uvow__queue_empty(&f.queue));
  assert_int_equal(uvow__queue_drain(&f.queue, 10), 10);
  for (int i = 0; i < 4; i++)
    push(&f, i);
  assert_true(uvow__task_queued(&f.jobs[0].task));
  assert_false(uvow__queue_empty(&f.queue));
  assert_int_equal(uvow__queue_drain(&f.queue, 10), 6);
  assert_string_equal(f.ran, "abcd");
  assert_true(uvow__queue_empty(&f.queue));
}

static void push_next(job_t *job) {
  push(job->f, job->name - 'a' + 3);
}

TEST_CASE(a_pushed_task_comes_after_all_that_wait) {
  fixture_t f;
  init(&f);
  for (int i = 0; i < 3; i++) {
    f.jobs[i].body = push_next;
    push(&f, i);
  }
  uvow__queue_drain(&f.queue, 10);
  assert_string_equal(f.ran, "abcdef");
}

static void push_self(job_t *job) {
  push(job->f, job->name - 'a');
}

TEST_CASE(the_budget_bounds_an_endless_chain) {
  fixture_t f;
  init(&f);
  f.jobs[0].body = push_self;
  push(&f, 0);
  push(&f, 1);
  assert_int_equal(uvow__queue_drain(&f.queue, 0), 0);
  assert_string_equal(f.ran, "");
  assert_int_equal(uvow__queue_drain(&f.queue, 4), 0);
  assert_string_equal(f.ran, "abaa");
  assert_false(uvow__queue_empty(&f.queue));
  f.jobs[0].body = NULL;
  assert_int_equal(uvow__queue_drain(&f.queue, 4), 3);
  assert_true(uvow__queue_empty(&f.queue));
}

static void push_two(job_t *job) {
  push(job->f, 4);
  push(job->f, 5);
}

TEST_CASE(late_tasks_wait_until_nothing_is_ready) {
  fixture_t f;
  init(&f);
  f.jobs[2].body = push_two;
  push_late(&f, 2);
  push_late(&f, 3);
  push(&f, 0);
  push(&f, 1);
  assert_int_equal(uvow__queue_drain(&f.queue, 10), 4);
  assert_string_equal(f.ran, "abcefd");
  push_late(&f, 0);
  assert_false(uvow__queue_empty(&f.queue));
  assert_int_equal(uvow__queue_drain(&f.queue, 1), 0);
  assert_true(uvow__queue_empty(&f.queue));
}

static void cancel_others(job_t *job) {
  uvow__task_cancel(&job->f->jobs[1].task);
  uvow__task_cancel(&job->f->jobs[2].task);
}

TEST_CASE(a_cancelled_task_does_not_run) {
  fixture_t f;
  init(&f);
  uvow__task_cancel(&f.jobs[7].task); /* in no list */
  f.jobs[0].body = cancel_others;
  push(&f, 0);
  push(&f, 1);
  push_late(&f, 2);
  push(&f, 3);
  uvow__queue_drain(&f.queue, 10);
  assert_string_equal(f.ran, "ad");
  assert_false(uvow__task_queued(&f.jobs[1].task));
}

static void spawn_later(job_t *job) {
  push(job->f, job->name - 'a' + 4);
}

static void push_two_more(job_t *job) {
  push(job->f, 6);
  push(job->f, 7);
}

/* a b | c | d: each root to its end before the next begins. */
TEST_CASE(what_a_root_spawns_runs_before_the_next_root) {
  fixture_t f;
  init(&f);
  f.jobs[0].body = f.jobs[1].body = f.jobs[2].body = spawn_later;
  push(&f, 0);
  push(&f, 1);
  uvow__queue_root(&f.queue);
  uvow__queue_root(&f.queue); /* of nothing */
  push(&f, 2);
  uvow__queue_root(&f.queue);
  push(&f, 3);
  uvow__queue_drain(&f.queue, 10);
  assert_string_equal(f.ran, "abefcgd");
}

/* Each set of tasks is taken away, wherever it stands in its root. */
TEST_CASE(a_cancelled_task_takes_no_root_with_it) {
  for (unsigned gone = 0; gone < 64; gone++) {
    fixture_t f;
    char expected[RUNS] = "";
    init(&f);
    for (int i = 0; i < 6; i++) { /* ab | cd | ef */
      if (i % 2 == 0)
        uvow__queue_root(&f.queue);
      push(&f, i);
    }
    for (int i = 0; i < 6; i++)
      if (gone >> i & 1)
        uvow__task_cancel(&f.jobs[i].task);
    /* The first that is left spawns: behind its own root, before the next. */
    int first = 0;
    while (first < 6 && (gone >> first & 1))
      first++;
    if (first < 2)
      f.jobs[first].body = push_two_more;
    for (int i = 0; i < 6; i++) {
      if (!(gone >> i & 1))
        strncat(expected, &f.jobs[i].name, 1);
      if (i == 1 && first < 2)
        strcat(expected, "gh");
    }
    uvow__queue_drain(&f.queue, 20);
    assert_string_equal(f.ran, expected);
  }
}

TEST_CASE(a_root_that_used_its_share_goes_behind_the_others) {
  fixture_t f;
  init(&f);
  f.queue.share = 3;
  f.jobs[0].body = push_self;
  push(&f, 0);
  uvow__queue_root(&f.queue);
  push(&f, 1);
  uvow__queue_root(&f.queue);
  push(&f, 2);
  uvow__queue_drain(&f.queue, 2);
  assert_string_equal(f.ran, "aa"); /* it goes on in the next drain */
  uvow__queue_drain(&f.queue, 6);
  assert_string_equal(f.ran, "aaabcaaa");
}

/* ab^ | c | d, in a drain of another root: what is put before the mark joins
 * the first, wherever its tasks have gone. */
TEST_CASE(a_mark_is_a_place_in_its_root) {
  for (unsigned gone = 0; gone < 16; gone++) {
    fixture_t f;
    uvow__list_t mark;
    char expected[RUNS] = "";
    init(&f);
    uvow__list_init(&mark);
    for (int i = 0; i < 4; i++) {
      push(&f, i);
      if (i == 1)
        uvow__queue_mark(&f.queue, &mark);
      if (i)
        uvow__queue_root(&f.queue);
    }
    uvow__queue_push_before(&mark, &f.jobs[4].task);
    for (int i = 0; i < 4; i++)
      if (gone >> i & 1)
        uvow__task_cancel(&f.jobs[i].task);
    f.jobs[4].body = push_two_more;
    for (int i = 0; i < 2; i++)
      if (!(gone >> i & 1))
        strncat(expected, &f.jobs[i].name, 1);
    strcat(expected, "egh");
    for (int i = 2; i < 4; i++)
      if (!(gone >> i & 1))
        strncat(expected, &f.jobs[i].name, 1);
    assert_int_equal(uvow__queue_drain(&f.queue, 20), 20 - strlen(expected));
    assert_string_equal(f.ran, expected);
    assert_true(uvow__list_empty(&mark));
  }
}

TEST_CASE(a_mark_moves_and_leaves) {
  fixture_t f;
  uvow__list_t mark;
  init(&f);
  uvow__list_init(&mark);
  push(&f, 0);
  uvow__queue_mark(&f.queue, &mark);
  uvow__queue_root(&f.queue);
  push(&f, 1);
  uvow__queue_root(&f.queue);
  uvow__queue_mark(&f.queue, &mark); /* a root of its own, behind all */
  uvow__queue_push_before(&mark, &f.jobs[2].task);
  f.jobs[1].body = push_two_more;
  uvow__queue_drain(&f.queue, 20);
  assert_string_equal(f.ran, "abghc");
  push(&f, 3);
  uvow__queue_mark(&f.queue, &mark);
  uvow__queue_root(&f.queue);
  push(&f, 4);
  uvow__link_remove(&mark); /* the root still ends where it did */
  f.jobs[3].body = push_two_more;
  uvow__queue_drain(&f.queue, 20);
  assert_string_equal(f.ran, "abghcdghe");
  uvow__queue_mark(&f.queue, &mark);
  uvow__task_cancel(&f.jobs[0].task);
  assert_int_equal(uvow__queue_drain(&f.queue, 1), 1);
  assert_true(uvow__queue_empty(&f.queue));
}

TEST_CASE(late_ranks_come_in_order) {
  fixture_t f;
  init(&f);
  push_late(&f, 0);
  uvow__queue_push_late(&f.queue, &f.jobs[1].task, UVOW__LATE_FILL);
  f.jobs[1].body = push_next;
  uvow__queue_drain(&f.queue, 10);
  assert_string_equal(f.ran, "bea");
}

static void free_self(uvow__task_t *task) {
  free(task);
}

TEST_CASE(a_task_may_free_itself) {
  uvow__queue_t queue;
  uvow__queue_init(&queue);
  for (int i = 0; i < 3; i++) {
    uvow__task_t *task = (uvow__task_t *)malloc(sizeof(*task));
    assert_non_null(task);
    uvow__task_init(task, free_self);
    uvow__queue_push(&queue, task);
  }
  assert_int_equal(uvow__queue_drain(&queue, 3), 0);
  assert_true(uvow__queue_empty(&queue));
}

TEST_MODULE(task) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(first_in_first_out),
      cmocka_unit_test(a_pushed_task_comes_after_all_that_wait),
      cmocka_unit_test(the_budget_bounds_an_endless_chain),
      cmocka_unit_test(late_tasks_wait_until_nothing_is_ready),
      cmocka_unit_test(a_cancelled_task_does_not_run),
      cmocka_unit_test(a_task_may_free_itself),
      cmocka_unit_test(what_a_root_spawns_runs_before_the_next_root),
      cmocka_unit_test(a_cancelled_task_takes_no_root_with_it),
      cmocka_unit_test(a_mark_is_a_place_in_its_root),
      cmocka_unit_test(a_mark_moves_and_leaves),
      cmocka_unit_test(a_root_that_used_its_share_goes_behind_the_others),
      cmocka_unit_test(late_ranks_come_in_order),
  };
  return cmocka_run_group_tests_name("base/task", tests, NULL, NULL);
}
