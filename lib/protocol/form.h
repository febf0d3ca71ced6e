#ifndef UVOW__FORM_H
#define UVOW__FORM_H

#include "dialect.h"
#include "wire/alike.h"

/*
 * Calls of one method, as their template writes them: all but the id and the
 * params is always the same, and is written once.
 */

#define UVOW__FORM_HEAD 32
#define UVOW__FORM_MIDDLE 64
#define UVOW__FORM_TAIL 16
#define UVOW__FORM_ID 16 /* digits of the largest */
#define UVOW__FORM_BEYOND 32

/* An id in decimal, its digits in front: the next one is mostly one more. The
 * last digit, which is another each time, is kept apart: what was just stored
 * in a part of 16 bytes isn't read with all of them. */
typedef struct uvow__count {
  uint64_t id;
  size_t len;
  uint8_t last;
  char digits[UVOW__FORM_ID]; /* the last one 0 */
} uvow__count_t;

typedef struct uvow__form {
  /* What it was made of. */
  const uvow_protocol_t *protocol;
  unsigned method; /* a number that its owner has given it; 0: none yet */
  uint8_t usable;  /* 0: such calls are not written so */
  uint8_t kinds;   /* of params */
  uint8_t head_len;
  uint8_t middle_len;
  uint8_t tail_len;
  struct uvow__forms *forms;  /* which it is one of */
  char head[UVOW__FORM_HEAD]; /* before the id */
  char middle[UVOW__FORM_MIDDLE];
  char tail[UVOW__FORM_TAIL]; /* behind the params */
  uvow__alike_t *params;      /* what those look like that are right, or NULL */
} uvow__form_t;

#define UVOW__FORMS 8 /* methods that are called by turns */

typedef struct uvow__forms {
  const uvow__mem_t *mem;
  uvow__count_t count;
  uvow__form_t *forms[UVOW__FORMS]; /* NULL: none yet */
} uvow__forms_t;

void uvow__forms_init(uvow__forms_t *forms, const uvow__mem_t *mem);
void uvow__forms_done(uvow__forms_t *forms);

/* Makes the form of a method that has a number, in the place of another one. */
uvow__form_t *uvow__form_make(uvow__forms_t *forms,
                              const uvow__dialect_t *dialect, unsigned number,
                              uvow__slice_t method);
/* The same, if it isn't there; NULL: its calls can't be written so. Borrowed
 * until the next call of this; keeps nothing. */
static inline uvow__form_t *uvow__forms_get(uvow__forms_t *forms,
                                            const uvow__dialect_t *dialect,
                                            unsigned number,
                                            uvow__slice_t method) {
  uvow__form_t *form = forms->forms[number % UVOW__FORMS];
  if (!form || form->method != number || form->protocol != dialect->protocol)
    return uvow__form_make(forms, dialect, number, method);
  return form->usable ? form : NULL;
}

/*
 * Appends a call that has an id, and no session or traceparent, just as
 * uvow__template_write does. Returns 0; or 1: that's to be asked, nothing is
 * written, for lack of room, or of params, or because they aren't right.
 */
int uvow__form_write(const uvow__form_t *form, const uvow__op_t *op,
                     uvow__buf_t *out);

/* The same in two steps, to where it is sent from. Returns how many bytes a call
 * takes; 0: uvow__form_write or the template is to be asked. */
size_t uvow__form_size(uvow__form_t *form, uint64_t id, uvow__slice_t params);
/* Writes that call, masked with a key (RFC 6455 5.3; the first byte lowest).
 * There is room for UVOW__FORM_BEYOND bytes more, which may be written. */
void uvow__form_put(const uvow__form_t *form, uvow__slice_t params, uint8_t *to,
                    uint32_t key);

#endif
