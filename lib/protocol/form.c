/*
 * Calls of one method, all written alike.
 *
 *   forms_get -> form_make  a template's pieces, joined, once
 *   form_write              head, id, middle, params, tail
 *
 * 1. A form says nothing else than its template: it's made of its pieces, and
 *    what it can't be sure of it leaves to that.
 * 2. Texts are copied whole, of a fixed size, where there is room for all of
 *    them: their ends are written over.
 * 3. Params are checked as the template checks them: each time.
 */
#include "form.h"

#include <string.h>

#include "base/apart.h"
#include "wire/json_text.h"
#include "wire/utf8.h"

/* Bytes that are written beside the params, at most. */
#define BESIDE                                                                 \
  (UVOW__FORM_HEAD + UVOW__FORM_ID + UVOW__FORM_MIDDLE + UVOW__FORM_TAIL)

_Static_assert(UVOW__FORM_HEAD == 32 && UVOW__FORM_ID == 16 &&
                   UVOW__FORM_TAIL == 16 && UVOW__FORM_MIDDLE >= 32,
               "so much is written of each, whatever its length");

#define PARAMS_MAX 32 /* bytes of those that are noted, */
#define ALIKE_FROM 32 /* once there were some requests: it takes memory */

/* ---- made ---- */

/* A text that grows in one of a form's places. */
typedef struct maker {
  char *text;
  uint8_t *len;
  size_t max;
  int full;
} maker_t;

static void add(maker_t *maker, const char *text, size_t len) {
  if (maker->full || len > maker->max - *maker->len) {
    maker->full = 1;
    return;
  }
  if (len)
    memcpy(maker->text + *maker->len, text, len);
  *maker->len = (uint8_t)(*maker->len + len);
}

/* The id's quotes, if it's a text. */
static void add_id(maker_t *maker, const uvow__ids_t *ids) {
  if (ids->form == UVOW__IDS_NUMBER)
    return;
  add(maker, "\"", 1);
  add(maker, ids->prefix, ids->prefix_len);
}

static void add_method(maker_t *maker, uvow__slice_t method) {
  maker->full |= !uvow__json_stands(method);
  add(maker, "\"", 1);
  add(maker, method.ptr, method.len);
  add(maker, "\"", 1);
}

/* Whether a call without options has nothing for this piece, and then nothing
 * is written. */
static int is_left_out(const uvow__piece_t *piece) {
  return piece->absent == UVOW__ABSENT_OMITS &&
         (piece->kind == UVOW__PUT_SESSION ||
          piece->kind == UVOW__PUT_TRACEPARENT);
}

/* Behind the id, behind the params. Returns 0: they come in another order. */
static int next_part(maker_t *maker, uvow__form_t *form,
                     const uvow__piece_t *piece, const uvow__ids_t *ids) {
  if (maker->full)
    return 0;
  if (piece->kind == UVOW__PUT_ID && maker->text == form->head) {
    *maker = (maker_t){form->middle, &form->middle_len, UVOW__FORM_MIDDLE, 0};
    add(maker, "\"", ids->form != UVOW__IDS_NUMBER);
    return 1;
  }
  if (piece->kind != UVOW__PUT_PARAMS || maker->text != form->middle)
    return 0;
  *maker = (maker_t){form->tail, &form->tail_len, UVOW__FORM_TAIL, 0};
  form->kinds = piece->kinds;
  return 1;
}

/* Returns whether it can be written so. */
static int make(uvow__form_t *form, const uvow__ids_t *ids,
                const uvow__template_t *template, uvow__slice_t method) {
  maker_t maker = {form->head, &form->head_len, UVOW__FORM_HEAD, 0};
  for (size_t i = 0; i < template->count; i++) {
    const uvow__piece_t *piece = &template->pieces[i];
    if (is_left_out(piece))
      continue;
    add(&maker, piece->text, piece->len);
    if (piece->kind == UVOW__PUT_ID)
      add_id(&maker, ids);
    if (piece->kind == UVOW__PUT_METHOD)
      add_method(&maker, method);
    else if (piece->kind != UVOW__PUT_TEXT &&
             !next_part(&maker, form, piece, ids))
      return 0;
  }
  return maker.text == form->tail && !maker.full;
}

void uvow__forms_init(uvow__forms_t *forms, const uvow__mem_t *mem) {
  memset(forms, 0, sizeof(*forms));
  forms->mem = mem;
}

void uvow__forms_done(uvow__forms_t *forms) {
  for (size_t i = 0; i < UVOW__FORMS; i++) {
    if (forms->forms[i])
      uvow__free(forms->mem, forms->forms[i]->params);
    uvow__free(forms->mem, forms->forms[i]);
  }
}

uvow__form_t *uvow__form_make(uvow__forms_t *forms,
                              const uvow__dialect_t *dialect, unsigned number,
                              uvow__slice_t method) {
  const uvow_protocol_t *protocol = dialect->protocol;
  uvow__form_t **place = &forms->forms[number % UVOW__FORMS];
  uvow__form_t *form = *place;
  if (!form)
    form = (uvow__form_t *)uvow__calloc(forms->mem, sizeof(*form));
  if (!form)
    return NULL;
  *place = form;
  uvow__free(forms->mem, form->params);
  memset(form, 0, sizeof(*form));
  form->protocol = protocol;
  form->method = number;
  form->forms = forms;
  form->usable =
      !protocol->codec && !protocol->native &&
      make(form, &dialect->ids, &protocol->templates[UVOW__OP_CALL], method);
  return form->usable ? form : NULL;
}

/* ---- written ---- */

static void set_count(uvow__count_t *count, uint64_t id) {
  char digits[UVOW__FORM_ID];
  size_t at = sizeof(digits);
  count->id = id;
  count->last = (uint8_t)(id % 10);
  digits[--at] = '0';
  for (id /= 10; at > 0 && id; id /= 10)
    digits[--at] = (char)('0' + id % 10);
  count->len = sizeof(digits) - at;
  memcpy(count->digits, digits + at, count->len);
}

/* The last digit was 9: counts those before it on. */
static void carry(uvow__count_t *count) {
  size_t at = count->len - 1;
  while (at > 0 && count->digits[at - 1] == '9')
    count->digits[--at] = '0';
  if (at == 0) {
    set_count(count, count->id + 1); /* one digit more */
    return;
  }
  count->digits[at - 1]++;
  count->last = 0;
  count->id++;
}

static inline void count_to(uvow__count_t *count, uint64_t id) {
  if (id != count->id + 1 || count->len == 0) {
    set_count(count, id);
  } else if (count->last == 9) {
    carry(count);
  } else {
    count->last++;
    count->id = id;
  }
}

/* Whether params are one value of these kinds, without space around it. */
static inline int check(unsigned kinds, uvow__slice_t params) {
  uvow__json_kind_t kind;
  const char *end = params.ptr + params.len;
  if (!uvow__utf8_is_ascii((const uint8_t *)params.ptr, params.len) &&
      !uvow__json_utf8(params))
    return 0;
  return uvow__envelope_skip(params.ptr, end, &kind) == end &&
         (kinds & (unsigned)kind);
}

/* Without memory each is checked. */
UVOW__APART static void note_params(uvow__form_t *form, uvow__slice_t params) {
  const uvow__mem_t *mem = form->forms->mem;
  if (!form->params)
    form->params = (uvow__alike_t *)uvow__calloc(mem, sizeof(*form->params));
  if (!form->params || !uvow__alike_due(form->params))
    return;
  uvow__alike_set(form->params, params.ptr, params.len);
  uvow__alike_free_value(form->params, 0, params.len);
}

/* The same for what mostly looks as the last ones did. */
static inline int check_alike(uvow__form_t *form, uint64_t id,
                              uvow__slice_t params) {
  if (form->params && uvow__alike_is(form->params, params.ptr, params.len)) {
    uvow__alike_pays(form->params);
    return 1;
  }
  if (!check(form->kinds, params))
    return 0;
  if (id >= ALIKE_FROM && params.len <= PARAMS_MAX)
    note_params(form, params);
  return 1;
}

static inline int has_room(const uvow__buf_t *out, size_t len) {
  return out->cap - out->len >= len && out->max - uvow__buf_size(out) >= len;
}

int uvow__form_write(const uvow__form_t *form, const uvow__op_t *op,
                     uvow__buf_t *out) {
  size_t len = op->params.len;
  if (op->params_how || len == 0 || len >= UVOW__SPLICE_MIN ||
      op->id - 1 >= UVOW__ID_MAX || !check(form->kinds, op->params) ||
      (!has_room(out, BESIDE + len) && uvow__buf_reserve(out, BESIDE + len)))
    return 1;
  uint8_t *to = out->data + out->len;
  memcpy(to, form->head, UVOW__FORM_HEAD);
  to += form->head_len;
  count_to(&form->forms->count, op->id);
  memcpy(to, form->forms->count.digits, UVOW__FORM_ID);
  to += form->forms->count.len;
  to[-1] = (uint8_t)('0' + form->forms->count.last);
  memcpy(to, form->middle, UVOW__FORM_MIDDLE);
  to += form->middle_len;
  uvow__copy(to, op->params.ptr, len);
  to += len;
  memcpy(to, form->tail, UVOW__FORM_TAIL);
  out->len = (size_t)(to - out->data) + form->tail_len;
  return 0;
}

size_t uvow__form_size(uvow__form_t *form, uint64_t id, uvow__slice_t params) {
  if (params.len == 0 || params.len >= UVOW__SPLICE_MIN ||
      id - 1 >= UVOW__ID_MAX || !check_alike(form, id, params))
    return 0;
  count_to(&form->forms->count, id);
  return (size_t)form->head_len + form->forms->count.len + form->middle_len +
         params.len + form->tail_len;
}

/* The key from a place of the text on, four times. */
static inline uvow__lanes_t key_at(uint32_t key, size_t at) {
  unsigned turn = 8 * (unsigned)(at & 3);
  return uvow__lanes_quad(key >> turn | key << (-turn & 31));
}

/* 16 bytes, of which the first ones count. Returns what is behind them. */
static inline size_t put_lanes(uint8_t *to, size_t at, const char *text,
                               size_t len, uint32_t key) {
  uvow__lanes_put(to + at, uvow__lanes_xor(uvow__lanes(text), key_at(key, at)));
  return at + len;
}

/* The same of 32 bytes, and of as many more as it needs. */
static inline size_t put_more(uint8_t *to, size_t at, const char *text,
                              size_t len, uint32_t key) {
  uvow__lanes_t lanes = key_at(key, at);
  uint8_t *from = to + at;
  uvow__lanes_put(from, uvow__lanes_xor(uvow__lanes(text), lanes));
  uvow__lanes_put(from + UVOW__LANES,
                  uvow__lanes_xor(uvow__lanes(text + UVOW__LANES), lanes));
  for (size_t i = 2 * UVOW__LANES; i < len; i += UVOW__LANES)
    uvow__lanes_put(from + i, uvow__lanes_xor(uvow__lanes(text + i), lanes));
  return at + len;
}

/* Of a text that has no more than its length. */
static inline size_t put_text(uint8_t *to, size_t at, uvow__slice_t text,
                              uint32_t key) {
  uvow__lanes_t lanes = key_at(key, at);
  size_t i = 0;
  for (; text.len - i >= UVOW__LANES; i += UVOW__LANES)
    uvow__lanes_put(to + at + i,
                    uvow__lanes_xor(uvow__lanes(text.ptr + i), lanes));
  if (i < text.len)
    uvow__lanes_put(
        to + at + i,
        uvow__lanes_xor(uvow__lanes_part(text.ptr + i, text.len - i), lanes));
  return at + text.len;
}

void uvow__form_put(const uvow__form_t *form, uvow__slice_t params, uint8_t *to,
                    uint32_t key) {
  size_t at = put_more(to, 0, form->head, form->head_len, key);
  at =
      put_lanes(to, at, form->forms->count.digits, form->forms->count.len, key);
  to[at - 1] =
      (uint8_t)(('0' + form->forms->count.last) ^ key >> 8 * ((at - 1) & 3));
  at = put_more(to, at, form->middle, form->middle_len, key);
  at = put_text(to, at, params, key);
  put_lanes(to, at, form->tail, form->tail_len, key);
}
