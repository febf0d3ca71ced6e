/*
 * Registrations by number, and the invocations whose callers want progress.
 *
 * 1. What a registration's answer needs is taken when it's asked for: reading
 *    the answer takes no memory.
 * 2. At most ASKED_MAX questions are kept that nobody answered (a canceled one
 *    never is); the oldest goes.
 */
#include "wamp2_names.h"

#include <string.h>

#include <uvow/error.h>

#define ASKED_MAX 1024
#define PARTS_MAX 65536

static void remove_at(uvow__wamp2_names_t *names, const uvow__mem_t *mem,
                      size_t i) {
  uvow__free(mem, names->list[i].uri);
  memmove(&names->list[i], &names->list[i + 1],
          (names->count - i - 1) * sizeof(*names->list));
  names->count--;
}

/* Makes room for one more question. */
static void drop_oldest(uvow__wamp2_names_t *names, const uvow__mem_t *mem) {
  size_t asked = 0;
  size_t oldest = 0;
  for (size_t i = names->count; i > 0; i--)
    if (names->list[i - 1].request) {
      asked++;
      oldest = i - 1;
    }
  if (asked >= ASKED_MAX)
    remove_at(names, mem, oldest);
}

int uvow__wamp2_names_ask(uvow__wamp2_names_t *names, const uvow__mem_t *mem,
                          uint64_t request, uvow__slice_t uri) {
  size_t size;
  drop_oldest(names, mem);
  if (uvow__size_mul(names->count + 1, sizeof(*names->list), &size))
    return UVOW_ENOMEM;
  uvow__wamp2_name_t *list =
      (uvow__wamp2_name_t *)uvow__realloc(mem, names->list, size);
  if (!list)
    return UVOW_ENOMEM;
  names->list = list;
  char *copy = uvow__strndup(mem, uri.ptr, uri.len);
  if (!copy)
    return UVOW_ENOMEM;
  list[names->count++] = (uvow__wamp2_name_t){request, 0, copy, uri.len};
  return 0;
}

void uvow__wamp2_names_answer(uvow__wamp2_names_t *names,
                              const uvow__mem_t *mem, uint64_t request,
                              uint64_t registration) {
  for (size_t i = 0; request && i < names->count; i++) {
    if (names->list[i].request != request)
      continue;
    names->list[i].request = 0;
    names->list[i].registration = registration;
    if (!registration)
      remove_at(names, mem, i);
    return;
  }
}

uvow__slice_t uvow__wamp2_names_get(const uvow__wamp2_names_t *names,
                                    uint64_t registration) {
  for (size_t i = names->count; registration && i > 0; i--)
    if (names->list[i - 1].registration == registration)
      return (uvow__slice_t){names->list[i - 1].uri, names->list[i - 1].len};
  return (uvow__slice_t){NULL, 0};
}

int uvow__wamp2_parts_add(uvow__wamp2_names_t *names, const uvow__mem_t *mem,
                          uint64_t invocation) {
  size_t size;
  if (names->part_count == PARTS_MAX ||
      uvow__size_mul(names->part_count + 1, sizeof(*names->parts), &size))
    return UVOW_ENOMEM;
  uint64_t *parts = (uint64_t *)uvow__realloc(mem, names->parts, size);
  if (!parts)
    return UVOW_ENOMEM;
  names->parts = parts;
  parts[names->part_count++] = invocation;
  return 0;
}

int uvow__wamp2_parts_has(const uvow__wamp2_names_t *names,
                          uint64_t invocation) {
  for (size_t i = names->part_count; i > 0; i--)
    if (names->parts[i - 1] == invocation)
      return 1;
  return 0;
}

void uvow__wamp2_parts_remove(uvow__wamp2_names_t *names, uint64_t invocation) {
  for (size_t i = names->part_count; i > 0; i--)
    if (names->parts[i - 1] == invocation) {
      names->parts[i - 1] = names->parts[--names->part_count];
      return;
    }
}

void uvow__wamp2_names_reset(uvow__wamp2_names_t *names,
                             const uvow__mem_t *mem) {
  for (size_t i = names->count; i > 0; i--)
    if (names->list[i - 1].registration)
      remove_at(names, mem, i - 1);
  names->part_count = 0;
}

void uvow__wamp2_names_done(uvow__wamp2_names_t *names,
                            const uvow__mem_t *mem) {
  while (names->count)
    remove_at(names, mem, names->count - 1);
  uvow__free(mem, names->list);
  uvow__free(mem, names->parts);
  memset(names, 0, sizeof(*names));
}
