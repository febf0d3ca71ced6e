#ifndef UVOW_COMMAND_VERDICT_H
#define UVOW_COMMAND_VERDICT_H

#include <jansson.h>

#include "args.h"
#include "screen.h"

/* What became of a request, for people, for programs, and as exit status. */

/* "answered", "sent, may have been executed", "not sent". */
const char *verdict_text(uvow_outcome_t outcome);
int verdict_status(uvow_outcome_t outcome);
/* The worse one of two exit statuses. */
int verdict_worse(int a, int b);
/* One line, and what a server said of a refusal below it. */
void verdict_print(const screen_t *err, const uvow_error_t *error);
/* name, message; code and data of the peer; status, location and body of a
 * refused handshake. Returns new, or NULL: no memory. */
json_t *verdict_json(const uvow_error_t *error);

#endif
