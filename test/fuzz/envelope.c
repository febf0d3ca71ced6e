/*
 * Any bytes through the scanner: what it finds lies within them, is what its
 * kind says, and is found again in the text without its surrounding space.
 */
#include <stdlib.h>

#include "wire/envelope.h"
#include "wire/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ID = UVOW__CAPTURE_FIRST, RESULT, ERROR, CODE, LONG, ZERO };

static const uvow__key_t error_keys[] = {UVOW__KEY("code", CODE, NULL)};
static const uvow__level_t error_level = UVOW__OBJECT(error_keys);
static const uvow__key_t keys[] = {UVOW__KEY("id", ID, NULL),
                                   UVOW__KEY("result", RESULT, NULL),
                                   UVOW__KEY("error", ERROR, &error_level),
                                   UVOW__KEY("callback_id", LONG, NULL)};
static const uvow__key_t items[] = {UVOW__ITEM(ZERO, NULL),
                                    UVOW__ITEM(ERROR, &error_level)};
static const uvow__level_t root = {keys, items, 4, 2, 0};

static void check(int holds) {
  if (!holds)
    abort();
}

static void check_capture(const uvow__captures_t *found, size_t i,
                          const char *text, size_t size) {
  uvow__json_kind_t kind;
  uvow__slice_t same;
  uvow__slice_t raw = uvow__capture_text(found, i);
  if (uvow__capture_kind(found, i) == UVOW__JSON_ABSENT) {
    check(raw.ptr == NULL && raw.len == 0);
    return;
  }
  check(raw.len > 0 && raw.ptr >= text && raw.len <= size &&
        (size_t)(raw.ptr - text) <= size - raw.len);
  /* A level is as deep as the payload in it may be, and one more. */
  if (i == UVOW__CAPTURE_ALL || i == ERROR)
    return;
  check(uvow__envelope_value(raw, &kind, &same) == 0);
  check(kind == uvow__capture_kind(found, i) && same.len == raw.len);
}

/* What can be unescaped is equal to itself, and can be escaped if it's UTF-8.
 */
static void check_string(uvow__slice_t raw) {
  uvow__buf_t text, again;
  uvow__buf_init(&text, &uvow__mem_default, 1u << 24);
  uvow__buf_init(&again, &uvow__mem_default, 1u << 27);
  if (uvow__json_unescape(&text, raw) == 0 && uvow__buf_size(&text) > 0) {
    uvow__slice_t plain = {(const char *)uvow__buf_front(&text),
                           uvow__buf_size(&text)};
    uvow__json_string_is(raw, plain);
    if (uvow__json_escape(&again, plain) == 0) {
      uvow__slice_t escaped = {(const char *)uvow__buf_front(&again),
                               uvow__buf_size(&again)};
      check(uvow__json_string_is(escaped, plain));
    } else {
      check(!uvow__json_utf8(plain));
    }
  }
  uvow__buf_done(&text);
  uvow__buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *text = (const char *)data;
  uvow__captures_t found, again;
  check_string((uvow__slice_t){text, size});
  if (uvow__envelope_scan(&root, text, size, &found))
    return 0;
  for (size_t i = 0; i <= ZERO; i++)
    check_capture(&found, i, text, size);
  uvow__slice_t all = uvow__capture_text(&found, UVOW__CAPTURE_ALL);
  check(uvow__envelope_scan(&root, all.ptr, all.len, &again) == 0);
  for (size_t i = 0; i <= ZERO; i++)
    check(uvow__capture_text(&found, i).ptr ==
          uvow__capture_text(&again, i).ptr);
  check(uvow__envelope_scan(&root, all.ptr, all.len - 1, &again) != 0);
  return 0;
}
