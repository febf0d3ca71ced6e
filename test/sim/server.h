#ifndef UVOW_TEST_SIM_SERVER_H
#define UVOW_TEST_SIM_SERVER_H

#include "wire.h"

/* Texts of the three protocols, as the server knows them: written from their
 * specifications, not with lib/protocol. Each returns its length. */
size_t sim_text_call(const sim_t *s, const sim_request_t *r, char *text,
                     size_t cap);
size_t sim_text_params(const sim_t *s, const sim_request_t *r, char *text,
                       size_t cap);
size_t sim_text_answer(const sim_t *s, const sim_message_t *m, size_t pad,
                       char *text, size_t cap);
size_t sim_text_event(const sim_t *s, uint32_t number, char *text, size_t cap);
size_t sim_text_ask(const sim_t *s, char *text, size_t cap);
size_t sim_text_tick(const sim_link_t *link, const sim_message_t *m, char *text,
                     size_t cap);
size_t sim_text_part(const sim_message_t *m, char *text, size_t cap);
const char *sim_text_stray(sim_t *s);
/* SIM_PARTS. Returns new. */
uvow_protocol_t *sim_text_protocol(void);

#define SIM_TEXT_MAX 80000

#endif
