/*
 * The application's own opening step: a callback that answers with a future.
 *
 *   begin -> task -> options.opening(first, data) -> its answer
 *                                                       | settled
 *   stop, at any time: the answer is given up        finish -> the session
 *
 * 1. `first` is a peer within the peer: what is asked of it is the peer's own
 *    request, and leaves before all that waits. It ends with the step.
 * 2. The callback may end the peer, whose stop frees the step: after it only the
 *    answer's future says whether anybody still waits, as in link_attempt.c.
 */
#include "own_step.h"

#include "peer.h"
#include "within.h"

struct uvow__own_step {
  uvow_peer_t *peer;
  uvow__within_t *first;
  uvow_future_t *answer; /* NULL: it wasn't called yet */
  uvow__task_t ask;
  uvow__task_t answered;
};

/* Everything of it but the answer, which is returned: the caller's. */
static uvow_future_t *release(uvow_peer_t *peer) {
  uvow__own_step_t *step = peer->kin.own_step;
  uvow_future_t *answer = step->answer;
  uvow__within_t *first = step->first;
  peer->kin.own_step = NULL;
  uvow__task_cancel(&step->ask);
  uvow__task_cancel(&step->answered);
  uvow__free(uvow__peer_mem(peer), step);
  uvow__within_end(first, NULL);
  uvow_peer_unref(&first->peer);
  return answer;
}

static void run_answered(uvow__task_t *task) {
  uvow_peer_t *peer = UVOW__CONTAINER(task, uvow__own_step_t, answered)->peer;
  uvow_future_t *answer = release(peer);
  uvow_error_t *error =
      answer->state == UVOW_REJECTED ? uvow_error_ref(answer->u.error) : NULL;
  uvow_future_unref(answer);
  uvow__opening_finish(peer->session.opening, error);
}

/* Three own the answer's future: the step, whoever settles it, and this call. */
static void run_ask(uvow__task_t *task) {
  uvow__own_step_t *step = UVOW__CONTAINER(task, uvow__own_step_t, ask);
  uvow_peer_t *peer = step->peer;
  const uvow_peer_options_t *options = &peer->config->options;
  uvow_future_t *f = uvow__future_new(&peer->loop->rt, 3, UVOW__OBSERVED);
  if (!f) {
    uvow_future_unref(release(peer));
    uvow__opening_finish(peer->session.opening, uvow__error_nomem());
    return;
  }
  step->answer = f;
  uvow_next_t next = options->opening(&step->first->peer, options->data);
  int wanted = f->refs == 3;
  uvow_future_unref(f);
  if (!wanted) { /* it was given up, and the peer may be gone */
    if (f->state == UVOW_PENDING)
      uvow__future_reject_code(f, UVOW_ECANCELED);
    uvow_future_unref(f);
    uvow__next_drop(&next);
    return;
  }
  if (next.kind == UVOW_NEXT_PASS)
    next = uvow_next_none();
  uvow__future_watch(f, &step->answered);
  uvow__future_next(f, &next, NULL);
}

void uvow__own_step_begin(uvow_peer_t *peer) {
  uvow__own_step_t *step =
      (uvow__own_step_t *)uvow__calloc(uvow__peer_mem(peer), sizeof(*step));
  uvow__within_t *first = step ? uvow__within_first(peer) : NULL;
  if (!first) {
    uvow__free(uvow__peer_mem(peer), step);
    uvow__opening_finish(peer->session.opening, uvow__error_nomem());
    return;
  }
  step->peer = peer;
  step->first = first;
  uvow__task_init(&step->ask, run_ask);
  uvow__task_init(&step->answered, run_answered);
  peer->kin.own_step = step;
  uvow__runtime_push(&peer->loop->rt, &step->ask);
}

void uvow__own_step_stop(uvow_peer_t *peer) {
  if (peer->kin.own_step)
    uvow__future_drop(release(peer));
}
