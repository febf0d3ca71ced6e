/*
 * Calls written by a form, against their template: the same bytes, or the form
 * leaves it to that.
 */
#include "protocol/form.h"
#include "wire/mask.h"

#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const protocols[] = {
    "jsonrpc2",       "callback_id", "cdp",           "graphql_transport_ws",
    "home_assistant", "lsp",         "mcp",           "obs5",
    "phoenix2",       "wamp2",       "webdriver_bidi"};

static const char *const methods[] = {
    "m",
    "echo",
    "",
    "eth_getBlockByNumber",
    "a\"b",
    "a\\b",
    "\n",
    "caf\xC3\xA9",
    "a_method_whose_name_is_so_long_that_no_form_has_the_room_for_all_of_it"};

/* By turns: those that a form writes, and those that it leaves. */
static const char *const params[] = {
    "[]",
    "{}",
    "[1,2,3]",
    "{\"a\":\"\xE6\x97\xA5\xE6\x9C\xAC\"}",
    "[\"a text of more than sixteen bytes, so that it is copied otherwise\"]",
    "[4,5,6]",
    "{\"a\":[1234567890]}",
    "{\"a\":[1234567891]}",
    "[12,\"of 16 bytes\"]",
    "",
    " [1]",
    "[1] ",
    "[1",
    "[1],2",
    "\"text\"",
    "1",
    "null",
    "true",
    "}",
    "[\"\xFF\"]",
    "{\"a\":\"\xED\xA0\x80\"}",
    "[1}{",
    "{\"id\":1},\"id\":2"};
enum { WRITABLE = 9 };

static const uint64_t ids[] = {1,
                               2,
                               3,
                               8,
                               9,
                               10,
                               11,
                               98,
                               99,
                               100,
                               7,
                               999,
                               998,
                               1000,
                               UVOW__ID_MAX - 1,
                               UVOW__ID_MAX,
                               1,
                               2,
                               0,
                               UVOW__ID_MAX + 1};

typedef struct bed {
  uvow__dialect_t dialect;
  uvow__forms_t forms;
  uvow__buf_t by_form;
  uvow__buf_t by_template;
} bed_t;

static void open_bed(bed_t *bed, const char *protocol) {
  memset(bed, 0, sizeof(*bed));
  uvow__dialect_init(&bed->dialect, &uvow__mem_default,
                     uvow_protocol_by_name(protocol), NULL);
  uvow__forms_init(&bed->forms, &uvow__mem_default);
  uvow__buf_init(&bed->by_form, &uvow__mem_default, SIZE_MAX);
  uvow__buf_init(&bed->by_template, &uvow__mem_default, SIZE_MAX);
}

static void close_bed(bed_t *bed) {
  uvow__buf_done(&bed->by_form);
  uvow__buf_done(&bed->by_template);
  uvow__forms_done(&bed->forms);
  uvow__dialect_done(&bed->dialect);
}

/* The same bytes, masked, where they are sent from; or they are left, too. In
 * memory of its own, so that ASan sees what is written beyond. */
static void compare_put(bed_t *bed, uvow__form_t *form, const uvow__op_t *op,
                        int left) {
  static const uint8_t key[UVOW__MASK_KEY] = {0x81, 2, 0xF3, 4};
  size_t len = uvow__form_size(form, op->id, op->params);
  assert_int_equal(len == 0, left);
  if (left)
    return;
  assert_int_equal(len, uvow__buf_size(&bed->by_template) - 6);
  uint8_t *own = (uint8_t *)malloc(op->params.len);
  uint8_t *to = (uint8_t *)malloc(len + UVOW__FORM_BEYOND);
  uint8_t *text = (uint8_t *)malloc(len);
  assert_true(own && to && text);
  memcpy(own, op->params.ptr, op->params.len);
  uvow__form_put(form, (uvow__slice_t){(char *)own, op->params.len}, to,
                 (uint32_t)uvow__word_half((const char *)key));
  uvow__mask(text, to, len, key);
  assert_memory_equal(text, uvow__buf_front(&bed->by_template) + 6, len);
  free(own);
  free(to);
  free(text);
}

/* Returns whether the form wrote it. */
static int compare(bed_t *bed, uvow__form_t *form, const char *method,
                   uint64_t id, const char *text) {
  uvow__op_t op = {0};
  op.kind = UVOW__OP_CALL;
  op.id = id;
  op.method = (uvow__slice_t){method, strlen(method)};
  op.params = (uvow__slice_t){text, strlen(text)};
  op.ids = &bed->dialect.ids;
  uvow__buf_clear(&bed->by_form, SIZE_MAX);
  uvow__buf_clear(&bed->by_template, SIZE_MAX);
  uvow__buf_append(&bed->by_form, "before", 6);
  uvow__buf_append(&bed->by_template, "before", 6);
  int rc = uvow__protocol_encode(bed->dialect.protocol, &op, &bed->by_template);
  int left = form ? uvow__form_write(form, &op, &bed->by_form) : 1;
  if (form)
    compare_put(bed, form, &op, left);
  if (left) {
    assert_int_equal(uvow__buf_size(&bed->by_form), 6);
    op.form = form;
    assert_int_equal(
        uvow__protocol_encode(bed->dialect.protocol, &op, &bed->by_form), rc);
  } else {
    assert_int_equal(rc, 0);
  }
  assert_int_equal(uvow__buf_size(&bed->by_form),
                   uvow__buf_size(&bed->by_template));
  assert_memory_equal(uvow__buf_front(&bed->by_form),
                      uvow__buf_front(&bed->by_template),
                      uvow__buf_size(&bed->by_form));
  return !left;
}

/* Returns how many calls of a method the form wrote. */
static size_t compare_all(bed_t *bed, size_t m) {
  uvow__slice_t method = {methods[m], strlen(methods[m])};
  uvow__form_t *form =
      uvow__forms_get(&bed->forms, &bed->dialect, (unsigned)m + 1, method);
  size_t written = 0;
  for (size_t i = 0; i < UVOW__COUNT(ids); i++)
    for (size_t p = 0; p < UVOW__COUNT(params); p++)
      written += (size_t)compare(bed, form, methods[m], ids[i], params[p]);
  return written;
}

TEST_CASE(as_the_template) {
  bed_t bed;
  for (size_t i = 0; i < UVOW__COUNT(protocols); i++) {
    open_bed(&bed, protocols[i]);
    for (size_t m = 0; m < UVOW__COUNT(methods); m++)
      compare_all(&bed, m);
    close_bed(&bed);
  }
}

/* It isn't for nothing. */
TEST_CASE(writes_what_is_usual) {
  bed_t bed;
  size_t countable = UVOW__COUNT(ids) - 2;
  open_bed(&bed, "jsonrpc2");
  assert_int_equal(compare_all(&bed, 1), countable * WRITABLE);
  assert_int_equal(compare_all(&bed, 3), countable * WRITABLE);
  assert_int_equal(compare_all(&bed, 4), 0); /* an escape */
  close_bed(&bed);
  open_bed(&bed, "cdp");
  assert_true(compare_all(&bed, 1) > 0);
  close_bed(&bed);
}

/* Another method takes its place; another protocol makes it anew. */
TEST_CASE(are_made_anew) {
  bed_t bed;
  open_bed(&bed, "jsonrpc2");
  uvow__slice_t a = UVOW__SLICE("a");
  uvow__slice_t b = UVOW__SLICE("b");
  for (int round = 0; round < 2; round++) {
    uvow__form_t *form = uvow__forms_get(&bed.forms, &bed.dialect, 1, a);
    assert_true(compare(&bed, form, "a", 5, "{}"));
    form = uvow__forms_get(&bed.forms, &bed.dialect, 1 + UVOW__FORMS, b);
    assert_true(compare(&bed, form, "b", 6, "{}"));
    uvow__dialect_done(&bed.dialect);
    uvow__dialect_init(&bed.dialect, &uvow__mem_default,
                       uvow_protocol_by_name("cdp"), NULL);
  }
  close_bed(&bed);
}

TEST_CASE(ids_count_on) {
  bed_t bed;
  open_bed(&bed, "jsonrpc2");
  uvow__form_t *form =
      uvow__forms_get(&bed.forms, &bed.dialect, 1, UVOW__SLICE("echo"));
  for (uint64_t id = 1; id < 12000; id++)
    assert_true(compare(&bed, form, "echo", id, "[]"));
  for (uint64_t id = UINT64_C(9999999999990); id < UINT64_C(10000000000010);
       id++)
    assert_true(compare(&bed, form, "echo", id, "[]"));
  close_bed(&bed);
}

/* Params that look as others did are checked as they were. */
TEST_CASE(params_alike) {
  static const char *const others[] = {
      "[%u]", "{\"x\":%u}", "[%u", "%u", "[\"%u\\\"\"]", "[%u}", "\"%u\""};
  bed_t bed;
  open_bed(&bed, "jsonrpc2");
  uvow__form_t *form =
      uvow__forms_get(&bed.forms, &bed.dialect, 1, UVOW__SLICE("echo"));
  unsigned written = 0;
  for (unsigned id = 1; id < 5000; id++) {
    char text[40];
    unsigned which = id % 64 < 48 ? 1 : id % 7;
    snprintf(text, sizeof(text), others[which], id * 7919 % 100000);
    written += (unsigned)compare(&bed, form, "echo", id, text);
  }
  assert_in_range(written, 5000 * 48 / 64, 4999);
  assert_non_null(form->params);
  close_bed(&bed);
}

/* No room: nothing is written, and the template says why. */
TEST_CASE(without_room) {
  bed_t bed;
  uvow__op_t op = {0};
  open_bed(&bed, "jsonrpc2");
  op.kind = UVOW__OP_CALL;
  op.id = 1;
  op.method = UVOW__SLICE("echo");
  op.params = UVOW__SLICE("[1]");
  op.form = uvow__forms_get(&bed.forms, &bed.dialect, 1, op.method);
  assert_non_null(op.form);
  for (size_t max = 0; max < 200; max++) {
    uvow__buf_t out;
    uvow__buf_init(&out, &uvow__mem_default, max);
    int rc = uvow__protocol_encode(bed.dialect.protocol, &op, &out);
    assert_int_equal(rc == 0, max >= 53);
    assert_int_equal(uvow__buf_size(&out), rc ? 0 : 53);
    uvow__buf_done(&out);
  }
  close_bed(&bed);
}

TEST_MODULE(form) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_the_template), cmocka_unit_test(writes_what_is_usual),
      cmocka_unit_test(are_made_anew),   cmocka_unit_test(ids_count_on),
      cmocka_unit_test(without_room),    cmocka_unit_test(params_alike),
  };
  return cmocka_run_group_tests_name("protocol/form", tests, NULL, NULL);
}
