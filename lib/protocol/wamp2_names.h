#ifndef UVOW__WAMP2_NAMES_H
#define UVOW__WAMP2_NAMES_H

#include "base/buf.h"

/* What a WAMP connection's numbers stand for. All zero: none. */

typedef struct uvow__wamp2_name {
  uint64_t request;      /* REGISTER's; 0: it was answered */
  uint64_t registration; /* 0: not yet known */
  char *uri;             /* JSON text */
  size_t len;
} uvow__wamp2_name_t;

typedef struct uvow__wamp2_names {
  uvow__wamp2_name_t *list;
  size_t count;
  uint64_t *parts; /* invocations whose callers want progress */
  size_t part_count;
} uvow__wamp2_names_t;

/* A REGISTER is written: copies the URI. 0 or UVOW_ENOMEM. */
int uvow__wamp2_names_ask(uvow__wamp2_names_t *names, const uvow__mem_t *mem,
                          uint64_t request, uvow__slice_t uri);
/* It was answered: with a registration, or 0: refused. */
void uvow__wamp2_names_answer(uvow__wamp2_names_t *names,
                              const uvow__mem_t *mem, uint64_t request,
                              uint64_t registration);
/* The URI, or NULL. Borrowed until the next change. */
uvow__slice_t uvow__wamp2_names_get(const uvow__wamp2_names_t *names,
                                    uint64_t registration);

/* 0 or UVOW_ENOMEM. */
int uvow__wamp2_parts_add(uvow__wamp2_names_t *names, const uvow__mem_t *mem,
                          uint64_t invocation);
int uvow__wamp2_parts_has(const uvow__wamp2_names_t *names,
                          uint64_t invocation);
void uvow__wamp2_parts_remove(uvow__wamp2_names_t *names, uint64_t invocation);

/* The connection has ended: what was asked may be asked again, the rest is
 * over. */
void uvow__wamp2_names_reset(uvow__wamp2_names_t *names,
                             const uvow__mem_t *mem);
void uvow__wamp2_names_done(uvow__wamp2_names_t *names, const uvow__mem_t *mem);

#endif
