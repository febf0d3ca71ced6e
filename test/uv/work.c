/* Work on other threads, and names. */
#include <stdlib.h>

#include <netdb.h>

#include <uvow/uv.h>

#include "support/loop_bed.h"

typedef struct scene {
  loop_bed_t bed;
  uv_sem_t go;
  uv_sem_t begun;
  uv_mutex_t lock; /* of ran */
  uv_thread_t loop_thread;
  int ran;
  int destroyed;
} scene_t;

static void open_scene(scene_t *s) {
  memset(s, 0, sizeof(*s));
  loop_bed_open(&s->bed);
  assert_int_equal(uv_sem_init(&s->go, 0), 0);
  assert_int_equal(uv_sem_init(&s->begun, 0), 0);
  assert_int_equal(uv_mutex_init(&s->lock), 0);
  s->loop_thread = uv_thread_self();
}

static void close_scene(scene_t *s) {
  loop_bed_close(&s->bed, "closed");
  uv_sem_destroy(&s->go);
  uv_sem_destroy(&s->begun);
  uv_mutex_destroy(&s->lock);
}

static void on_destroy(void *ptr) {
  scene_t *s = ptr;
  uv_thread_t self = uv_thread_self();
  assert_true(uv_thread_equal(&self, &s->loop_thread));
  s->destroyed++;
}

static const uvow_type_t counted = {sizeof(counted), "counted", NULL,
                                    on_destroy};

static uvow_value_t works(void *data) {
  scene_t *s = data;
  uv_thread_t self = uv_thread_self();
  assert_false(uv_thread_equal(&self, &s->loop_thread));
  uv_sem_post(&s->begun);
  uv_sem_wait(&s->go);
  uv_mutex_lock(&s->lock);
  s->ran++;
  uv_mutex_unlock(&s->lock);
  return uvow_value_ptr(&counted, s);
}

static uvow_value_t counts(void *data) {
  (void)works(data);
  return uvow_value_none();
}

static uvow_next_t sees_data(const uvow_result_t *result, void *data) {
  (void)result;
  assert_int_equal(((scene_t *)data)->destroyed, 1);
  return uvow_next_none();
}

TEST_CASE(work_gives_its_value) {
  scene_t s;
  uvow_result_t r;
  void *ptr = NULL;
  open_scene(&s);
  uv_sem_post(&s.go);
  assert_int_equal(loop_bed_wait(&s.bed, uvow_work(s.bed.loop, works, &s), &r),
                   0);
  assert_int_equal(uvow_value_get_ptr(&r.value, &counted, &ptr), 0);
  assert_ptr_equal(ptr, &s);
  assert_int_equal(s.destroyed, 0);
  assert_null(uvow_work(NULL, works, &s));
  assert_int_equal(loop_bed_wait(&s.bed, uvow_work(s.bed.loop, NULL, &s), NULL),
                   UVOW_EINVAL);
  uv_run(&s.bed.uv, UV_RUN_NOWAIT); /* it is told later */
  assert_int_equal(s.destroyed, 1);
  close_scene(&s);
}

TEST_CASE(canceled_while_it_runs) {
  scene_t s;
  open_scene(&s);
  uvow_future_t *f = uvow_work(s.bed.loop, works, &s);
  uv_sem_wait(&s.begun);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  uv_sem_post(&s.go);
  loop_bed_run(&s.bed);
  assert_int_equal(s.ran, 1);
  assert_int_equal(s.destroyed, 1); /* what it brought */
  close_scene(&s);
}

/* Data that work owns: destroyed once the thread is done with it, whoever waits.
 */
TEST_CASE(data_lives_until_it_has_run) {
  scene_t s;
  open_scene(&s);
  uvow_future_t *f = uvow_work_own(s.bed.loop, counts, &s, on_destroy);
  uv_sem_wait(&s.begun);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  uv_run(&s.bed.uv, UV_RUN_NOWAIT);
  assert_int_equal(s.destroyed, 0);
  uv_sem_post(&s.go);
  loop_bed_run(&s.bed);
  assert_int_equal(s.ran, 1);
  assert_int_equal(s.destroyed, 1);
  uv_sem_post(&s.go);
  f = uvow_future_then(uvow_work_own(s.bed.loop, works, &s, on_destroy),
                       sees_data, &s);
  loop_bed_run(&s.bed);
  assert_int_equal(uvow_future_state(f), UVOW_FULFILLED);
  assert_int_equal(s.destroyed, 3); /* the value, and the data */
  uvow_future_unref(f);
  assert_null(uvow_work_own(NULL, works, &s, on_destroy));
  assert_int_equal(s.destroyed, 4);
  f = uvow_work_own(s.bed.loop, NULL, &s, on_destroy);
  assert_int_equal(loop_bed_wait(&s.bed, f, NULL), UVOW_EINVAL);
  assert_int_equal(s.destroyed, 5);
  close_scene(&s);
}

/* All threads are busy: what is canceled then never runs, and its data goes. */
TEST_CASE(data_of_what_never_runs) {
  uvow_future_t *busy[4];
  scene_t s;
  open_scene(&s);
  for (int i = 0; i < 4; i++)
    busy[i] = uvow_work(s.bed.loop, counts, &s);
  for (int i = 0; i < 4; i++)
    uv_sem_wait(&s.begun);
  uvow_future_drop(uvow_work_own(s.bed.loop, counts, &s, on_destroy));
  uvow_future_detach(uvow_work_own(s.bed.loop, counts, &s, on_destroy));
  for (int i = 0; i < 5; i++)
    uv_sem_post(&s.go);
  loop_bed_run(&s.bed);
  assert_int_equal(s.ran, 5);
  assert_int_equal(s.destroyed, 2);
  for (int i = 0; i < 4; i++)
    uvow_future_unref(busy[i]);
  close_scene(&s);
}

/* All threads are busy: what is canceled then never runs. */
TEST_CASE(canceled_while_it_waits) {
  uvow_future_t *busy[4];
  scene_t s;
  open_scene(&s);
  for (int i = 0; i < 4; i++)
    busy[i] = uvow_work(s.bed.loop, works, &s);
  for (int i = 0; i < 4; i++)
    uv_sem_wait(&s.begun);
  uvow_future_t *f = uvow_work(s.bed.loop, works, &s);
  assert_int_equal(uvow_future_cancel(f), 0);
  assert_int_equal(uvow_future_state(f), UVOW_REJECTED);
  uvow_future_unref(f);
  for (int i = 0; i < 5; i++)
    uv_sem_post(&s.go);
  loop_bed_run(&s.bed);
  assert_int_equal(s.ran, 4);
  for (int i = 0; i < 4; i++)
    uvow_future_unref(busy[i]);
  close_scene(&s);
}

TEST_CASE(the_loop_closes_meanwhile) {
  scene_t s;
  open_scene(&s);
  uvow_future_t *f = uvow_work(s.bed.loop, works, &s);
  uv_sem_wait(&s.begun);
  uvow_future_t *g = uvow_work(s.bed.loop, works, &s);
  uvow_future_detach(g);
  uvow_future_detach(f);
  uv_sem_post(&s.go);
  uv_sem_post(&s.go);
  close_scene(&s);
  assert_int_equal(s.destroyed, s.ran);
}

TEST_CASE(names_have_addresses) {
  const uvow_results_t *results;
  uvow_result_t r;
  uvow_result_t one;
  scene_t s;
  open_scene(&s);
  assert_int_equal(
      loop_bed_wait(&s.bed, uvow_resolve(s.bed.loop, "127.0.0.1"), &r), 0);
  assert_int_equal(uvow_value_get_results(&r.value, &results), 0);
  assert_int_equal(uvow_results_count(results), 1);
  assert_int_equal(uvow_results_get(results, 0, &one), 0);
  uvow_slice_t text = uvow_result_bytes(&one);
  assert_int_equal(text.len, 9);
  assert_memory_equal(text.bytes, "127.0.0.1", 9);
  assert_int_equal(loop_bed_wait(&s.bed, uvow_resolve(s.bed.loop, "::1"), &r),
                   0);
  assert_int_equal(uvow_value_get_results(&r.value, &results), 0);
  assert_int_equal(uvow_results_get(results, 0, &one), 0);
  text = uvow_result_bytes(&one);
  assert_memory_equal(text.bytes, "::1", text.len);
  assert_int_equal(
      loop_bed_wait(&s.bed, uvow_resolve(s.bed.loop, "no such name"), &r),
      UV_EAI_NONAME);
  assert_non_null(strstr(uvow_error_message(r.error), "resolve no such name:"));
  assert_int_equal(loop_bed_wait(&s.bed, uvow_resolve(s.bed.loop, NULL), &r),
                   UVOW_EINVAL);
  assert_null(uvow_resolve(NULL, "a"));
  uvow_future_t *f = uvow_resolve(s.bed.loop, "127.0.0.1");
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  close_scene(&s);
}

static void expect_pair(const uvow_result_t *r, const char *host,
                        const char *service) {
  const char *texts[] = {host, service};
  const uvow_results_t *results;
  uvow_result_t one;
  assert_int_equal(uvow_value_get_results(&r->value, &results), 0);
  assert_int_equal(uvow_results_count(results), 2);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(uvow_results_get(results, i, &one), 0);
    uvow_slice_t got = uvow_result_bytes(&one);
    assert_int_equal(got.len, strlen(texts[i]));
    assert_memory_equal(got.bytes, texts[i], got.len);
  }
}

TEST_CASE(addresses_have_names) {
  const int numeric = NI_NUMERICHOST | NI_NUMERICSERV;
  uvow_result_t r;
  scene_t s;
  open_scene(&s);
  uvow_loop_t *loop = s.bed.loop;
  uvow_future_t *f = uvow_resolve_address(loop, "127.0.0.1", 8080, numeric);
  assert_int_equal(loop_bed_wait(&s.bed, f, &r), 0);
  expect_pair(&r, "127.0.0.1", "8080");
  f = uvow_resolve_address(loop, "::1", 80, numeric);
  assert_int_equal(loop_bed_wait(&s.bed, f, &r), 0);
  expect_pair(&r, "::1", "80");
  f = uvow_resolve_address(loop, "0.0.0.1", 80, NI_NAMEREQD);
  assert_int_equal(loop_bed_wait(&s.bed, f, &r), UV_EAI_NONAME);
  assert_non_null(strstr(uvow_error_message(r.error), "resolve 0.0.0.1:"));
  f = uvow_resolve_address(loop, "localhost", 80, 0);
  assert_int_equal(loop_bed_wait(&s.bed, f, &r), UVOW_EINVAL);
  assert_int_equal(
      loop_bed_wait(&s.bed, uvow_resolve_address(loop, NULL, 80, 0), &r),
      UVOW_EINVAL);
  assert_string_equal(uvow_error_message(r.error), "address must not be NULL");
  assert_null(uvow_resolve_address(NULL, "127.0.0.1", 80, 0));
  uvow_future_drop(uvow_resolve_address(loop, "127.0.0.1", 80, 0));
  loop_bed_run(&s.bed);
  uvow_future_detach(uvow_resolve_address(loop, "127.0.0.1", 80, numeric));
  close_scene(&s);
}

TEST_CASE(random_bytes) {
  char first[32];
  uvow_result_t r;
  scene_t s;
  open_scene(&s);
  uvow_loop_t *loop = s.bed.loop;
  assert_int_equal(loop_bed_wait(&s.bed, uvow_random(loop, 32), &r), 0);
  assert_int_equal(uvow_result_bytes(&r).len, 32);
  memcpy(first, uvow_result_bytes(&r).bytes, 32);
  assert_int_equal(loop_bed_wait(&s.bed, uvow_random(loop, 32), &r), 0);
  assert_memory_not_equal(first, uvow_result_bytes(&r).bytes, 32);
  assert_int_equal(loop_bed_wait(&s.bed, uvow_random(loop, SIZE_MAX), &r),
                   UVOW_ENOMEM);
  assert_null(uvow_random(NULL, 1));
  uvow_future_drop(uvow_random(loop, 32));
  loop_bed_run(&s.bed);
  uvow_future_detach(uvow_random(loop, 32));
  close_scene(&s);
}

TEST_MODULE(work) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(work_gives_its_value),
      cmocka_unit_test(canceled_while_it_runs),
      cmocka_unit_test(canceled_while_it_waits),
      cmocka_unit_test(data_lives_until_it_has_run),
      cmocka_unit_test(data_of_what_never_runs),
      cmocka_unit_test(the_loop_closes_meanwhile),
      cmocka_unit_test(names_have_addresses),
      cmocka_unit_test(addresses_have_names),
      cmocka_unit_test(random_bytes),
  };
  return cmocka_run_group_tests_name("uv/work", tests, NULL, NULL);
}
