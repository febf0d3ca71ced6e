/*
 * Numbers on a schedule, as a stream or as events.
 *
 *   step -> put -> (room ->) delay -> step ... -> end
 *
 * A feed belongs to its step, which ends it when all is put, when nobody reads
 * any more, and when the loop closes.
 */
#include "feed.h"

#include <stdlib.h>
#include <string.h>

typedef struct feed {
  uvow_loop_t *loop;
  uvow_sink_t *sink; /* of a stream; or NULL */
  uvow_peer_t *peer; /* of events; or NULL */
  int64_t number;    /* the last one put */
  int64_t items;
  uint64_t ms;
  char name[]; /* of events */
} feed_t;

static feed_t *feed_new(uvow_loop_t *loop, const char *name, int64_t items,
                        uint64_t ms) {
  feed_t *feed = (feed_t *)calloc(1, sizeof(*feed) + strlen(name) + 1);
  if (!feed)
    return NULL;
  memcpy(feed->name, name, strlen(name) + 1);
  feed->loop = loop;
  feed->items = items;
  feed->ms = ms;
  return feed;
}

static void feed_end(feed_t *feed, int in_order) {
  if (in_order)
    uvow_sink_end(feed->sink);
  else
    uvow_sink_drop(feed->sink);
  uvow_peer_unref(feed->peer);
  free(feed);
}

/* 0 or 1; negative: nobody reads. */
static int put(feed_t *feed) {
  int64_t number = ++feed->number;
  return feed->sink
             ? uvow_sink_push(feed->sink,
                              uvow_value_jsonf(feed->loop, "[I]", number))
             : uvow_peer_notifyf(feed->peer, feed->name, "[I]", number);
}

static uvow_next_t wait_ms(const uvow_result_t *result, void *data) {
  feed_t *feed = (feed_t *)data;
  (void)result;
  return uvow_next_future(uvow_future_delay(feed->loop, feed->ms));
}

static void step(const uvow_result_t *result, void *data) {
  feed_t *feed = (feed_t *)data;
  int done = feed->number == feed->items;
  if (result->error || done || put(feed) < 0) {
    feed_end(feed, done);
    return;
  }
  uvow_future_t *room =
      feed->sink ? uvow_sink_room(feed->sink) : uvow_peer_room(feed->peer);
  if (uvow_future_done(uvow_future_then(room, wait_ms, feed), step, feed))
    feed_end(feed, 0);
}

static int start(feed_t *feed) {
  int rc = uvow_future_done(
      uvow_future_fulfilled(feed->loop, uvow_value_none()), step, feed);
  if (rc)
    feed_end(feed, 0);
  return rc;
}

uvow_stream_t *feed_stream(uvow_loop_t *loop, int64_t items, uint64_t ms) {
  feed_t *feed = feed_new(loop, "", items, ms);
  if (!feed)
    return NULL;
  uvow_stream_t *stream = uvow_stream_new(loop, NULL, &feed->sink);
  if (stream)
    (void)start(feed);
  else
    feed_end(feed, 0);
  return stream;
}

int feed_events(uvow_loop_t *loop, uvow_peer_t *peer, const char *name,
                int64_t items, uint64_t ms) {
  feed_t *feed = feed_new(loop, name, items, ms);
  if (!feed)
    return UVOW_ENOMEM;
  feed->peer = uvow_peer_ref(peer);
  return start(feed);
}
