#ifndef UVOW__SUBSCRIPTION_H
#define UVOW__SUBSCRIPTION_H

#include <uvow/subscription.h>

#include "events.h"
#include "future/stream.h"

/* The subscriptions of a session. */
typedef struct uvow__subscriptions {
  uvow__list_t all;     /* in the order in which they were made */
  uvow__list_t untold;  /* those let go of that couldn't be said yet */
  size_t untold_at;     /* with so many requests pending; 0: there are none */
  uvow__table_t by_key; /* those of families with keys that are answered */
  uvow__table_t by_id;  /* those whose requests are under way, and those that
                           are told by partial answers */
} uvow__subscriptions_t;

typedef enum uvow__sub_state {
  UVOW__SUB_ASKING, /* its request is under way */
  UVOW__SUB_ON,
  UVOW__SUB_LOST,   /* with its connection, and to be made again */
  UVOW__SUB_LEAVING /* the request that unsubscribes it is under way, or waits */
} uvow__sub_state_t;

/* Bytes of a key that need no memory of their own: as most have. */
#define UVOW__SUB_KEY 48

/* One of them: what its stream comes from. */
typedef struct uvow__sub {
  uvow_stream_t out;   /* first */
  uvow__entry_t entry; /* by key, or by id */
  uvow__list_t member; /* of all */
  uvow__list_t link;   /* of its family's waiting, or takers */
  uvow__list_t untold;
  uvow__task_t settled;
  uvow__task_t gone;
  uvow__gate_t ready; /* it is there */
  uvow_peer_t *peer;
  struct uvow__within *within; /* of it, in whose session it is; or NULL */
  struct uvow__family *family; /* NULL: told by partial answers */
  uvow_future_t *asked;        /* the request under way, or NULL */
  uvow__sub_state_t state;
  uint64_t id;   /* of its request */
  uint64_t from; /* what was held before isn't its own */
  char *key;     /* what the answer had, as a key: `room` mostly; or NULL */
  size_t key_len;
  int fault;        /* why the answer has none; or 0 */
  uint8_t answered; /* its request is: the peer has subscribed it */
  uint8_t is_ready; /* that, or its first item, has been seen */
  uint8_t in_table; /* by key */
  uint8_t in_ids;   /* by id */
  uint8_t was_on;
  uint8_t let_go;
  uint8_t overrun; /* some of what was held is missing */
  uint8_t at_end;  /* its answer is the end */
  uint8_t renews;
  uint8_t asks_key; /* answer_key was given */
  /* Behind it; NULL: none. */
  const char *method;
  const char *params;
  const char *answer_key;
  const char *item;
  const char *unsubscribe;
  const char *unsubscribe_params;
  char room[UVOW__SUB_KEY];
} uvow__sub_t;

void uvow__subscriptions_init(uvow__subscriptions_t *subs,
                              const uvow__mem_t *mem);
void uvow__subscriptions_done(uvow__subscriptions_t *subs);
/* Of one whose texts are there. peer: may be within a session. */
void uvow__sub_init(uvow__sub_t *sub, uvow_peer_t *peer);
/* It is asked for. event, key: of its options. UVOW_ENOMEM: it is to fail. */
int uvow__sub_begin(uvow__sub_t *sub, const char *event, const char *key);
/* It is over, wherever it stands. Takes the error. */
void uvow__sub_fail(uvow__sub_t *sub, uvow_error_t *error);
/* Appends unsubscribe_params, with the key in its places. */
int uvow__sub_write_params(const uvow__sub_t *sub, uvow__buf_t *out);
/* The request of this id has left its slot. value: of the answer; NULL: there's
 * none. */
void uvow__subscriptions_answered(uvow__subscriptions_t *subs, uint64_t id,
                                  const uvow__slice_t *value);
/* Its session's. */
uvow__subscriptions_t *uvow__subs_of(const uvow__sub_t *sub);
/* Of whom it asks. */
uvow_peer_t *uvow__sub_asked_of(const uvow__sub_t *sub);
/* The request under way, which isn't its own any more; or NULL. */
uvow_future_t *uvow__sub_take_asked(uvow__sub_t *sub);
/* It is over, and its stream has ended or is let go of. */
void uvow__sub_end(uvow__sub_t *sub);
/* Who waits for it to be there waits no more: it isn't. */
void uvow__sub_unready(uvow__sub_t *sub);
/* Nobody reads it any more: the peer is told, now (1, 0), or later: an error. One
 * whose key another one has too stays subscribed there. */
int uvow__sub_leave(uvow__sub_t *sub);
/* Whether a request has never left, for want of room, of time or of memory. */
int uvow__sub_is_untold(const uvow_future_t *asked);
/* What its stream's source does. */
extern const uvow__source_ops_t uvow__sub_ops;
/* A partial answer, JSON text: 1: it was a subscription's. */
int uvow__subscriptions_part(uvow__subscriptions_t *subs, uint64_t id,
                             uvow__slice_t text);
/* No partial answers follow: 1: it was a subscription's, and isn't the answer
 * to its request, too. */
int uvow__subscriptions_part_end(uvow__subscriptions_t *subs, uint64_t id);
/* The connection is lost, and will be made again; what it carried is settled. */
void uvow__subscriptions_lost(uvow_peer_t *peer, const uvow_error_t *error);
/* It's there again: they are made again, before anything that waits. */
void uvow__subscriptions_renew(uvow_peer_t *peer);
/* There may be room: the peer is told of those let go of. */
void uvow__subscriptions_tell(uvow_peer_t *peer);
/* The peer closes in order: those whose requests would never end do. */
void uvow__subscriptions_close(uvow_peer_t *peer);
/* A session of it is over: those in it end as that. */
void uvow__subscriptions_end_within(uvow_peer_t *peer,
                                    const struct uvow__within *within);
/* It is over, and all requests are settled. */
void uvow__subscriptions_end(uvow_peer_t *peer);

#endif
