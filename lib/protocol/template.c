/*
 * Messages by template: writing one, and reading one that is written so.
 *
 * 1. Writing appends all or nothing, and no operation's content can end up
 *    outside its place in the message.
 * 2. Literal text is copied whole, 32 bytes of which the first ones count,
 *    where there is room for that, and never read beyond.
 * 3. Reading is a short way through the rules for what comes most often. It
 *    never says anything else than they do: what isn't exactly as we would have
 *    written it, down to the last byte, is left to them.
 */
#include "template.h"

#include <string.h>

#include <uvow/error.h>

#include "base/apart.h"
#include "form.h"
#include "protocol.h"
#include "wire/json_pointer.h"
#include "wire/json_text.h"
#include "wire/utf8.h"
#include "base/word.h"

/* ---- reading ---- */

UVOW__WITHIN int same_word(const char *a, const char *b, size_t at) {
  return uvow__word(a + at) == uvow__word(b + at);
}

_Static_assert(UVOW__PIECE_TEXT <= 32, "two words from each end are all of it");

/* The piece's text at p: what's behind it, or NULL. */
UVOW__WITHIN const char *read_text(const uvow__piece_t *piece, const char *p,
                                   const char *end) {
  const char *text = piece->text;
  size_t len = piece->len;
  if ((size_t)(end - p) < len)
    return NULL;
  if (len < 8) {
    for (size_t i = 0; i < len; i++)
      if (p[i] != text[i])
        return NULL;
    return p + len;
  }
  if (!same_word(p, text, 0) || !same_word(p, text, len - 8))
    return NULL;
  if (len > 16 && (!same_word(p, text, 8) || !same_word(p, text, len - 16)))
    return NULL;
  return p + len;
}

/* A string. Whether it's one of ours, it says itself. */
static const char *read_text_id(const char *p, const char *end,
                                const uvow__ids_t *ids, uvow__msg_t *msg) {
  uvow__json_kind_t kind;
  const char *stop = uvow__envelope_skip(p, end, &kind);
  if (!stop || kind != UVOW__JSON_STRING)
    return NULL;
  msg->raw_id = (uvow__slice_t){p, (size_t)(stop - p)};
  msg->has_id = (uint8_t)uvow__ids_read(ids, msg->raw_id, &msg->id);
  return stop;
}

/* Up to 15 digits: how many there are. */
UVOW__WITHIN size_t read_number(const char *p, const char *end, uint64_t *ret) {
  const char *start = p;
  uint64_t number = 0;
  if (end - p >= 8) {
    uint64_t word = uvow__word(p);
    uint64_t marks = uvow__word_not_digit(word);
    size_t len = marks ? uvow__word_lowest(marks) : 0;
    if (len) {
      *ret = uvow__word_number(word, len);
      return len;
    }
  }
  for (; p < end && (unsigned char)(*p - '0') <= 9 && p - start < 16; p++)
    number = number * 10 + (unsigned char)(*p - '0');
  *ret = number;
  return (size_t)(p - start);
}

/* An id that may be ours, and is below 10^15: all that ever come. */
UVOW__WITHIN const char *read_id(const char *p, const char *end,
                                 const uvow__ids_t *ids, uvow__msg_t *msg) {
  if (ids->form != UVOW__IDS_NUMBER)
    return read_text_id(p, end, ids, msg);
  size_t len = read_number(p, end, &msg->id);
  if (len == 0 || len > 15 || *p == '0')
    return NULL;
  msg->raw_id = (uvow__slice_t){p, len};
  msg->has_id = 1;
  return p + len;
}

UVOW__WITHIN const char *read_json(const char *p, const char *end,
                                   unsigned kinds, uvow__slice_t *ret_text) {
  uvow__json_kind_t kind;
  const char *stop = uvow__envelope_skip(p, end, &kind);
  if (!stop || !(kinds & (unsigned)kind))
    return NULL;
  *ret_text = (uvow__slice_t){p, (size_t)(stop - p)};
  return stop;
}

/* A string without escapes. */
static inline const char *read_name(const char *p, const char *end,
                                    uvow__slice_t *ret_text) {
  const char *start = p;
  if (p == end || *p != '"')
    return NULL;
  for (p++; end - p >= 8; p += 8) {
    uint64_t marks = uvow__word_special(uvow__word(p));
    if (marks) {
      p += uvow__word_lowest(marks);
      break;
    }
  }
  while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= ' ')
    p++;
  if (p == end || *p != '"')
    return NULL;
  *ret_text = (uvow__slice_t){start, (size_t)(p + 1 - start)};
  return p + 1;
}

/* In the order of how often they come. */
static inline const char *read_value(const uvow__piece_t *piece, const char *p,
                                     const char *end, const uvow__ids_t *ids,
                                     uvow__msg_t *msg) {
  if (piece->kind == UVOW__PUT_ID)
    return read_id(p, end, ids, msg);
  if (piece->kind == UVOW__PUT_PARAMS)
    return read_json(p, end, piece->kinds, &msg->value);
  if (piece->kind == UVOW__PUT_TEXT)
    return p;
  if (piece->kind == UVOW__PUT_METHOD)
    return read_name(p, end, &msg->name);
  if (piece->kind == UVOW__PUT_SESSION)
    return read_json(p, end, UVOW__KIND(STRING), &msg->session);
  if (piece->kind == UVOW__PUT_TRACEPARENT)
    return read_json(p, end, UVOW__KIND(STRING), &msg->traceparent);
  return NULL;
}

/* Whether it is an id, a value and an end, which is text: most answers. */
static inline int is_answer(const uvow__template_t *template) {
  const uvow__piece_t *pieces = template->pieces;
  return template->count == 3 && pieces[0].kind == UVOW__PUT_ID &&
         pieces[1].kind == UVOW__PUT_PARAMS &&
         pieces[1].absent != UVOW__ABSENT_OMITS;
}

static inline void set_kind(uvow__msg_t *ret,
                            const uvow__template_t *template) {
  static const uvow__msg_t empty; /* copied: zeroing in place is slower */
  memcpy(ret, &empty, UVOW__MSG_PLAIN);
  ret->kind = (uvow__msg_kind_t) template->reads;
}

/* The same as what follows, of such a one, at once. */
static inline int read_answer(const uvow__template_t *template,
                              const uvow__ids_t *ids, const char *text,
                              const char *end, uvow__msg_t *ret) {
  const uvow__piece_t *piece = template->pieces;
  const char *p = read_text(piece, text, end);
  if (!p)
    return 0;
  set_kind(ret, template);
  p = read_id(p, end, ids, ret);
  if (p)
    p = read_text(piece + 1, p, end);
  if (p)
    p = read_json(p, end, piece[1].kinds, &ret->value);
  return p && read_text(piece + 2, p, end) == end;
}

/* Any. */
UVOW__APART static int read_pieces(const uvow__template_t *template,
                                   const uvow__ids_t *ids, const char *text,
                                   const char *end, uvow__msg_t *ret) {
  const uvow__piece_t *piece = template->pieces;
  const uvow__piece_t *last = piece + template->count;
  const char *p = read_text(piece, text, end);
  if (!p)
    return 0;
  set_kind(ret, template);
  for (;;) {
    p = read_value(piece, p, end, ids, ret);
    if (!p)
      return 0;
    const char *behind;
    do {
      if (++piece == last)
        return p == end;
      behind = read_text(piece, p, end);
      if (!behind && piece->absent != UVOW__ABSENT_OMITS)
        return 0;
    } while (!behind);
    p = behind;
  }
}

int uvow__template_read(const uvow__template_t *template,
                        const uvow__ids_t *ids, const char *text, size_t len,
                        uvow__msg_t *ret) {
  if (!template->reads || len == 0)
    return 0;
  return is_answer(template) && ids->form == UVOW__IDS_NUMBER
             ? read_answer(template, ids, text, text + len, ret)
             : read_pieces(template, ids, text, text + len, ret);
}

/* ---- writing ---- */

/* What is being appended to `out`: up to `to`, with room up to `stop`. */
typedef struct writer {
  uvow__buf_t *out;
  const uvow__ids_t *ids;
  uint8_t *to;
  const uint8_t *stop;
} writer_t;

/* Goes on where the buffer ends. */
static inline void resume(writer_t *w) {
  uvow__buf_t *out = w->out;
  size_t left = out->max - uvow__buf_size(out);
  size_t room = out->cap - out->len;
  w->to = out->data + out->len;
  w->stop = w->to + (room < left ? room : left);
}

static inline void pause(const writer_t *w) {
  w->out->len = (size_t)(w->to - w->out->data);
}

static inline size_t room(const writer_t *w) {
  return (size_t)(w->stop - w->to);
}

static int grow(writer_t *w, size_t len) {
  pause(w);
  int rc = uvow__buf_reserve(w->out, len);
  if (rc == 0)
    resume(w);
  return rc;
}

static inline int put(writer_t *w, const char *bytes, size_t len) {
  int rc = len <= room(w) ? 0 : grow(w, len);
  if (rc)
    return rc;
  uvow__copy(w->to, bytes, len);
  w->to += len;
  return 0;
}

static inline int put_text(writer_t *w, const uvow__piece_t *piece) {
  if (room(w) < sizeof(piece->text))
    return put(w, piece->text, piece->len);
  memcpy(w->to, piece->text, sizeof(piece->text));
  w->to += piece->len;
  return 0;
}

/* The operation has nothing for this piece. */
static int put_nothing(writer_t *w, const uvow__piece_t *piece) {
  if (piece->absent == UVOW__ABSENT_OMITS)
    return 0;
  if (piece->absent == UVOW__ABSENT_FAILS)
    return UVOW_EINVAL;
  int rc = put_text(w, piece);
  return rc ? rc : put(w, "null", 4);
}

/* UTF-8, as a value of one of the kinds a piece allows: 0 or UVOW_EINVAL. */
static inline int check_value(const uvow__piece_t *piece, uvow__slice_t text,
                              uvow__slice_t *ret_text) {
  uvow__json_kind_t kind;
  if (uvow__envelope_value(text, &kind, ret_text) ||
      !(piece->kinds & (unsigned)kind))
    return UVOW_EINVAL;
  return 0;
}

/* The same for any text. */
static inline int check_json(const uvow__piece_t *piece, uvow__slice_t text,
                             uvow__slice_t *ret_text) {
  if (!uvow__utf8_is_ascii((const uint8_t *)text.ptr, text.len) &&
      !uvow__json_utf8(text))
    return UVOW_EINVAL;
  return check_value(piece, text, ret_text);
}

static int put_json(writer_t *w, const uvow__piece_t *piece,
                    uvow__slice_t text) {
  uvow__slice_t trimmed;
  if (text.len == 0)
    return put_nothing(w, piece);
  int rc = check_json(piece, text, &trimmed);
  if (rc == 0)
    rc = put_text(w, piece);
  return rc ? rc : put(w, trimmed.ptr, trimmed.len);
}

/* The same for params that needn't be looked at, or needn't be copied. */
static int put_specially(writer_t *w, const uvow__piece_t *piece,
                         const uvow__op_t *op) {
  uvow__slice_t params = op->params;
  if (params.len == 0)
    return put_nothing(w, piece);
  if (!(op->params_how & UVOW__PARAMS_CHECKED) &&
      (!uvow__json_utf8(params) || check_value(piece, op->params, &params)))
    return UVOW_EINVAL;
  if (!(piece->kinds & (unsigned)uvow__envelope_kind(*params.ptr)))
    return UVOW_EINVAL;
  int rc = put_text(w, piece);
  if (rc || !(op->params_how & UVOW__PARAMS_SPLICED) ||
      params.len < UVOW__SPLICE_MIN)
    return rc ? rc : put(w, params.ptr, params.len);
  op->splice->inner = params;
  op->splice->at = (size_t)(w->to - w->out->data) - w->out->off;
  return 0;
}

/* The members of an object, none of them reserved. */
static int put_fields(writer_t *w, const uvow__piece_t *piece,
                      uvow__slice_t text) {
  uvow__captures_t found;
  uvow__slice_t object;
  if (text.len == 0)
    return put_nothing(w, piece);
  if (check_json(piece, text, &object))
    return UVOW_EINVAL;
  size_t last = UVOW__CAPTURE_FIRST + (size_t)piece->denied;
  if (uvow__envelope_scan(piece->reserved, object.ptr, object.len, &found))
    return UVOW_EINVAL;
  for (size_t i = UVOW__CAPTURE_FIRST; i < last; i++)
    if (uvow__capture_kind(&found, i) != UVOW__JSON_ABSENT)
      return UVOW_EINVAL;
  const char *end = object.ptr + object.len;
  const char *first = uvow__json_space(object.ptr + 1, end);
  if (*first == '}')
    return 0;
  int rc = put_text(w, piece);
  return rc ? rc : put(w, first, (size_t)(end - first) - 1);
}

/* Any text as a JSON string. */
static int put_escaped(writer_t *w, uvow__slice_t text) {
  pause(w);
  int rc = uvow__json_escape(w->out, text);
  if (rc == 0)
    resume(w);
  return rc;
}

static inline int put_string(writer_t *w, const uvow__piece_t *piece,
                             uvow__slice_t text) {
  int rc = put_text(w, piece);
  if (rc)
    return rc;
  if (room(w) < 2 || room(w) - 2 < text.len || !uvow__json_stands(text))
    return put_escaped(w, text);
  w->to[0] = '"';
  uvow__copy(w->to + 1, text.ptr, text.len);
  w->to += text.len + 2;
  w->to[-1] = '"';
  return 0;
}

/* In decimal. */
static inline int put_number(writer_t *w, uint64_t number, int negative) {
  size_t len = negative ? 2 : 1;
  for (uint64_t left = number; left > 9; left /= 10)
    len++;
  int rc = len <= room(w) ? 0 : grow(w, len);
  if (rc)
    return rc;
  uint8_t *to = w->to;
  w->to += len;
  if (negative)
    to[0] = '-';
  do {
    to[--len] = (uint8_t)('0' + number % 10);
    number /= 10;
  } while (number);
  return 0;
}

static int put_text_id(writer_t *w, const uvow__ids_t *ids, uint64_t id) {
  int rc = put(w, "\"", 1);
  if (rc == 0 && ids->prefix_len)
    rc = put(w, ids->prefix, ids->prefix_len);
  if (rc == 0)
    rc = put_number(w, id, 0);
  return rc ? rc : put(w, "\"", 1);
}

/* An id that was read, and needs no second look: a short number. */
static inline int is_short_number(uvow__slice_t raw) {
  if (raw.len - 1 >= 15 || raw.ptr[0] == '0')
    return 0;
  for (size_t i = 0; i < raw.len; i++)
    if ((unsigned char)(raw.ptr[i] - '0') > 9)
      return 0;
  return 1;
}

static inline int put_id(writer_t *w, const uvow__piece_t *piece,
                         const uvow__op_t *op) {
  if (is_short_number(op->raw_id) && (piece->kinds & UVOW__KIND(NUMBER))) {
    int rc = put_text(w, piece);
    return rc ? rc : put(w, op->raw_id.ptr, op->raw_id.len);
  }
  if (op->raw_id.len || op->id == 0)
    return put_json(w, piece, op->raw_id);
  if (op->id > UVOW__ID_MAX)
    return UVOW_EINVAL;
  int rc = put_text(w, piece);
  if (rc)
    return rc;
  return w->ids->form == UVOW__IDS_NUMBER ? put_number(w, op->id, 0)
                                          : put_text_id(w, w->ids, op->id);
}

/* A variable: the session's, or the last one of this name. */
static int put_var(writer_t *w, const uvow__piece_t *piece,
                   const uvow__op_t *op) {
  uvow__slice_t none = {NULL, 0};
  for (size_t i = op->session_var_count; i > 0; i--)
    if (uvow__slice_is(op->session_vars[i - 1].name, piece->var))
      return put_json(w, piece, op->session_vars[i - 1].json);
  for (size_t i = op->var_count; i > 0; i--)
    if (uvow__slice_is(op->vars[i - 1].name, piece->var))
      return put_json(w, piece, op->vars[i - 1].json);
  return put_json(w, piece, none);
}

/* Params in two places, by their kind. */
static int put_args(writer_t *w, const uvow__piece_t *piece,
                    const uvow__op_t *op) {
  uvow__slice_t args = {NULL, 0};
  uvow__json_kind_t kind = UVOW__JSON_ABSENT;
  if (op->params.len && check_json(piece, op->params, &args))
    return UVOW_EINVAL;
  if (args.len)
    kind = uvow__envelope_kind(*args.ptr);
  if (piece->kind == UVOW__PUT_ARGS && kind != UVOW__JSON_ARRAY)
    args = UVOW__SLICE("[]");
  if (piece->kind == UVOW__PUT_OBJECT && kind != UVOW__JSON_OBJECT)
    args = UVOW__SLICE("{}");
  if (piece->kind == UVOW__PUT_KWARGS && kind != UVOW__JSON_OBJECT)
    return 0;
  int rc = put_text(w, piece);
  return rc ? rc : put(w, args.ptr, args.len);
}

static int put_error(writer_t *w, const uvow__piece_t *piece,
                     const uvow__op_t *op) {
  if (piece->kind == UVOW__PUT_ERROR_CODE && op->error_code_text.len)
    return put_string(w, piece, op->error_code_text);
  if (piece->kind == UVOW__PUT_ERROR_CODE) {
    int64_t code = op->error_code;
    int rc = put_text(w, piece);
    return rc ? rc
              : put_number(w, code < 0 ? 0 - (uint64_t)code : (uint64_t)code,
                           code < 0);
  }
  if (piece->kind == UVOW__PUT_ERROR_DATA ||
      (piece->kind == UVOW__PUT_ERROR_DATA_OR_MESSAGE && op->error_data.len))
    return put_json(w, piece, op->error_data);
  return op->error_message.ptr ? put_string(w, piece, op->error_message)
                               : put_nothing(w, piece);
}

/* In the order of how often they come. */
static inline int put_piece(writer_t *w, const uvow__piece_t *piece,
                            const uvow__op_t *op) {
  uvow__piece_kind_t kind = (uvow__piece_kind_t)piece->kind;
  if (kind == UVOW__PUT_ID)
    return put_id(w, piece, op);
  if (kind == UVOW__PUT_PARAMS)
    return op->params_how ? put_specially(w, piece, op)
                          : put_json(w, piece, op->params);
  if (kind == UVOW__PUT_METHOD)
    return op->method.ptr ? put_string(w, piece, op->method)
                          : put_nothing(w, piece);
  if (kind == UVOW__PUT_TEXT)
    return put_text(w, piece);
  if (kind == UVOW__PUT_FIELDS)
    return put_fields(w, piece, op->params);
  if (kind == UVOW__PUT_SESSION)
    return op->session.len ? put_string(w, piece, op->session)
                           : put_nothing(w, piece);
  if (kind == UVOW__PUT_TRACEPARENT)
    return op->traceparent.len ? put_string(w, piece, op->traceparent)
                               : put_nothing(w, piece);
  if (kind == UVOW__PUT_VAR)
    return put_var(w, piece, op);
  if (kind >= UVOW__PUT_ARGS)
    return put_args(w, piece, op);
  return put_error(w, piece, op);
}

int uvow__template_write(const uvow__template_t *template,
                         const uvow__ids_t *ids, const uvow__op_t *op,
                         uvow__buf_t *out) {
  const uvow__piece_t *piece = template->pieces;
  const uvow__piece_t *last = piece + template->count;
  size_t size = uvow__buf_size(out);
  writer_t w = {out, ids, NULL, NULL};
  int rc = out->data ? 0 : uvow__buf_reserve(out, 1);
  if (rc)
    return rc;
  resume(&w);
  for (; piece < last && rc == 0; piece++)
    rc = put_piece(&w, piece, op);
  if (rc)
    out->len = out->off + size;
  else
    pause(&w);
  return rc;
}

const uvow__piece_t *uvow__template_wrong(const uvow__template_t *template,
                                          const uvow__ids_t *ids,
                                          const uvow__op_t *op,
                                          const uvow__mem_t *mem) {
  const uvow__piece_t *wrong = NULL;
  uvow__buf_t out;
  uvow__op_t plain = *op;
  writer_t w = {&out, ids, NULL, NULL};
  plain.params_how = 0;
  uvow__buf_init(&out, mem, SIZE_MAX);
  int rc = uvow__buf_reserve(&out, 1);
  if (rc == 0)
    resume(&w);
  for (size_t i = 0; i < template->count && rc == 0; i++) {
    rc = put_piece(&w, &template->pieces[i], &plain);
    if (rc == UVOW_EINVAL)
      wrong = &template->pieces[i];
  }
  uvow__buf_done(&out);
  return wrong;
}

int uvow__protocol_encode(const uvow_protocol_t *protocol, const uvow__op_t *op,
                          uvow__buf_t *out) {
  if (op->form && uvow__form_write(op->form, op, out) == 0)
    return 0;
  if ((unsigned)op->kind >= UVOW__OP_KINDS ||
      protocol->templates[op->kind].count == 0 ||
      (op->session.len && !protocol->has_session))
    return UVOW_EINVAL;
  return uvow__template_write(&protocol->templates[op->kind],
                              op->ids ? op->ids : &protocol->ids, op, out);
}
