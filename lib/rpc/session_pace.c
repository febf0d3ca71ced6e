/*
 * When a session reads.
 *
 * 1. Reading pauses only for what the peer makes less by reading (unsent
 *    answers), and not while it owes us an answer: so two ends that call each
 *    other never wait for each other.
 */
#include "serve.h"
#include "session.h"

static void set_paused(uvow__session_t *session, int on) {
  uvow__channel_t *channel = session->callee.channel;
  uvow__wheel_disarm(&session->stall);
  if (on)
    uvow__runtime_arm(&session->callee.loop->rt, &session->stall,
                      session->stall_ms);
  if (session->paused == on)
    return;
  session->paused = on;
  channel->ops->pause(channel, on);
}

void uvow__session_pace(uvow__session_t *session) {
  const uvow__channel_t *channel = session->callee.channel;
  if (!channel || !session->max_unsent || !channel->ops->pause)
    return;
  int on = session->dispatcher->sent == 0 &&
           uvow__channel_unsent(channel) > session->max_unsent / 2;
  if (on != session->paused)
    set_paused(session, on);
}

void uvow__session_writable(uvow__session_t *session) {
  uvow__serve_resume(&session->callee);
  if (session->paused)
    uvow__session_pace(session);
  if (session->paused) /* something has left: the time begins anew */
    set_paused(session, 1);
}
