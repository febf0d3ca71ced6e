/*
 * Answers that look as one before them did.
 *
 *   read -> (no) the templates and the rules -> note -> read ...
 *
 * 1. Noted is only what a template reads: of such a message the rules look at
 *    no more than the kinds of its id and its value (see parse_reads.c, and the
 *    tests of those that are built in). So what differs in nothing but their
 *    digits says the same.
 */
#include "answers.h"

static void note(uvow__answers_t *answers, const uvow_protocol_t *protocol,
                 uvow__slice_t text, const uvow__msg_t *msg) {
  uvow__alike_set(&answers->text, text.ptr, text.len);
  answers->protocol = protocol;
  answers->id_at = (uint8_t)(msg->raw_id.ptr - text.ptr);
  answers->id_len = (uint8_t)msg->raw_id.len;
  answers->value_at = (uint8_t)(msg->value.ptr - text.ptr);
  answers->value_len = (uint8_t)msg->value.len;
  uvow__alike_free_value(&answers->text, answers->id_at, answers->id_len);
  uvow__alike_free_value(&answers->text, answers->value_at, answers->value_len);
}

/* Whether the id is a number from which a word can be read, and nothing else is
 * in it but a value. */
static int is_plain(const uvow__dialect_t *dialect, uvow__slice_t text,
                    const uvow__msg_t *msg) {
  return msg->kind == UVOW__MSG_OK && msg->has_id && msg->value.ptr &&
         dialect->ids.form == UVOW__IDS_NUMBER && !msg->session.ptr &&
         !msg->traceparent.ptr && !msg->name.ptr &&
         msg->raw_id.ptr + 8 <= text.ptr + text.len;
}

void uvow__answers_note(uvow__answers_t *answers,
                        const uvow__dialect_t *dialect, uvow__slice_t text) {
  const uvow_protocol_t *protocol = dialect->protocol;
  uvow__msg_t msg;
  if (!uvow__alike_due(&answers->text))
    return;
  answers->protocol = NULL;
  if (text.len <= UVOW__ALIKE_MAX && !uvow__dialect_is_many(dialect, 0, text) &&
      uvow__template_read(&protocol->templates[UVOW__OP_REPLY], &dialect->ids,
                          text.ptr, text.len, &msg) &&
      is_plain(dialect, text, &msg))
    note(answers, protocol, text, &msg);
}
