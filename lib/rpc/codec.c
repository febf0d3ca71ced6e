/*
 * Protocols in code, on a loop: their memory, and their destructors.
 *
 * 1. A protocol's destroy, and free_state, run through the door, and once;
 *    nothing is touched behind them.
 * 2. A state holds its protocol: free_state is there as long as one is to be
 *    freed.
 */
#include "codec.h"

#include <uvow/protocol.h>

#include "future/fail.h"
#include "future/tell.h"
#include "net/loop.h"
#include "protocol/codec.h"

typedef struct coded {
  uvow__owner_t owner; /* first */
  uvow_protocol_t protocol;
  uvow_codec_t codec;
  uvow_loop_t *loop;
  uvow__task_t task; /* destroy */
} coded_t;

static void run_destroy(uvow__task_t *task) {
  coded_t *coded = UVOW__CONTAINER(task, coded_t, task);
  uvow_loop_t *loop = coded->loop;
  uvow_destroy_cb destroy = coded->codec.destroy;
  void *data = coded->codec.data;
  uvow_protocol_unref(coded->codec.base);
  uvow__free(uvow__loop_mem(loop), coded);
  uvow__loop_unpin(loop);
  if (destroy)
    destroy(data);
}

static void release(uvow__owner_t *owner) {
  coded_t *coded = (coded_t *)(void *)owner;
  if (coded->codec.destroy)
    uvow__tell(&coded->loop->rt, &coded->task);
  else
    run_destroy(&coded->task);
}

static coded_t *make(uvow_loop_t *loop, const uvow_codec_t *codec) {
  coded_t *coded = NULL;
  if (loop && !loop->rt.closed && uvow__codec_check(codec) == 0)
    coded = (coded_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*coded));
  if (!coded)
    return NULL;
  coded->codec = *codec;
  coded->loop = loop;
  loop->rt.pins++;
  uvow_protocol_t *base = uvow_protocol_ref(codec->base);
  (void)base;
  uvow__task_init(&coded->task, run_destroy);
  atomic_init(&coded->owner.refs, 1);
  coded->owner.release = release;
  uvow__codec_init(&coded->protocol, &coded->codec);
  coded->protocol.owner = &coded->owner;
  return coded;
}

uvow_protocol_t *uvow_protocol_new(uvow_loop_t *loop,
                                   const uvow_codec_t *codec) {
  uvow_codec_t own;
  codec = UVOW__OPTIONS(loop, codec, &own, uvow_codec_t);
  coded_t *coded = make(loop, codec);
  if (coded)
    return &coded->protocol;
  if (codec && codec->destroy)
    codec->destroy(codec->data);
  return NULL;
}

/* ---- the state of a connection ---- */

struct uvow__codec_state {
  uvow__task_t task; /* free_state */
  uvow_loop_t *loop;
  const uvow_protocol_t *protocol; /* kept */
  void *state;
};

static void run_free(uvow__task_t *task) {
  uvow__codec_state_t *own = UVOW__CONTAINER(task, uvow__codec_state_t, task);
  const uvow_protocol_t *protocol = own->protocol;
  void (*free_state)(void *state) = protocol->codec->free_state;
  uvow_loop_t *loop = own->loop;
  void *state = own->state;
  uvow__free(uvow__loop_mem(loop), own);
  if (free_state)
    free_state(state);
  uvow__protocol_drop(protocol);
  uvow__loop_unpin(loop);
}

int uvow__codec_begin(uvow_loop_t *loop, uvow__dialect_t *dialect,
                      uvow__codec_state_t **ret_state) {
  const uvow_codec_t *codec = dialect->protocol->codec;
  dialect->is_ready = 1;
  if (!codec)
    return 0;
  dialect->state = codec->data;
  dialect->is_ready = codec->make_state == NULL;
  if (!codec->make_state)
    return 0;
  uvow__codec_state_t *own =
      (uvow__codec_state_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*own));
  if (!own)
    return UVOW_ENOMEM;
  const char *before = uvow__ask(&loop->rt, "a codec's make_state");
  own->state = codec->make_state(codec->data);
  uvow__answered(&loop->rt, before);
  if (!own->state) {
    uvow__free(uvow__loop_mem(loop), own);
    return UVOW_ENOMEM;
  }
  uvow__task_init(&own->task, run_free);
  own->loop = loop;
  own->protocol = uvow__protocol_keep(dialect->protocol);
  loop->rt.pins++;
  dialect->state = own->state;
  dialect->is_ready = 1;
  *ret_state = own;
  return 0;
}

void uvow__codec_end(uvow__codec_state_t *state) {
  if (state)
    uvow__tell(&state->loop->rt, &state->task);
}
