/*
 * Batches on their way out: what a turn leaves in the outbox, as arrays.
 *
 *   backlog -> collect -> one message: as it is
 *                      -> more: [a,b,c] -> sent, and each of them is
 *
 * 1. An array has messages in the order of the backlog, and never one that was
 *    given up: that was NOT_SENT, and that's true.
 * 2. What is past the protocol is in none; it leaves by itself, in its turn.
 * 3. Its size is bounded, but by a message that is longer alone.
 * 4. Ids of an array are one range, above all that was sent before: so it's known
 *    which requests an error about the whole array means. Where they aren't
 *    (what is sent again has older ones), it isn't known.
 */
#include "peer.h"

#include "wire/message.h"

#define ARRAY_BYTES ((size_t)1024 * 1024)
/* Ids of an array, with those between them that were given up. */
#define RANGE_MAX (4 * (uint64_t)UVOW__BATCH_MAX)

typedef struct array {
  uvow_peer_t *peer;
  uvow__buf_t *text;
  size_t entries; /* of the backlog, those that are nobody's too */
  size_t count;   /* messages */
  size_t requests;
  uint64_t first; /* ids */
  uint64_t last;
  int is_range;
} array_t;

static void note_id(array_t *array, uint64_t id) {
  if (array->requests++ == 0)
    array->first = id;
  else if (id < array->last)
    array->is_range = 0;
  array->last = id;
}

/* All or nothing. */
static int append(array_t *array, uvow__slice_t text) {
  size_t size = uvow__buf_size(array->text);
  int rc = uvow__buf_append(array->text, size ? "," : "[", 1);
  if (rc == 0)
    rc = uvow__buf_append(array->text, text.ptr, text.len);
  if (rc && array->text->data)
    array->text->len = array->text->off + size;
  return rc;
}

static int is_full(const array_t *array, const uvow__request_t *request,
                   uvow__slice_t text) {
  size_t size = uvow__buf_size(array->text);
  return array->count == array->peer->outbox->max_batch ||
         (array->count && text.len > ARRAY_BYTES - size) ||
         (request && uvow__outbox_at_cap(array->peer, array->requests));
}

/* One that waits. Returns 0: not in this array. */
static int take(array_t *array, uint64_t id, uvow__slice_t text) {
  uvow_peer_t *peer = array->peer;
  uvow__request_t *request =
      id ? uvow__dispatcher_find(&peer->dispatcher, id) : NULL;
  if (id & UVOW__NOTE_RAW || is_full(array, request, text))
    return 0;
  array->entries++;
  if (id && !request)
    return 1;
  int rc = request ? uvow__outbox_keep_text(peer, request, text) : 0;
  if (rc == 0)
    rc = append(array, text);
  if (rc && request)
    uvow__dispatcher_fail(request, rc);
  if (rc)
    return 1; /* it's nobody's now */
  array->count++;
  if (request)
    note_id(array, id);
  return 1;
}

static void collect(array_t *array) {
  uvow__slice_t text;
  uint64_t id;
  size_t at = 0;
  while (uvow__backlog_next(&array->peer->outbox->backlog, &at, &id, &text))
    if (!take(array, id, text))
      break;
}

/* Invariant 4. */
static void note_array(const array_t *array) {
  uvow__arrays_t *arrays = &array->peer->session.arrays;
  int is_known = array->is_range && array->first > arrays->sent_up_to &&
                 array->last - array->first < RANGE_MAX;
  arrays->first = is_known ? array->first : 0;
  arrays->last = array->last;
  if (array->last > arrays->sent_up_to)
    arrays->sent_up_to = array->last;
}

/* All of it is sent, or none, and never will be. */
static void settle(const array_t *array, int rc) {
  uvow_peer_t *peer = array->peer;
  uvow__outbox_t *outbox = peer->outbox;
  for (size_t i = 0; i < array->entries; i++) {
    uvow__slice_t text;
    uint64_t id = uvow__backlog_first(&outbox->backlog, &text);
    uvow__request_t *request =
        id ? uvow__dispatcher_find(&peer->dispatcher, id) : NULL;
    uvow__outbox_pop(outbox, id, request == NULL);
    if (rc && request)
      uvow__dispatcher_fail(request, rc);
    else if (request)
      uvow__peer_sent(peer, request);
  }
  if (rc == 0 && array->requests)
    note_array(array);
  else if (rc == 0 && array->count)
    uvow__session_told(&peer->session);
}

static int send_array(array_t *array) {
  uvow__slice_t text;
  int rc = array->count > 1 ? uvow__buf_append(array->text, "]", 1) : 0;
  if (rc)
    return rc;
  text.ptr = (const char *)uvow__buf_front(array->text);
  text.len = uvow__buf_size(array->text);
  if (array->count == 1) {
    text.ptr++;
    text.len--;
  }
  rc = uvow__outbox_hand(array->peer, UVOW__OP_TEXT, text);
  return rc == UVOW_ECLOSED && !array->peer->life.closing ? UVOW_ELOST : rc;
}

int uvow__batch_out_pump(uvow_peer_t *peer) {
  uvow__buf_t *scratch = &peer->loop->scratch;
  array_t array = {peer, scratch, 0, 0, 0, 0, 0, 1};
  uvow__slice_t text;
  if (uvow__backlog_first(&peer->outbox->backlog, &text) & UVOW__NOTE_RAW)
    return uvow__outbox_pump_one(peer);
  collect(&array);
  int rc = array.count ? send_array(&array) : 0;
  uvow__buf_clear(scratch, UVOW__READ_SIZE);
  if (array.entries == 0 || !uvow__outbox_is_over(peer, rc))
    return 0;
  settle(&array, rc);
  if (!peer->link)
    uvow__session_pace(&peer->session);
  return 1;
}
