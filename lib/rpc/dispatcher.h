#ifndef UVOW__DISPATCHER_H
#define UVOW__DISPATCHER_H

#include <uvow/peer.h>

#include "future/future.h"
#include "payload.h"

typedef struct uvow__dispatcher uvow__dispatcher_t;

/* A message that is kept, should it have to be sent again. */
typedef struct uvow__kept_text {
  size_t len;
  char bytes[];
} uvow__kept_text_t;

/* The tail of a request's future. */
typedef struct uvow__request {
  uvow__deadline_t deadline; /* first */
  uvow__dispatcher_t *owner;
  uint64_t id;
  uint64_t sent_ns;        /* when, if it's sent */
  uvow__kept_text_t *text; /* NULL, or its message */
  uint16_t method;         /* its name's number, which the owner gives */
  uint16_t resent;         /* how often */
  uint8_t sent;            /* on this connection: its bytes may have left */
  uint8_t was_sent;        /* on any: the server may have acted on it */
  uint16_t session : 13;   /* its number, which the owner gives; 0: none */
  uint16_t partials : 1;   /* its owner is told when it leaves its slot */
  uint16_t idempotent : 1;
  uint16_t json : 1; /* the answer is parsed before the future is fulfilled */
} uvow__request_t;

/* Told that a request was given up (timeout, cancel): its slot is free. */
typedef void (*uvow__dispatcher_cb)(uvow__dispatcher_t *dispatcher,
                                    const uvow__request_t *request);
/* Told that a request is settled; error NULL: fulfilled. */
typedef void (*uvow__settled_cb)(uvow__dispatcher_t *dispatcher,
                                 const uvow__request_t *request,
                                 const uvow_error_t *error);

/* Told that a request with `partials` has left its slot. value: of a result,
 * before anything is kept of it; else NULL. */
typedef void (*uvow__left_cb)(uvow__dispatcher_t *dispatcher,
                              const uvow__request_t *request, int is_answered,
                              const uvow__slice_t *value);

struct uvow__dispatcher {
  uvow__runtime_t *rt;
  uint64_t *slots;    /* 0, the address of a future, or a tombstone */
  size_t mask;        /* slots - 1 */
  size_t most;        /* taken ones that these slots are enough for */
  size_t live;        /* requests in a slot */
  size_t sent;        /* those that may have left */
  size_t owed;        /* given up, sent, not answered; with keep_owed */
  int keep_owed;      /* their ids keep their slots until they're answered */
  size_t unsaid;      /* given up, sent, and the peer doesn't know it yet */
  size_t kept;        /* ids of either kind: they keep their slots */
  uint64_t unsaid_at; /* the slot of this id is the next one to be looked at */
  size_t max_live;
  uint64_t next_id;
  const uvow_error_t *cause; /* borrowed: of what fails now; or NULL */
  uvow__dispatcher_cb on_given_up;
  uvow__settled_cb on_settled; /* NULL: nobody is told */
  uvow__left_cb on_left;       /* NULL: no request has partials */
  void *data;                  /* the owner's */
  struct {
    uint64_t requests;
    uint64_t answered;
    uint64_t timed_out;
    uint64_t canceled;
    uint64_t failed;
    uint64_t resent;
  } count;
};

/* A tombstone is odd, addresses are even. */
static inline int uvow__slot_is_live(uint64_t slot) {
  return slot != 0 && (slot & 1) == 0;
}
static inline uvow__request_t *uvow__slot_request(uint64_t slot) {
  uvow_future_t *f = (uvow_future_t *)(uintptr_t)slot;
  return (uvow__request_t *)(void *)(f + 1);
}

/* Takes no memory before the first request. */
void uvow__dispatcher_init(uvow__dispatcher_t *d, uvow__runtime_t *rt,
                           size_t max_live);
/* No request may be live. */
void uvow__dispatcher_done(uvow__dispatcher_t *d);

/* Gives a request an id and a slot, and arms its deadline (0: none). Returns a
 * new future, its request in ret_request (borrowed, while it's in its slot).
 * Errors, and nothing is registered: UVOW_ENOMEM, UVOW_EOVERLOAD: max_live,
 * UVOW_ECLOSED: the loop is closed, or ids are used up. */
int uvow__dispatcher_register(uvow__dispatcher_t *d, uint32_t timeout_ms,
                              uvow_future_t **ret_future,
                              uvow__request_t **ret_request);
/* The request of a future that register has made, and that is pending. */
uvow__request_t *uvow__request_of(uvow_future_t *f);
/* The request's bytes are handed to the connection. */
static inline void uvow__dispatcher_mark_sent(uvow__request_t *request,
                                              uint64_t now_ns) {
  uvow__dispatcher_t *d = request->owner;
  d->sent += !request->sent;
  d->count.resent += request->was_sent;
  request->resent = (uint16_t)(request->resent + request->was_sent);
  request->sent_ns = now_ns;
  request->sent = request->was_sent = 1;
}
/* Keeps its message. UVOW_ENOMEM. */
int uvow__request_keep_text(uvow__request_t *request, uvow__slice_t text);
/* The live request with this id, or NULL. */
static inline uvow__request_t *
uvow__dispatcher_find(const uvow__dispatcher_t *d, uint64_t id) {
  uint64_t slot = d->slots ? d->slots[id & d->mask] : 0;
  if (!uvow__slot_is_live(slot) || uvow__slot_request(slot)->id != id)
    return NULL;
  return uvow__slot_request(slot);
}
/* An answer with this id mostly comes soon. (GCC takes a function of its own
 * that does nothing else for one that does nothing.) */
UVOW__WITHIN void uvow__dispatcher_expect(const uvow__dispatcher_t *d,
                                          uint64_t id) {
  uint64_t slot = d->slots[id & d->mask];
  const char *future = (const char *)(uintptr_t)slot;
  if (!uvow__slot_is_live(slot))
    return;
  UVOW__SOON(future);
  UVOW__SOON(future + 64);
  UVOW__SOON(future + 128);
}
/* What an id is that no live request has. */
uvow_stray_t uvow__dispatcher_classify(const uvow__dispatcher_t *d,
                                       uint64_t id);
/* The only request that was sent: there is one. */
uvow__request_t *uvow__dispatcher_only(uvow__dispatcher_t *d);
/* An answer came to an id that no live request has: nothing is owed for it any
 * more. Returns whether something was. */
int uvow__dispatcher_paid(uvow__dispatcher_t *d, uint64_t id);
/* The connection is lost: nothing is owed any more, nor to be said. */
void uvow__dispatcher_forgive(uvow__dispatcher_t *d);
/* In on_given_up: the peer couldn't be told of it, and is to be later. */
void uvow__dispatcher_unsaid(uvow__dispatcher_t *d, uint64_t id);
/* The id of which the peer is to be told next; 0: there's none. One that was
 * answered is none. */
uint64_t uvow__dispatcher_to_say(uvow__dispatcher_t *d);
/* It was told of that one. */
void uvow__dispatcher_said(uvow__dispatcher_t *d, uint64_t id);

/* Answers: the slot is freed, then the future settles. The payload is copied,
 * or takes the memory of `whole`: see uvow__payload_take. */
void uvow__dispatcher_fulfill(uvow__request_t *request, uvow__slice_t payload,
                              uvow__buf_t *whole);
/* Takes the error. */
void uvow__dispatcher_reject(uvow__request_t *request, uvow_error_t *error);
/* An error of this code, with the cause that there is. Returns new. */
uvow_error_t *uvow__dispatcher_error(const uvow__dispatcher_t *d, int code,
                                     uvow_outcome_t outcome);
/* Rejects with a code; the outcome is the request's own. */
void uvow__dispatcher_fail(uvow__request_t *request, int code);
/* The connection is lost. Rejects, as fail_all, every request that it carried,
 * but for the idempotent ones with a kept message: those aren't sent any more,
 * and `again` is called for them, the oldest first; they are rejected too if it
 * returns an error. */
void uvow__dispatcher_lost(uvow__dispatcher_t *d,
                           const uvow__error_spec_t *spec,
                           int (*again)(uvow__request_t *request, void *data),
                           void *data);
/* Calls cb for every live request, the oldest first. */
void uvow__dispatcher_walk(const uvow__dispatcher_t *d,
                           void (*cb)(const uvow__request_t *request,
                                      void *data),
                           void *data);
/* Rejects every live request of a session, as fail_all. */
void uvow__dispatcher_fail_session(uvow__dispatcher_t *d, unsigned session,
                                   const uvow__error_spec_t *spec);
/* Rejects every live request: a copy of `spec` with its own outcome. */
void uvow__dispatcher_fail_all(uvow__dispatcher_t *d,
                               const uvow__error_spec_t *spec);

#endif
