#ifndef UVOW__NOTES_H
#define UVOW__NOTES_H

#include "session.h"

/* Events that the protocol itself knows: a cancel, progress, the end of a
 * session. Returns whether it was about a call, and was told so: else it's an
 * event as any other. */
int uvow__notes_take(uvow__session_t *session, const uvow__msg_t *msg);

#endif
