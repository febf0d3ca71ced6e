#ifndef UVOW__SESSION_H
#define UVOW__SESSION_H

#include "base/histogram.h"
#include "callee.h"
#include "dispatcher.h"

typedef struct uvow__session uvow__session_t;

typedef struct uvow__session_hooks {
  /* An event that no method has the name of. NULL: nobody is told. */
  void (*on_event)(uvow__session_t *session, const uvow__msg_t *msg);
  /* A message that matched nothing. NULL: it is only counted. */
  void (*on_stray)(uvow__session_t *session, uvow__stray_t stray,
                   uvow__slice_t bytes);
  /* What was given up is answered, see uvow__dispatcher_paid. Or NULL. */
  void (*on_paid)(uvow__session_t *session);
  /* The protocol says that a session of it has ended: raw JSON. Or NULL. */
  void (*on_session_end)(uvow__session_t *session, uvow__slice_t raw_id);
} uvow__session_hooks_t;

/*
 * What the two ends of a connection have in common: one switch over what comes,
 * one dispatcher, one callee. Who owns it makes and keeps the channel.
 */
struct uvow__session {
  uvow__callee_t callee; /* first; loop, protocol and channel are in it */
  uvow__dispatcher_t *dispatcher;
  uvow__histogram_t *rtt; /* of answers; NULL: not measured */
  const uvow__session_hooks_t *hooks;
  int answers_faults; /* a message that is none is answered */
  uint64_t events;
  uint64_t calls;
  uint64_t strays[UVOW__STRAY_MALFORMED + 1];
  /* A peer that doesn't read its answers isn't read. */
  size_t max_unsent; /* of the channel; 0: it is never paused */
  uint32_t stall_ms;
  int paused;
  uvow__deadline_t stall;
};

/* callee and dispatcher are there already. */
void uvow__session_init(uvow__session_t *session,
                        uvow__dispatcher_t *dispatcher,
                        const uvow__session_hooks_t *hooks);
/* A message came. whole: see uvow__payload_take; or NULL. */
void uvow__session_message(uvow__session_t *session, int opcode,
                           const uint8_t *bytes, size_t len,
                           uvow__buf_t *whole);
/* Pauses the channel, or lets it go on: after each send, and when requests come
 * and go. */
void uvow__session_pace(uvow__session_t *session);
/* Some of what was unsent has left. */
void uvow__session_writable(uvow__session_t *session);
/* The channel has gone. */
void uvow__session_stop(uvow__session_t *session);

/* A raw JSON string as text: plain, or unescaped into buf; anything else as it
 * stands. Borrowed. UVOW_EENVELOPE, UVOW_ENOMEM. */
int uvow__session_text(uvow__slice_t raw, uvow__buf_t *buf,
                       uvow__slice_t *ret_text);

#endif
