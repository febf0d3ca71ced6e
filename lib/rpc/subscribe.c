/*
 * Subscriptions are made: what the application says is checked and copied, and
 * asked for.
 */
#include <string.h>

#include "base/options.h"
#include "base/text.h"
#include "family.h"
#include "feed.h"
#include "peer.h"
#include "within.h"
#include "wire/json_check.h"
#include "wire/json_pointer.h"

static const uvow_subscription_options_t no_options = {
    .size = sizeof(uvow_subscription_options_t)};

static const char *fault_of(const uvow_subscription_options_t *options) {
  if (!options)
    return UVOW__OPTIONS_TEXT(uvow_subscription_options_t);
  if (options->key && !options->event)
    return "has a key, but no event that it is in";
  if ((options->key && !uvow__json_is_pointer(options->key)) ||
      (options->answer_key && !uvow__json_is_pointer(options->answer_key)) ||
      (options->item && !uvow__json_is_pointer(options->item)))
    return "has what is no JSON Pointer";
  return NULL;
}

static const char *copy_text(char **at, uvow__slice_t text) {
  char *copy = *at;
  if (!text.ptr)
    return NULL;
  memcpy(copy, text.ptr, text.len);
  copy[text.len] = '\0';
  *at += text.len + 1;
  return copy;
}

/* The texts that are kept, in the order of uvow__sub_t. */
enum { TEXTS = 6 };

static size_t gather(const char *method, uvow__slice_t params,
                     const uvow_subscription_options_t *options,
                     uvow__slice_t texts[TEXTS]) {
  size_t size = 0;
  texts[0] = uvow__slice_of(method);
  texts[1] = params;
  texts[2] = uvow__slice_of(options->answer_key ? options->answer_key : "");
  texts[3] = uvow__slice_of(options->item);
  texts[4] = uvow__slice_of(options->unsubscribe);
  texts[5] = uvow__slice_of(
      options->unsubscribe_params ? options->unsubscribe_params : "[$key]");
  for (size_t i = 0; i < TEXTS; i++)
    size += texts[i].ptr ? texts[i].len + 1 : 0; /* of what is in memory */
  return size;
}

static uvow__sub_t *sub_new(uvow_peer_t *peer, const char *method,
                            uvow__slice_t params,
                            const uvow_subscription_options_t *options,
                            const uvow_stream_options_t *bounds) {
  uvow__slice_t texts[TEXTS];
  size_t size = gather(method, params, options, texts);
  uvow__sub_t *sub = (uvow__sub_t *)(void *)uvow__stream_new(
      &peer->loop->rt, sizeof(*sub) + size, &uvow__sub_ops, bounds);
  if (!sub)
    return NULL;
  char *at = (char *)(sub + 1);
  sub->method = copy_text(&at, texts[0]);
  sub->params = copy_text(&at, texts[1]);
  sub->answer_key = copy_text(&at, texts[2]);
  sub->item = copy_text(&at, texts[3]);
  sub->unsubscribe = copy_text(&at, texts[4]);
  sub->unsubscribe_params = copy_text(&at, texts[5]);
  sub->asks_key = options->answer_key != NULL;
  sub->renews = !options->no_renewal;
  uvow__sub_init(sub, peer);
  return sub;
}

/* Whether unsubscribe_params are JSON, with a key in it. */
static int params_can_be(const uvow__sub_t *sub) {
  uvow__buf_t text;
  uvow__buf_init(&text, &sub->out.rt->mem, SIZE_MAX);
  int rc = uvow__sub_write_params(sub, &text);
  if (rc == 0 &&
      uvow__json_check((uvow__slice_t){(const char *)uvow__buf_front(&text),
                                       uvow__buf_size(&text)}))
    rc = UVOW_EINVAL;
  uvow__buf_done(&text);
  return rc;
}

/* Params are text. */
static uvow_stream_t *subscribe(uvow_peer_t *peer, const char *method,
                                uvow__slice_t params,
                                const uvow_subscription_options_t *options) {
  uvow__runtime_t *rt = &peer->loop->rt;
  uvow_stream_options_t bounds;
  uvow_subscription_options_t own;
  options = (const uvow_subscription_options_t *)uvow__options(options, &own,
                                                               sizeof(own));
  const char *fault = method ? fault_of(options) : uvow__fail_null;
  if (peer->kin.within && uvow__peer_is_over(peer))
    return uvow__stream_failed(rt, UVOW_ECLOSED);
  if (uvow__within_is_first(peer))
    return uvow__stream_failed(rt, UVOW_EINVAL);
  uvow_error_t *error = NULL;
  if (fault)
    options = &no_options;
  error = uvow__feed_bounds(rt, options->stream, &bounds);
  if (fault && !error)
    error = uvow__invalid(rt, method ? "options" : "method", fault);
  uvow__sub_t *sub =
      sub_new(peer, method ? method : "", params, options, &bounds);
  if (!sub) {
    uvow_error_unref(error);
    return NULL;
  }
  if (error) {
    uvow__sub_fail(sub, error);
    return &sub->out;
  }
  int rc = params_can_be(sub);
  if (rc == UVOW_EINVAL)
    error = uvow__invalid(rt, "unsubscribe_params", "must be JSON with $key");
  if (rc == 0)
    rc = uvow__sub_begin(sub, options->event, options->key);
  if (rc)
    uvow__sub_fail(sub, error ? error : uvow__error_nomem());
  return &sub->out;
}

uvow_stream_t *uvow_peer_subscribe(uvow_peer_t *peer, const char *method,
                                   uvow_value_t params,
                                   const uvow_subscription_options_t *options) {
  uvow__slice_t text;
  uvow_stream_t *stream = NULL;
  if (!peer) {
    uvow_value_clear(&params);
    return NULL;
  }
  uvow_loop_t *loop = peer->loop;
  int rc = uvow__params_text(loop, &params, &text);
  if (rc)
    stream = uvow__stream_failed(&loop->rt, rc);
  else
    stream = subscribe(peer, method, text, options);
  uvow__params_done(loop, &params);
  return stream;
}

uvow_future_t *uvow_subscription_ready(uvow_stream_t *stream) {
  if (!stream)
    return NULL;
  uvow_loop_t *loop = uvow__runtime_loop(stream->rt);
  if (uvow__stream_ended(stream) && stream->end->state == UVOW_REJECTED)
    return uvow_future_rejected(loop, uvow_error_ref(stream->end->u.error));
  if (stream->ops != &uvow__sub_ops)
    return uvow_future_rejected(
        loop, uvow__invalid(stream->rt, "stream",
                            "must be one of uvow_peer_subscribe"));
  uvow__sub_t *sub = (uvow__sub_t *)(void *)stream;
  uvow_future_t *f = uvow__gate_wait(&sub->ready);
  if (uvow__stream_ended(stream))
    uvow__sub_unready(sub);
  else if (sub->is_ready)
    uvow__gate_pass(&sub->ready);
  return f;
}
