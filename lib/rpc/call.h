#ifndef UVOW__CALL_H
#define UVOW__CALL_H

#include "methods.h"
#include "payload.h"
#include "protocol/protocol.h"
#include "wire/traceparent.h"

#define UVOW__CALL_NAME 64 /* bytes of a method's name that are kept within */
#define UVOW__CALL_ID 32

/* A call, from its message to its answer. */
struct uvow_call {
  uvow__list_t link;           /* of its callee's calls */
  uvow__task_t task;           /* its next step */
  struct uvow__callee *callee; /* NULL: the peer went meanwhile */
  uvow_methods_t *methods;     /* kept */
  uvow_loop_t *loop;
  uvow_future_t *source;  /* what the method returned, or NULL */
  struct uvow_call *next; /* in its place of the callee's index */
  size_t bytes;           /* that it holds */
  uint32_t hash;          /* of id */
  int running;
  char *outside;    /* where name and id are, if they don't fit here */
  const char *name; /* NUL-terminated */
  size_t name_len;
  uvow__slice_t id; /* raw; NULL: a notification */
  uvow_payload_t params;
  char name_room[UVOW__CALL_NAME];
  char id_room[UVOW__CALL_ID];
  char traceparent[UVOW__TRACEPARENT_LEN + 1]; /* "": none */
};

/* A call that holds what the message says; whole as of uvow__payload_take, or
 * NULL. Errors: UVOW_ENOMEM; UVOW_EINVAL: a name with U+0000. */
int uvow__call_new(uvow_methods_t *methods, const uvow__msg_t *msg,
                   uvow__buf_t *whole, uvow_call_t **ret_call);
/* Frees what it holds, and itself. It is in no list. */
void uvow__call_free(uvow_call_t *call);

#endif
