/*
 * What ends the connection of a peer that has connected to us, where the protocol
 * has a close code for it: what can't be read. Of calls, callee.c knows.
 *
 * 1. A client's connection doesn't end so: what a server says wrongly is counted
 *    and shown (R3).
 */
#include "session.h"

/* Whether it's what let the peer in, which is said but once. */
static int is_again(const uvow__session_t *session, uvow__slice_t text) {
  const uvow__opening_t *opening = session->opening;
  uvow__step_read_t read;
  for (size_t i = 0; opening && i < opening->step; i++)
    if (uvow__step_read(session->callee.protocol, &opening->steps[i],
                        (uvow__slice_t){NULL, 0}, text.ptr, text.len,
                        &read) != UVOW__STEP_OTHER)
      return 1;
  return 0;
}

int uvow__session_closes(uvow__session_t *session, const uvow__msg_t *msg,
                         uvow__slice_t bytes) {
  uvow__callee_t *callee = &session->callee;
  const uvow__closes_t *closes = &callee->protocol->closes;
  if (!session->is_server)
    return 0;
  if (closes->again && is_again(session, bytes))
    uvow__callee_close(callee, closes->again, "it is let in already");
  else if (closes->malformed)
    uvow__callee_close(callee, closes->malformed,
                       uvow__fault_text((uvow__fault_t)msg->fault));
  else
    return 0;
  return 1;
}
