/* The ring: order, removal, splicing. */
#include "support/support.h"

#include "base/list.h"

typedef struct item {
  int number;
  uvow__list_t link;
} item_t;

enum { ITEMS = 6 };

typedef struct fixture {
  uvow__list_t a;
  uvow__list_t b;
  item_t items[ITEMS];
} fixture_t;

static void init(fixture_t *f) {
  uvow__list_init(&f->a);
  uvow__list_init(&f->b);
  for (int i = 0; i < ITEMS; i++) {
    f->items[i].number = i;
    uvow__list_init(&f->items[i].link);
  }
}

/* Walks it both ways. */
static void list_is(const uvow__list_t *list, const char *numbers) {
  const uvow__list_t *at = list->next;
  for (const char *n = numbers; *n; n++, at = at->next) {
    assert_ptr_not_equal(at, list);
    assert_int_equal(UVOW__CONTAINER(at, item_t, link)->number, *n - '0');
    assert_ptr_equal(at->next->prev, at);
    assert_ptr_equal(at->prev->next, at);
  }
  assert_ptr_equal(at, list);
  assert_int_equal(uvow__list_empty(list), *numbers == '\0');
}

TEST_CASE(keeps_order) {
  fixture_t f;
  init(&f);
  list_is(&f.a, "");
  uvow__list_append(&f.a, &f.items[1].link);
  uvow__list_append(&f.a, &f.items[2].link);
  list_is(&f.a, "12");
  uvow__list_prepend(&f.a, &f.items[0].link);
  list_is(&f.a, "012");
  uvow__list_append(&f.a, &f.items[3].link);
  list_is(&f.a, "0123");
}

TEST_CASE(removes_anywhere_and_twice) {
  fixture_t f;
  init(&f);
  for (int i = 0; i < 5; i++)
    uvow__list_append(&f.a, &f.items[i].link);
  uvow__list_remove(&f.items[2].link);
  list_is(&f.a, "0134");
  uvow__list_remove(&f.items[2].link);
  list_is(&f.a, "0134");
  assert_true(uvow__list_empty(&f.items[2].link));
  uvow__list_remove(&f.items[0].link);
  uvow__list_remove(&f.items[4].link);
  list_is(&f.a, "13");
  uvow__list_append(&f.b, &f.items[2].link);
  uvow__list_remove(&f.items[1].link);
  uvow__list_remove(&f.items[3].link);
  list_is(&f.a, "");
  list_is(&f.b, "2");
}

TEST_CASE(removes_what_was_in_no_list) {
  fixture_t f;
  init(&f);
  uvow__list_remove(&f.items[0].link);
  assert_true(uvow__list_empty(&f.items[0].link));
}

TEST_CASE(splices) {
  fixture_t f;
  init(&f);
  uvow__list_splice(&f.a, &f.b);
  list_is(&f.a, "");
  for (int i = 0; i < 3; i++)
    uvow__list_append(&f.b, &f.items[i].link);
  uvow__list_splice(&f.a, &f.b);
  list_is(&f.a, "012");
  list_is(&f.b, "");
  uvow__list_splice(&f.a, &f.b);
  list_is(&f.a, "012");
  for (int i = 3; i < ITEMS; i++)
    uvow__list_append(&f.b, &f.items[i].link);
  uvow__list_splice(&f.a, &f.b);
  list_is(&f.a, "012345");
  list_is(&f.b, "");
  uvow__list_remove(&f.items[3].link);
  uvow__list_append(&f.b, &f.items[3].link);
  list_is(&f.a, "01245");
  list_is(&f.b, "3");
}

TEST_CASE(moves_some) {
  fixture_t f;
  init(&f);
  for (int i = 0; i < ITEMS; i++)
    uvow__list_append(&f.a, &f.items[i].link);
  uvow__list_move(&f.b, &f.items[1].link, &f.items[3].link);
  list_is(&f.a, "045");
  list_is(&f.b, "123");
  uvow__list_move(&f.b, &f.items[5].link, &f.items[5].link);
  uvow__list_move(&f.b, &f.items[0].link, &f.items[4].link);
  list_is(&f.a, "");
  list_is(&f.b, "123504");
}

TEST_MODULE(list) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keeps_order),
      cmocka_unit_test(removes_anywhere_and_twice),
      cmocka_unit_test(removes_what_was_in_no_list),
      cmocka_unit_test(splices),
      cmocka_unit_test(moves_some),
  };
  return cmocka_run_group_tests_name("base/list", tests, NULL, NULL);
}
