#ifndef UVOW__PARTIAL_H
#define UVOW__PARTIAL_H

#include <uvow/peer.h>

#include "base/table.h"
#include "dispatcher.h"

/* What is done about partial answers: of the requests of a session that want
 * them. */
typedef struct uvow__partials {
  uvow__runtime_t *rt;
  uvow__table_t table; /* by the request's id */
} uvow__partials_t;

void uvow__partials_init(uvow__partials_t *partials, uvow__runtime_t *rt);
/* No request may be live. */
void uvow__partials_done(uvow__partials_t *partials);
/* Whether these options, or NULL, say anything of partial answers. */
static inline int uvow__partials_wanted(const uvow_request_options_t *options) {
  return options && (options->on_partial || options->partial_moves_deadline ||
                     options->first_is_last);
}
/* They do, of this request, whose timeout is so long (0: none). Returns 0, or
 * UVOW_ENOMEM. */
int uvow__partials_watch(uvow__partials_t *partials, uvow__request_t *request,
                         const uvow_request_options_t *options,
                         uint32_t timeout_ms);
/* A partial answer to a live request: JSON text. */
void uvow__partials_came(uvow__partials_t *partials, uvow__request_t *request,
                         uvow__slice_t text);
/* Half of the answer to a live request: an error, which is taken, or a value; or
 * that there's no more (is_end). When the other half has come before, it is
 * answered. */
void uvow__partials_half(uvow__partials_t *partials, uvow__request_t *request,
                         int is_end, uvow__slice_t value, uvow_error_t *error);
/* A request that wants them leaves its slot. */
void uvow__partials_left(uvow__partials_t *partials,
                         const uvow__request_t *request, int is_answered);

#endif
