/*
 * Which subscription an event is for.
 *
 *   EVENT -> family -> its key -> by hash -> the subscriptions with this key
 *                                    |
 *                                    +-- none, and some wait for their answers:
 *                                        held
 *   answer -> key -> table; what is held for it is given to it, in order
 *   the last one that waits is answered -> what is left is stray
 *
 * 1. Finding one is O(1) in the number of subscriptions, and no peer can foresee
 *    the hash.
 * 2. What is held is bounded as the stream of the first that waits is. What
 *    doesn't fit pushes out the oldest, and all that wait then know.
 * 3. One that is being unsubscribed keeps its place until that is done: what
 *    comes for it meanwhile is nobody's stray.
 */
#include "family.h"

#include <string.h>

#include "feed.h"
#include "session.h"
#include "wire/json_check.h"
#include "wire/json_number.h"
#include "wire/json_pointer.h"
#include "wire/json_text.h"

/* An event that came before the answer of whom it may be for. */
typedef struct held {
  uvow__list_t link;
  uint64_t number;
  size_t len;
  size_t key_len;
  size_t value_at;
  size_t value_len;
  char bytes[]; /* key, then the message */
} held_t;

uvow__family_t *uvow__family_join(uvow__events_t *events,
                                  uvow__subscriptions_t *subs,
                                  uvow__slice_t text, const char *pointer) {
  const uvow__mem_t *mem = &events->rt->mem;
  uvow__event_name_t *name = uvow__events_name(events, text);
  if (!name)
    return NULL;
  for (uvow__list_t *at = name->families.next; at != &name->families;
       at = at->next) {
    uvow__family_t *family = UVOW__CONTAINER(at, uvow__family_t, link);
    if (family->has_key == (pointer != NULL) &&
        (!pointer || strcmp(family->pointer, pointer) == 0)) {
      uvow__events_unname(events, name);
      family->users++;
      return family;
    }
  }
  size_t len = pointer ? strlen(pointer) : 0;
  uvow__family_t *family =
      (uvow__family_t *)uvow__calloc(mem, sizeof(*family) + len + 1);
  if (!family) {
    uvow__events_unname(events, name);
    return NULL;
  }
  family->events = events;
  family->subs = subs;
  family->name = name;
  family->users = 1;
  family->has_key = pointer != NULL;
  if (len)
    memcpy(family->pointer, pointer, len);
  uvow__list_init(&family->waiting);
  uvow__list_init(&family->takers);
  uvow__list_init(&family->held);
  uvow__list_append(&name->families, &family->link);
  return family;
}

void uvow__family_leave(uvow__family_t *family) {
  if (--family->users)
    return;
  uvow__list_remove(&family->link);
  uvow__events_unname(family->events, family->name);
  uvow__free(&family->events->rt->mem, family);
}

/* ---- keys ---- */

/* Whether a number is written as it would be here. */
static int is_plain_number(uvow__slice_t raw) {
  for (size_t i = 0; i < raw.len; i++)
    if ((raw.ptr[i] < '0' || raw.ptr[i] > '9') && (i || raw.ptr[i] != '-'))
      return 0;
  return !uvow__slice_is(raw, "-0");
}

int uvow__key_of(uvow__slice_t raw, uvow__buf_t *buf, uvow__slice_t *ret_key) {
  uvow__slice_t plain;
  int64_t number;
  int rc = 0;
  *ret_key = raw;
  if (*raw.ptr == '"' && !uvow__json_plain(raw, &plain)) {
    uvow__buf_t text;
    uvow__buf_init(&text, buf->mem, SIZE_MAX);
    rc = uvow__json_unescape(&text, raw);
    plain = (uvow__slice_t){(const char *)text.data, uvow__buf_size(&text)};
    if (rc == 0)
      rc = uvow__json_escape(buf, plain);
    uvow__buf_done(&text);
  } else if (!is_plain_number(raw) && uvow__json_to_i64(raw, &number) == 0) {
    rc = uvow__buf_append_i64(buf, number);
  } else {
    return 0;
  }
  ret_key->ptr = (const char *)buf->data;
  ret_key->len = uvow__buf_size(buf);
  return rc;
}

static uint64_t hash_key(const uvow__family_t *family, uvow__slice_t key) {
  return uvow__hash_text(family->events->seed ^ (uintptr_t)family, key);
}

static int has_key(const uvow__sub_t *sub, const uvow__family_t *family,
                   uvow__slice_t key) {
  return sub->family == family && sub->key_len == key.len &&
         memcmp(sub->key, key.ptr, key.len) == 0;
}

/* The first one with this key, or the next one behind an entry; or NULL. */
static uvow__sub_t *with_key(const uvow__family_t *family, uvow__slice_t key,
                             uvow__entry_t *at) {
  for (; at; at = uvow__table_next(at)) {
    uvow__sub_t *sub = UVOW__CONTAINER(at, uvow__sub_t, entry);
    if (has_key(sub, family, key))
      return sub;
  }
  return NULL;
}

static uvow__slice_t key_in(const uvow__sub_t *sub) {
  return (uvow__slice_t){sub->key, sub->key_len};
}

int uvow__family_shares(const uvow__family_t *family, const uvow__sub_t *sub) {
  uvow__slice_t key = key_in(sub);
  uvow__sub_t *at = with_key(
      family, key, uvow__table_find(&family->subs->by_key, sub->entry.hash));
  while (at && (at == sub || at->let_go))
    at = with_key(family, key, uvow__table_next(&at->entry));
  return at != NULL;
}

/* ---- what comes ---- */

/* The item that a subscription makes of an event's value, which is JSON. */
static void give(uvow__sub_t *sub, uvow__slice_t value) {
  uvow__slice_t name = {sub->family->name->text, sub->family->name->len};
  uvow__slice_t item = value;
  if (sub->let_go)
    return;
  if (sub->item && value.ptr && uvow__json_find(value, sub->item, &item))
    item = (uvow__slice_t){NULL, 0};
  uvow__feed_put(&sub->out, item, name, item.ptr != NULL);
}

static int give_by_key(uvow__family_t *family, uvow__slice_t key,
                       uvow__slice_t value) {
  const uvow__table_t *table = &family->subs->by_key;
  uvow__sub_t *sub =
      with_key(family, key, uvow__table_find(table, hash_key(family, key)));
  int taken = sub != NULL;
  while (sub) {
    give(sub, value);
    sub = with_key(family, key, uvow__table_next(&sub->entry));
  }
  return taken;
}

static void free_held(uvow__family_t *family, held_t *held) {
  uvow__list_remove(&held->link);
  family->held_count--;
  family->held_bytes -= held->len;
  uvow__free(&family->events->rt->mem, held);
}

/* Nobody is left whom it may be for. */
static void stray_held(uvow__family_t *family) {
  while (!uvow__list_empty(&family->held)) {
    held_t *held = UVOW__CONTAINER(family->held.next, held_t, link);
    uvow__slice_t message = {held->bytes + held->key_len, held->len};
    uvow__session_stray(
        UVOW__CONTAINER(family->events, uvow__session_t, listeners),
        UVOW_STRAY_EVENT, message);
    free_held(family, held);
  }
}

/* Some of what is held for who waits is missing. */
static void overrun(uvow__family_t *family) {
  for (uvow__list_t *at = family->waiting.next; at != &family->waiting;
       at = at->next)
    UVOW__CONTAINER(at, uvow__sub_t, link)->overrun = 1;
}

static void push_out(uvow__family_t *family) {
  const uvow__sub_t *first =
      UVOW__CONTAINER(family->waiting.next, uvow__sub_t, link);
  const uvow_stream_options_t *bounds = &first->out.bounds;
  while (family->held_count > bounds->max_items ||
         (family->held_bytes > bounds->max_bytes && family->held_count > 1)) {
    overrun(family);
    free_held(family, UVOW__CONTAINER(family->held.next, held_t, link));
  }
}

/* A message of a codec's may have its value elsewhere: then that is held. */
static void hold(uvow__family_t *family, uvow__slice_t key,
                 uvow__slice_t message, uvow__slice_t value) {
  uintptr_t from = (uintptr_t)message.ptr;
  uintptr_t at = (uintptr_t)value.ptr;
  size_t size = sizeof(held_t);
  held_t *held = NULL;
  if (at < from || at - from > message.len ||
      value.len > message.len - (at - from)) {
    message = value;
    from = at;
  }
  if (uvow__size_add(size, key.len, &size) == 0 &&
      uvow__size_add(size, message.len, &size) == 0)
    held = (held_t *)uvow__malloc(&family->events->rt->mem, size);
  if (!held) {
    overrun(family);
    return;
  }
  held->number = family->next++;
  held->len = message.len;
  held->key_len = key.len;
  held->value_at = at - from;
  held->value_len = value.len;
  if (key.len)
    memcpy(held->bytes, key.ptr, key.len);
  if (message.len)
    memcpy(held->bytes + key.len, message.ptr, message.len);
  uvow__list_append(&family->held, &held->link);
  family->held_count++;
  family->held_bytes += message.len;
  push_out(family);
}

static int give_all(uvow__family_t *family, uvow__slice_t message,
                    uvow__slice_t value) {
  uvow__slice_t no_key = {NULL, 0};
  int taken = !uvow__list_empty(&family->takers);
  for (uvow__list_t *at = family->takers.next; at != &family->takers;
       at = at->next)
    give(UVOW__CONTAINER(at, uvow__sub_t, link), value);
  if (uvow__list_empty(&family->waiting))
    return taken;
  hold(family, no_key, message, value);
  return 1;
}

/* There is no memory to see whose an event is: it may be anyone's. */
static void lose_one(uvow__family_t *family) {
  uvow__list_t *all = &family->subs->all;
  overrun(family);
  for (uvow__list_t *at = all->next; at != all; at = at->next) {
    uvow__sub_t *sub = UVOW__CONTAINER(at, uvow__sub_t, member);
    if (sub->family != family || !sub->in_table)
      continue;
    if (sub->out.bounds.full == UVOW_FULL_FAIL)
      uvow__feed_fail(&sub->out, uvow__error_nomem());
    else
      uvow__stream_gap(&sub->out, UVOW_MISSED_UNKNOWN);
  }
}

int uvow__family_give(uvow__family_t *family, uvow__slice_t message,
                      uvow__slice_t value) {
  uvow__slice_t raw, key;
  uvow__buf_t buf;
  if (value.ptr && uvow__json_check(value))
    return 0;
  if (!family->has_key)
    return give_all(family, message, value);
  if (!value.ptr || uvow__json_find(value, family->pointer, &raw))
    return 0;
  uvow__buf_init(&buf, &family->events->rt->mem, SIZE_MAX);
  int rc = uvow__key_of(raw, &buf, &key);
  int taken = rc == 0 && give_by_key(family, key, value);
  if (rc == UVOW_ENOMEM) {
    lose_one(family);
  } else if (rc == 0 && !taken) {
    taken = !uvow__list_empty(&family->waiting);
    if (taken)
      hold(family, key, message, value);
  }
  uvow__buf_done(&buf);
  return taken;
}

/* ---- who waits ---- */

void uvow__family_wait(uvow__family_t *family, uvow__sub_t *sub) {
  sub->from = family->next;
  sub->overrun = 0;
  uvow__list_append(&family->waiting, &sub->link);
}

static int is_for(const held_t *held, const uvow__sub_t *sub) {
  return held->key_len == sub->key_len &&
         (held->key_len == 0 ||
          memcmp(held->bytes, sub->key, held->key_len) == 0);
}

/* Without a key it may be another's too. */
static void give_held(uvow__family_t *family, uvow__sub_t *sub) {
  uvow__list_t *next;
  for (uvow__list_t *at = family->held.next; at != &family->held; at = next) {
    held_t *held = UVOW__CONTAINER(at, held_t, link);
    uvow__slice_t value = {NULL, held->value_len};
    next = at->next;
    if (value.len)
      value.ptr = held->bytes + held->key_len + held->value_at;
    if (held->number < sub->from || (family->has_key && !is_for(held, sub)))
      continue;
    give(sub, value);
    if (family->has_key)
      free_held(family, held);
  }
}

/* The last that waited is answered, or gone. */
static void end_waiting(uvow__family_t *family) {
  if (!uvow__list_empty(&family->waiting))
    return;
  while (!uvow__list_empty(&family->takers) && !uvow__list_empty(&family->held))
    free_held(family, UVOW__CONTAINER(family->held.next, held_t, link));
  stray_held(family);
}

void uvow__family_admit(uvow__family_t *family, uvow__sub_t *sub) {
  uvow__list_remove(&sub->link);
  if (family->has_key)
    sub->in_table = uvow__table_add(&family->subs->by_key, &sub->entry,
                                    hash_key(family, key_in(sub))) == 0;
  else
    uvow__list_append(&family->takers, &sub->link);
  give_held(family, sub);
  end_waiting(family);
}

void uvow__family_drop(uvow__family_t *family, uvow__sub_t *sub) {
  uvow__list_remove(&sub->link);
  if (sub->in_table)
    uvow__table_remove(&family->subs->by_key, &sub->entry);
  sub->in_table = 0;
  end_waiting(family);
}
