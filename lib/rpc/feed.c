/*
 * Streams that share a connection with requests.
 *
 * 1. Each item is bytes of its own: who reads one slowly holds nothing of the
 *    connection's.
 * 2. What can't be kept is no gap: the stream fails, unless its policy is to
 *    drop.
 */
#include "feed.h"

#include "base/options.h"

#define FEED_ITEMS 1024

static const char *fault_of(const uvow_stream_options_t *given) {
  if (!given)
    return UVOW__OPTIONS_TEXT(uvow_stream_options_t);
  if (given->full == UVOW_FULL_WAIT)
    return "can't be UVOW_FULL_WAIT: answers would wait behind items";
  if ((unsigned)given->full > (unsigned)UVOW_FULL_FAIL)
    return "has no such uvow_full_t";
  return NULL;
}

uvow_error_t *uvow__feed_bounds(uvow__runtime_t *rt,
                                const uvow_stream_options_t *given,
                                uvow_stream_options_t *ret) {
  static const uvow_stream_options_t defaults = {sizeof(defaults), FEED_ITEMS,
                                                 0, UVOW_FULL_FAIL, 0};
  uvow_stream_options_t own;
  *ret = defaults;
  if (!given)
    return NULL;
  given =
      (const uvow_stream_options_t *)uvow__options(given, &own, sizeof(own));
  const char *fault = fault_of(given);
  if (fault)
    return uvow__invalid(rt, "the stream's options", fault);
  *ret = *given;
  if (ret->max_items == 0)
    ret->max_items = FEED_ITEMS;
  if (ret->full == UVOW_FULL_DEFAULT)
    ret->full = UVOW_FULL_FAIL;
  return NULL;
}

void uvow__feed_fail(uvow_stream_t *stream, uvow_error_t *error) {
  if (uvow__stream_ended(stream)) {
    uvow_error_unref(error);
    return;
  }
  uvow__stream_fail(stream, error);
  stream->ops->cancel(stream);
}

void uvow__feed_put(uvow_stream_t *stream, uvow__slice_t text,
                    uvow__slice_t name, int is_json) {
  uvow__payload_t *item = uvow__payload_item(&stream->rt->texts, text, name);
  int rc = UVOW_ENOMEM;
  if (item && is_json)
    item->seen |= UVOW__PAYLOAD_IS_JSON;
  if (item)
    rc = uvow__stream_put_value(stream,
                                uvow_value_ptr(&uvow__type_payload, item));
  if (rc == UVOW_ENOMEM)
    uvow__feed_fail(stream, uvow__error_nomem());
}

/* Who waited for one item only, lets go by the end: so the task is taken out of
 * the queue behind that, before the stream may be freed. */
void uvow__feed_end(uvow_stream_t *stream, const uvow_error_t *error,
                    uvow__task_t *let_go) {
  if (error)
    uvow__stream_fail(stream, uvow_error_ref(error));
  else
    uvow__stream_end(stream, uvow_value_none());
  uvow__task_cancel(let_go);
  uvow__stream_sink_gone(stream);
}
