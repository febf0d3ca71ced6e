#ifndef UVOW__LINK_H
#define UVOW__LINK_H

#include <uvow/peer.h>

#include "future/backoff.h"
#include "future/runtime.h"
#include "websocket/websocket.h"

/* What a peer that we connect to knows of its connections, this one and those
 * before: follows the peer in its memory. */
typedef struct uvow__link {
  const uvow__transport_t *transport;
  uvow__target_t target;
  uvow__ws_config_t *config;          /* NULL: none that can work */
  uvow_reconnect_options_t reconnect; /* size 0: don't */
  uvow__backoff_t backoff;
  uvow__deadline_t pause;
  uvow__task_t attempt;   /* the next one: when the pause is over */
  uvow__task_t renewed;   /* what renew answered is settled */
  uvow_future_t *renewal; /* that answer; NULL: renew isn't asked */
  uvow_error_t *last;     /* why there's no connection; NULL: there's one */
  uint64_t down_since;    /* ns: since there's no proven one */
  uint64_t open_since;    /* ns; 0: this attempt hasn't opened one */
  uint64_t answered;      /* requests, by then */
  uint64_t pause_ms;      /* the next one, or the last one */
  uint64_t bound_ms;      /* what that was at most */
  uint64_t connected;     /* connections that were opened, */
  uint64_t lost;          /* and of those, the ones that were lost */
  uint32_t attempts;      /* in a row without a proven connection */
  int refused;            /* how set_target was refused since renew was asked */
  int unheld;             /* the connection doesn't hold the loop */
  uint8_t pausing;        /* the pause holds the loop */
  uint8_t proven;         /* one of the connections was */
  uint8_t denied;         /* 401 or 403: renew is asked once more */
  uint8_t judged;         /* how this one ended is known: */
  uint8_t over;           /* no other follows */
} uvow__link_t;

/* Of a peer whose memory it is in. Copies url and what concerns it of options;
 * keeps transport. It is to be done, also on error: UVOW_EINVAL, UVOW_ENOMEM,
 * libuv's. A malformed URL is no error here. */
int uvow__link_init(uvow_peer_t *peer, const char *url,
                    const uvow_peer_options_t *options,
                    const uvow__transport_t *transport);
void uvow__link_done(uvow_peer_t *peer);
extern const uvow__channel_callbacks_t uvow__link_callbacks;
/* The connection, or the attempt at one, has ended: takes the error. */
void uvow__link_lost(uvow_peer_t *peer, uvow_error_t *error);
/* The opening steps are done. */
void uvow__link_opened(uvow_peer_t *peer);
/* Stops the pause before the next attempt, and what it waits for. */
void uvow__link_stop_pause(uvow_peer_t *peer);
/* See uvow_peer_hold_loop. */
void uvow__link_hold(uvow_peer_t *peer, int on);

/* link_attempt.c: begins to connect for the first time. UVOW_ENOMEM,
 * UVOW_EINVAL: nothing has begun. */
int uvow__link_connect(uvow_peer_t *peer);
void uvow__link_attempt_init(uvow__link_t *link);

#endif
