#ifndef UVOW__SESSION_H
#define UVOW__SESSION_H

#include <uvow/peer.h>

#include "base/histogram.h"
#include "callee.h"
#include "dispatcher.h"
#include "events.h"
#include "heartbeat.h"
#include "opening_steps.h"
#include "partial.h"
#include "protocol/answers.h"
#include "subscription.h"

typedef struct uvow__session uvow__session_t;

typedef struct uvow__session_hooks {
  /* A message that matched nothing; error: of UVOW_STRAY_FAULT, or NULL. */
  void (*on_stray)(uvow__session_t *session, uvow_stray_t stray,
                   uvow__slice_t bytes, const uvow_error_t *error);
  /* Whether on_stray does anything with it. */
  int (*wants_strays)(uvow__session_t *session);
  /* What was given up is answered, see uvow__dispatcher_paid. */
  void (*on_paid)(uvow__session_t *session);
  /* The protocol says that a session of it has ended: raw JSON. */
  void (*on_session_end)(uvow__session_t *session, uvow__slice_t raw_id);
  /* An event that is in a session of the protocol's: whether somebody has
   * it. */
  int (*on_session_event)(uvow__session_t *session, const uvow__msg_t *msg,
                          uvow__slice_t bytes);
  /* The opening steps are done: what waits may leave. On the spot, also within
   * uvow__session_open. */
  void (*on_open)(uvow__session_t *session);
  /* The application's own step begins, which ends with
   * uvow__opening_finish. */
  void (*on_ask)(uvow__session_t *session);
  /* They can't be: takes the error. */
  void (*on_unopened)(uvow__session_t *session, uvow_error_t *error);
} uvow__session_hooks_t;

/* Requests of the last array that was sent, see batch_out.c. */
typedef struct uvow__arrays {
  uint64_t first; /* their ids are from here, 0: it isn't known, */
  uint64_t last;  /* to here */
  uint64_t sent_up_to;
} uvow__arrays_t;

/*
 * What the two ends of a connection have in common: one switch over what comes,
 * one dispatcher, one callee. Who owns it makes and keeps the channel.
 */
struct uvow__session {
  uvow__callee_t callee; /* first; loop, protocol and channel are in it */
  uvow__dispatcher_t *dispatcher;
  uvow__op_kind_t like;     /* what came last: it's looked for first */
  uvow__answers_t *answers; /* what they look like; NULL: few came yet */
  uvow__histogram_t rtt;    /* of answers */
  const uvow__session_hooks_t *hooks;
  uvow__opening_t *opening; /* what is said before anything else; or NULL */
  uvow__pulse_t pulse;
  uvow__partials_t partials;
  uvow__events_t listeners;
  uvow__subscriptions_t subscriptions;
  int is_server;      /* the other end has connected to it */
  int unprepared;     /* there was no memory for the opening */
  int answers_faults; /* a message that is none is answered */
  uint64_t events;
  uint64_t calls;
  uint64_t strays[UVOW_STRAY_EVENT + 1];
  /* Requests from this id on were sent after all else that the peer may mean by
   * an error without an id; 0: there is nothing else. */
  uint64_t unclear;
  int excess; /* this connection ends with an answer that is over the limit, and
                 whose it is was told */
  uvow__arrays_t arrays;
  uvow_error_t *fault; /* such an error, while it may be a timeout's cause */
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
/* Something was sent, or given up, that the peer may answer with an error
 * without an id. */
static inline void uvow__session_told(uvow__session_t *session) {
  session->unclear = session->dispatcher->next_id;
}
/* The peer owes us nothing any more. */
void uvow__session_all_answered(uvow__session_t *session);
/* A message matched nothing: counted, and told. */
void uvow__session_stray(uvow__session_t *session, uvow_stray_t kind,
                         uvow__slice_t bytes);
/* The application says that a stray was none. */
static inline void uvow__session_unstray(uvow__session_t *session,
                                         uvow_stray_t stray) {
  session->strays[stray] -= session->strays[stray] != 0;
}
/* session_closes.c: a message can't be read. Returns whether the connection ends
 * with it, as the protocol of who is connected to may want. */
int uvow__session_closes(uvow__session_t *session, const uvow__msg_t *msg,
                         uvow__slice_t bytes);
/* Its variables and steps, before it's opened. As uvow__opening_init. */
int uvow__session_prepare(uvow__session_t *session,
                          const uvow__opening_plan_t *plan,
                          const char **ret_missing);
/* Whether anything is to be said before it's open. */
static inline int uvow__session_has_steps(const uvow__session_t *session) {
  const uvow__opening_t *opening = session->opening;
  return opening && (opening->step_count || opening->asks);
}
/* The handshake is done, and the callee has its channel: opening steps begin, if
 * the protocol has any. */
void uvow__session_open(uvow__session_t *session);
/* Whether opening steps are under way: nothing else may be sent. */
static inline int uvow__session_is_opening(const uvow__session_t *session) {
  return session->opening && session->opening->active;
}
/* A message came. whole: see uvow__payload_take; or NULL. */
void uvow__session_message(uvow__session_t *session, int opcode,
                           const uint8_t *bytes, size_t len,
                           uvow__buf_t *whole);
/* A message is over the limit: if its beginning says whose answer it is, that
 * request is rejected, as `why` says; the connection's end is that of all
 * others. Returns 0. `why` NULL: returns whether it may be a request's. */
int uvow__session_excess(uvow__session_t *session, uvow__slice_t beginning,
                         const char *why);
/* Pauses the channel, or lets it go on: after each send, and when requests come
 * and go. */
void uvow__session_pace(uvow__session_t *session);
/* Some of what was unsent has left. */
void uvow__session_writable(uvow__session_t *session);
/* The channel has gone. */
void uvow__session_stop(uvow__session_t *session);
/* Its memory, before the callee's. */
void uvow__session_done(uvow__session_t *session);

/* A raw JSON string as text: plain, or unescaped into buf; anything else as it
 * stands. Borrowed. UVOW_EENVELOPE, UVOW_ENOMEM. */
int uvow__session_text(uvow__slice_t raw, uvow__buf_t *buf,
                       uvow__slice_t *ret_text);
/* The error that the peer answered with; and that of an answer which can't be
 * read, with its bytes. New, or NULL: no memory. */
uvow_error_t *uvow__session_remote(const uvow__mem_t *mem,
                                   const uvow__msg_t *msg,
                                   uvow_outcome_t outcome);
uvow_error_t *uvow__session_malformed(const uvow__mem_t *mem,
                                      const uvow__msg_t *msg,
                                      uvow__slice_t bytes);

#endif
