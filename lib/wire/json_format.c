/*
 * JSON text by a format: straight into what is sent.
 *
 *   write_all -> write_item -> put_key, put_value -> put_string, put_json ...
 *
 * 1. A wrong format ends the writing: what its arguments are isn't known. After
 *    any other failure the rest of the arguments is read, nothing is written,
 *    so that each `o` is taken.
 * 2. A comma is due unless the last byte written is an opening bracket: no
 *    value ends with one.
 * 3. No recursion: a bit a level says whether it is an object.
 */
#include "json_format.h"

#include <limits.h>
#include <string.h>

#include <uvow/error.h>

#include "envelope.h"
#include "json.h"
#include "json_number.h"
#include "json_text.h"

#define DEPTH 2048

typedef struct writer {
  uvow__buf_t *out;
  const char *at; /* in the format */
  va_list args;
  int rc;    /* why nothing is written any more */
  int wrong; /* the format is */
  size_t depth;
  uint8_t objects[DEPTH / 8];
} writer_t;

static inline int is_space(char c) {
  return c <= ':' &&
         (c == ' ' || c == ',' || c == ':' || c == '\t' || c == '\n');
}

static inline char next_of(writer_t *w) {
  while (is_space(*w->at))
    w->at++;
  return *w->at ? *w->at++ : '\0';
}

/* A character that may follow a value's. */
static inline int take_mark(writer_t *w, char mark) {
  if (*w->at != mark)
    return 0;
  w->at++;
  return 1;
}

/* uvow__buf_reserve where there mostly is room. */
static inline int reserve(uvow__buf_t *out, size_t more) {
  if (more <= out->cap - out->len && more <= out->max &&
      uvow__buf_size(out) <= out->max - more)
    return 0;
  return uvow__buf_reserve(out, more);
}

static inline void put(writer_t *w, const char *bytes, size_t len) {
  if (w->rc == 0)
    w->rc = reserve(w->out, len);
  if (w->rc)
    return;
  memcpy(w->out->data + w->out->len, bytes, len);
  w->out->len += len;
}

static inline int is_object(const writer_t *w) {
  size_t level = w->depth - 1;
  return w->depth && w->objects[level / 8] >> (level % 8) & 1;
}

static inline void put_comma(writer_t *w) {
  if (w->rc || w->depth == 0)
    return;
  uint8_t last = w->out->data[w->out->len - 1];
  if (last != '[' && last != '{')
    put(w, ",", 1);
}

/* A string with its quotes, most of which need no escape. */
static inline void put_string(writer_t *w, uvow__slice_t text) {
  if (w->rc)
    return;
  if (!uvow__json_stands(text)) {
    w->rc = uvow__json_escape(w->out, text);
    return;
  }
  w->rc = reserve(w->out, text.len + 2);
  if (w->rc)
    return;
  char *to = (char *)w->out->data + w->out->len;
  to[0] = '"';
  memcpy(to + 1, text.ptr, text.len);
  to[text.len + 1] = '"';
  w->out->len += text.len + 2;
}

/* The text of an s, read from the arguments. ptr NULL: that's what it is. */
static inline uvow__slice_t read_string(writer_t *w) {
  uvow__slice_t text = {va_arg(w->args, const char *), 0};
  if (take_mark(w, '#')) {
    int len = va_arg(w->args, int);
    if (len < 0 && w->rc == 0)
      w->rc = UVOW_EINVAL;
    text.len = len < 0 ? 0 : (size_t)len;
  } else if (take_mark(w, '%')) {
    text.len = va_arg(w->args, size_t);
  } else if (text.ptr) {
    text.len = strlen(text.ptr);
  }
  return text;
}

static void put_key(writer_t *w) {
  uvow__slice_t key = read_string(w);
  if (!key.ptr && w->rc == 0)
    w->rc = UVOW_EINVAL;
  put_comma(w);
  put_string(w, key);
  put(w, ":", 1);
}

/* What is to be done about a pointer that may be NULL. */
enum { WRITE, LEAVE_OUT, DONE };

static int see_null(writer_t *w, const void *ptr) {
  int optional = take_mark(w, '?');
  int left_out = !optional && take_mark(w, '*');
  if (ptr)
    return WRITE;
  if (left_out)
    return LEAVE_OUT;
  if (optional)
    put(w, "null", 4);
  else if (w->rc == 0)
    w->rc = UVOW_EINVAL;
  return DONE;
}

static int put_text(writer_t *w) {
  uvow__slice_t text = read_string(w);
  int what = see_null(w, text.ptr);
  if (what == WRITE)
    put_string(w, text);
  return what;
}

static int put_json(writer_t *w, int takes) {
  struct json_t *json = va_arg(w->args, struct json_t *);
  int what = see_null(w, json);
  if (what == WRITE && w->rc == 0)
    w->rc = uvow__json_dump(json, w->out);
  if (takes)
    uvow__json_unref(json);
  return what;
}

static int put_raw(writer_t *w) {
  uvow__json_kind_t kind;
  uvow__slice_t text = {va_arg(w->args, const char *), 0};
  int what = see_null(w, text.ptr);
  if (what == WRITE) {
    text.len = strlen(text.ptr);
    if (w->rc == 0 && uvow__envelope_value(text, &kind, &text))
      w->rc = UVOW_EINVAL;
    put(w, text.ptr, text.len);
  }
  return what;
}

static void put_integer(writer_t *w, int64_t number) {
  if (w->rc == 0)
    w->rc = uvow__buf_append_i64(w->out, number);
}

static void put_double(writer_t *w, double number) {
  if (w->rc == 0)
    w->rc = uvow__json_put_double(w->out, number);
}

static void open_level(writer_t *w, char bracket) {
  size_t level = w->depth;
  unsigned bit = 1u << (level % 8);
  if (level == DEPTH) {
    w->wrong = 1;
    return;
  }
  if (level % 8 == 0)
    w->objects[level / 8] = 0;
  if (bracket == '{')
    w->objects[level / 8] |= (uint8_t)bit;
  else
    w->objects[level / 8] &= (uint8_t)~bit;
  w->depth++;
  put(w, &bracket, 1);
}

/* Returns LEAVE_OUT, or anything else. */
static inline int put_value(writer_t *w, char c) {
  switch (c) {
  case '{':
  case '[':
    open_level(w, c);
    return WRITE;
  case 's':
    return put_text(w);
  case 'i':
    put_integer(w, va_arg(w->args, int));
    return WRITE;
  case 'I':
    put_integer(w, va_arg(w->args, int64_t));
    return WRITE;
  case 'f':
    put_double(w, va_arg(w->args, double));
    return WRITE;
  case 'b':
    if (va_arg(w->args, int))
      put(w, "true", 4);
    else
      put(w, "false", 5);
    return WRITE;
  case 'n':
    put(w, "null", 4);
    return WRITE;
  case 'o':
  case 'O':
    return put_json(w, c == 'o');
  case 'r':
    return put_raw(w);
  default:
    w->wrong = 1;
    return WRITE;
  }
}

/* A value, after its key where it has one; or the end of a container. */
static inline void write_item(writer_t *w) {
  char c = next_of(w);
  int object = is_object(w);
  size_t before = uvow__buf_size(w->out);
  if (w->depth && c == (object ? '}' : ']')) {
    w->depth--;
    put(w, &c, 1);
    return;
  }
  if (object && c != 's') {
    w->wrong = 1;
    return;
  }
  if (object) {
    put_key(w);
    c = next_of(w);
  } else {
    put_comma(w);
  }
  if (put_value(w, c) != LEAVE_OUT)
    return;
  if (w->depth == 0)
    w->wrong = 1;
  if (w->rc == 0)
    w->out->len = w->out->off + before;
}

int uvow__json_format(uvow__buf_t *out, const char *format, va_list args) {
  writer_t w;
  size_t before = uvow__buf_size(out);
  if (!format)
    return UVOW_EINVAL;
  w.out = out;
  w.at = format;
  w.rc = w.wrong = 0;
  w.depth = 0;
  va_copy(w.args, args);
  do
    write_item(&w);
  while (w.depth && !w.wrong);
  if (w.wrong || next_of(&w))
    w.rc = UVOW_EINVAL;
  va_end(w.args);
  if (w.rc)
    out->len = out->off + before;
  return w.rc;
}
