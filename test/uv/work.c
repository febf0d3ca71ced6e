/* Work on other threads, and names. */
#include <stdlib.h>

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

static void work_gives_its_value(void **state) {
  scene_t s;
  uvow_result_t r;
  void *ptr = NULL;
  (void)state;
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

static void canceled_while_it_runs(void **state) {
  scene_t s;
  (void)state;
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

/* All threads are busy: what is canceled then never runs. */
static void canceled_while_it_waits(void **state) {
  uvow_future_t *busy[4];
  scene_t s;
  (void)state;
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

static void the_loop_closes_meanwhile(void **state) {
  scene_t s;
  (void)state;
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

static void names_have_addresses(void **state) {
  const uvow_results_t *results;
  uvow_result_t r;
  uvow_result_t one;
  size_t len;
  scene_t s;
  (void)state;
  open_scene(&s);
  assert_int_equal(
      loop_bed_wait(&s.bed, uvow_resolve(s.bed.loop, "127.0.0.1"), &r), 0);
  assert_int_equal(uvow_value_get_results(&r.value, &results), 0);
  assert_int_equal(uvow_results_count(results), 1);
  assert_int_equal(uvow_results_get(results, 0, &one), 0);
  const char *text = uvow_result_bytes(&one, &len);
  assert_int_equal(len, 9);
  assert_memory_equal(text, "127.0.0.1", 9);
  assert_int_equal(loop_bed_wait(&s.bed, uvow_resolve(s.bed.loop, "::1"), &r),
                   0);
  assert_int_equal(uvow_value_get_results(&r.value, &results), 0);
  assert_int_equal(uvow_results_get(results, 0, &one), 0);
  text = uvow_result_bytes(&one, &len);
  assert_memory_equal(text, "::1", len);
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

TEST_MODULE(work) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(work_gives_its_value),
      cmocka_unit_test(canceled_while_it_runs),
      cmocka_unit_test(canceled_while_it_waits),
      cmocka_unit_test(the_loop_closes_meanwhile),
      cmocka_unit_test(names_have_addresses),
  };
  return cmocka_run_group_tests_name("uv/work", tests, NULL, NULL);
}
