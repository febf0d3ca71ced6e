/*
 * Subscriptions that are let go of: the peer is told.
 *
 *   let go --room--> a request that unsubscribes, or a cancel --> gone
 *      |  ^
 *      |  +-- it never left: said again
 *      +--no room, no memory--> untold --room, or a message came--> let go
 *
 * What couldn't be said waits in a list: so that takes no memory.
 */
#include <string.h>

#include "base/text.h"
#include "family.h"
#include "peer.h"
#include "subscription.h"
#include "within.h"

#define KEY_NAME "$key"

int uvow__sub_is_untold(const uvow_future_t *asked) {
  if (asked->state != UVOW_REJECTED ||
      uvow_error_outcome(asked->u.error) != UVOW_NOT_SENT)
    return 0;
  int code = uvow_error_code(asked->u.error);
  return code == UVOW_ETIMEDOUT || code == UVOW_EOVERLOAD ||
         code == UVOW_ENOMEM;
}

int uvow__sub_write_params(const uvow__sub_t *sub, uvow__buf_t *out) {
  const char *text = sub->unsubscribe_params;
  const char *at;
  int rc = 0;
  while (rc == 0 && (at = strstr(text, KEY_NAME)) != NULL) {
    rc = uvow__buf_append(out, text, (size_t)(at - text));
    if (rc == 0 && sub->key)
      rc = uvow__buf_append(out, sub->key, sub->key_len);
    else if (rc == 0)
      rc = uvow__buf_append_u64(out, sub->id);
    text = at + sizeof(KEY_NAME) - 1;
  }
  return rc ? rc : uvow__buf_append_text(out, text);
}

/* A request that unsubscribes is refused: 0, or the error of one that is to be
 * made again. */
static int refused(uvow__sub_t *sub) {
  uvow_future_t *asked = uvow__sub_take_asked(sub);
  int rc = uvow__sub_is_untold(asked) ? uvow_error_code(asked->u.error) : 0;
  asked->flags |= UVOW__OBSERVED;
  uvow_future_unref(asked);
  return rc;
}

/* A request that unsubscribes. Returns 1: it is under way; 0: it can't be made;
 * an error: not now. */
static int ask_to_leave(uvow__sub_t *sub) {
  uvow__buf_t params;
  uvow__buf_init(&params, &sub->out.rt->mem, SIZE_MAX);
  int rc = uvow__sub_write_params(sub, &params);
  if (rc == 0) {
    uvow_slice_t text = {(const char *)uvow__buf_front(&params),
                         uvow__buf_size(&params)};
    sub->asked = uvow_peer_request(uvow__sub_asked_of(sub), sub->unsubscribe,
                                   uvow_value_slice(&text));
    rc = sub->asked ? 0 : UVOW_ENOMEM;
  }
  uvow__buf_done(&params);
  if (rc)
    return rc;
  if (sub->asked->state == UVOW_REJECTED)
    return refused(sub);
  uvow__future_watch(sub->asked, &sub->settled);
  return 1;
}

int uvow__sub_leave(uvow__sub_t *sub) {
  int rc = 0;
  int shared =
      sub->family && sub->in_table && uvow__family_shares(sub->family, sub);
  sub->state = UVOW__SUB_LEAVING;
  if (!shared && !sub->unsubscribe)
    rc = uvow__peer_send_cancel(sub->peer, sub->id);
  else if (!shared && !sub->peer->life.closing)
    rc = ask_to_leave(sub);
  if (rc < 0) {
    uvow__list_append(&uvow__subs_of(sub)->untold, &sub->untold);
    uvow__subs_of(sub)->untold_at =
        rc == UVOW_EOVERLOAD ? sub->peer->dispatcher.live : SIZE_MAX;
  } else if (rc == 0)
    uvow__sub_end(sub);
  return rc;
}

void uvow__subscriptions_tell(uvow_peer_t *peer) {
  uvow__list_t *untold = &peer->session.subscriptions.untold;
  peer->session.subscriptions.untold_at = 0;
  while (!uvow__list_empty(untold)) {
    uvow__sub_t *sub = UVOW__CONTAINER(untold->next, uvow__sub_t, untold);
    uvow__list_remove(&sub->untold);
    if (uvow__sub_leave(sub) >= 0)
      continue;
    uvow__list_remove(&sub->untold); /* it stays the first */
    uvow__list_prepend(untold, &sub->untold);
    return;
  }
}
