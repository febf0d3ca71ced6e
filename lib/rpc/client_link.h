#ifndef UVOW__CLIENT_LINK_H
#define UVOW__CLIENT_LINK_H

#include <uvow/client.h>

#include "future/backoff.h"
#include "future/runtime.h"

/* What a client knows of its connections, this one and those before: lives in
 * it. */
typedef struct uvow__link {
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
  uint32_t attempts;      /* in a row without a proven connection */
  int refused;            /* how set_target was refused since renew was asked */
  uint8_t pausing;        /* the pause holds the loop */
  uint8_t proven;         /* one of the connections was */
  uint8_t denied;         /* 401 or 403: renew is asked once more */
  uint8_t judged;         /* how this one ended is known: */
  uint8_t over;           /* no other follows */
} uvow__link_t;

#endif
