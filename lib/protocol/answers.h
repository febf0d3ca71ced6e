#ifndef UVOW__ANSWERS_H
#define UVOW__ANSWERS_H

#include "dialect.h"
#include "wire/alike.h"

/*
 * What answers look like: the next one mostly looks as one before it did, and
 * then it says what that one said, but for its digits.
 */
typedef struct uvow__answers {
  const uvow_protocol_t *protocol; /* of the one that was noted; NULL: none */
  uint8_t id_at;
  uint8_t id_len;
  uint8_t value_at;
  uint8_t value_len;
  uvow__alike_t text;
} uvow__answers_t;

/* Notes an answer that was read, if it can be, and is due. It has failed
 * uvow__answers_read. All zero before the first. */
void uvow__answers_note(uvow__answers_t *answers,
                        const uvow__dialect_t *dialect, uvow__slice_t text);

/* 1 to 15 digits, of which a word can be read: the number. */
static inline uint64_t uvow__answers_id(const char *p, size_t len) {
  if (len <= 8)
    return uvow__word_number(uvow__word(p), len);
  return uvow__word_number(uvow__word(p), len - 8) * 100000000 +
         uvow__word_number(uvow__word(p + len - 8), 8);
}

/*
 * Reads a text message that looks as the one that was noted: exactly as
 * uvow__protocol_decode_like would. Returns 1, and writes its id and its value,
 * borrowed: it's an answer of ours, a result. 0: that is to be asked.
 */
static inline int uvow__answers_read(uvow__answers_t *answers,
                                     const uvow_protocol_t *protocol,
                                     uvow__slice_t text, uint64_t *ret_id,
                                     uvow__slice_t *ret_value) {
  if (answers->protocol != protocol ||
      !uvow__alike_is(&answers->text, text.ptr, text.len))
    return 0;
  uvow__alike_pays(&answers->text);
  *ret_id = uvow__answers_id(text.ptr + answers->id_at, answers->id_len);
  *ret_value =
      (uvow__slice_t){text.ptr + answers->value_at, answers->value_len};
  return 1;
}

#endif
