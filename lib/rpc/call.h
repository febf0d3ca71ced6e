#ifndef UVOW__CALL_H
#define UVOW__CALL_H

#include "base/table.h"
#include "methods.h"
#include "payload.h"
#include "session_vars.h"
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
  uvow_future_t *source;     /* what the method returned, or NULL */
  uvow_stream_t *stream;     /* the same, read by the task; or NULL */
  uvow__entry_t entry;       /* in the callee's index, if that has any */
  struct uvow__batch *batch; /* where its answer goes, or NULL */
  size_t bytes;              /* that it holds */
  size_t refs;               /* its callee's, and of values of its params */
  int replied;               /* its stream's items follow the answer */
  int quiet;                 /* it was canceled, and isn't answered */
  char *outside;             /* where name and id are, if they don't fit here */
  const char *name;          /* NUL-terminated */
  size_t name_len;
  uvow__slice_t id;           /* raw; NULL: a notification */
  uvow__session_vars_t *vars; /* of a session with names; or NULL */
  char *session;              /* NULL: none; memory of its own */
  uvow__slice_t token; /* in params: what its items are sent with; or NULL */
  uvow__payload_t params;
  char name_room[UVOW__CALL_NAME];
  char id_room[UVOW__CALL_ID];
  char traceparent[UVOW__TRACEPARENT_LEN + 1]; /* "": none */
};

/* A call that holds what the message says; whole as of uvow__payload_take, or
 * NULL. Errors: UVOW_ENOMEM; UVOW_EINVAL: a name with U+0000. */
int uvow__call_new(uvow_methods_t *methods, const uvow__msg_t *msg,
                   uvow__buf_t *whole, uvow_call_t **ret_call);
/* What the message says of its session, where that has names. UVOW_ENOMEM. */
int uvow__call_keep_vars(uvow_call_t *call, const uvow_protocol_t *protocol,
                         const uvow__msg_t *msg);
/* An answer, or another message about the call, is in its session. */
void uvow__call_set_session(const uvow_call_t *call, uvow__op_t *op);
/* Gives up the callee's reference; the last one frees what it holds, and
 * itself. It is in no list. */
void uvow__call_free(uvow_call_t *call);

#endif
