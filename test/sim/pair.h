#ifndef UVOW_TEST_SIM_PAIR_H
#define UVOW_TEST_SIM_PAIR_H

#include <uvow/channel.h>

#include "random.h"
#include "rpc/peer.h"
#include "support/ends.h"
#include "support/parts.h"

enum { ASKS_MAX = 400, METHODS = 6, STEPS_MAX = 200, TIMEOUT_MS = 2000 };
enum { IN_MEMORY, LINES, HEADERS, WEBSOCKET, KINDS };
enum { AT_ONCE, LATER, REFUSE, BACK, NEVER, MANY };

typedef struct world world_t;

/* One request, at both ends. */
typedef struct ask {
  world_t *world;
  int side;   /* who asks */
  int method; /* of names */
  int settled;
  int canceled;
  int seen; /* by the method */
  uint64_t made_ms;
  uint32_t timeout_ms;
  uvow_future_t *kept;     /* to cancel it by; or NULL */
  uvow_promise_t *promise; /* what the method waits for; or NULL */
  uvow_sink_t *sink;       /* of the stream that it returned; or NULL */
  unsigned made;           /* items */
  unsigned got;
  int failed; /* the method has ended it so */
} ask_t;

/* What one side has said, and the other hasn't read. */
typedef struct wire {
  uint8_t bytes[1 << 20];
  size_t len;
  size_t at;
} wire_t;

typedef struct side {
  world_t *world;
  uvow_peer_t *peer;  /* the other end, as this side sees it; NULL: unowned */
  uvow_channel_t far; /* of framed ones: the world's end of its bytes */
  wire_t said;
  unsigned noted; /* notifications that it sent */
  unsigned heard; /* the last one that came */
  unsigned sent;  /* requests that have left */
} side_t;

struct world {
  script_t s;
  sim_random_t random;
  uint64_t seed;
  int kind;
  int ended;  /* a side has ended or closed */
  int bounds; /* something may be refused */
  int floods; /* side 0 asks much, of one that refuses much and can't say it */
  int parts;  /* the protocol has partial answers */
  unsigned made;
  int calm;
  ends_t ends; /* of WEBSOCKET */
  side_t sides[2];
  ask_t asks[ASKS_MAX];
  unsigned count;
};

/* pair_moves.c: both ends of LINES or HEADERS. */
void pair_make_framed(world_t *w, const uvow_peer_options_t *options);
/* The other side reads up to so many bytes of what this one has said. Returns how
 * many it has read. */
size_t pair_move(side_t *side, size_t most);

#endif
