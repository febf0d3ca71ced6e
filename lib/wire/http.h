#ifndef UVOW__HTTP_H
#define UVOW__HTTP_H

#include "base/buf.h"

#define UVOW__HTTP_MAX_HEAD 65536 /* bytes; what uvow gives as max_head */
#define UVOW__HTTP_MAX_FIELDS 100
#define UVOW__HTTP_MAX_EMPTY 4 /* lines before a request's */
#define UVOW__HTTP_MORE 1      /* of feed: not complete yet */

typedef enum uvow__http_role {
  UVOW__HTTP_REQUEST, /* to read a request: a server's side */
  UVOW__HTTP_RESPONSE,
  UVOW__HTTP_TUNNEL /* the response to a CONNECT: may be of HTTP/1.0 */
} uvow__http_role_t;

/* A piece of the head: offsets, as the head moves while it grows. */
typedef struct uvow__http_span {
  size_t off;
  size_t len;
} uvow__http_span_t;

typedef struct uvow__http_field {
  uvow__http_span_t name;
  uvow__http_span_t value;
} uvow__http_field_t;

/* The head of a request or a response, being read or complete. */
typedef struct uvow__http {
  uvow__http_role_t role;
  int state;
  int error;        /* what feed failed with; it stays */
  int status;       /* of a response */
  unsigned empty;   /* lines before it */
  uvow__buf_t head; /* every byte that was used */
  size_t at;        /* how many those are, while feed runs */
  size_t mark;      /* where the piece being read begins */
  size_t value_end; /* behind its last byte that is no whitespace */
  uvow__http_span_t method;
  uvow__http_span_t target;
  uvow__http_span_t reason;
  uvow__http_span_t name; /* of the field being read */
  uvow__http_field_t *fields;
  size_t field_count;
  size_t field_cap;
} uvow__http_t;

/* A place in the lists of all fields of one name. Begins as all zero. */
typedef struct uvow__http_list {
  size_t field;
  size_t off;
} uvow__http_list_t;

/* Takes no memory before the first byte. */
void uvow__http_init(uvow__http_t *http, const uvow__mem_t *mem,
                     uvow__http_role_t role, size_t max_head);
void uvow__http_done(uvow__http_t *http);
/* Begins a new head, as behind an interim response (RFC 9110 15.2). */
void uvow__http_reset(uvow__http_t *http);

/*
 * Reads on. Borrows bytes.
 *
 * Returns 0: the head is complete, the bytes from *ret_used on are none of it;
 * UVOW__HTTP_MORE: all were used. Errors (for good, *ret_used untouched):
 * UVOW_EHTTP: not HTTP/1.1; UVOW_ETOOBIG: over max_head bytes or
 * UVOW__HTTP_MAX_FIELDS fields; UVOW_ENOMEM.
 */
int uvow__http_feed(uvow__http_t *http, const void *bytes, size_t len,
                    size_t *ret_used);

/* What is too much of it, in words: static text; NULL unless feed has failed
 * with UVOW_ETOOBIG. */
const char *uvow__http_why(const uvow__http_t *http);

/*
 * What was read. Slices are borrowed, valid until reset or done; before the
 * head is complete all is empty. Names compare without case.
 */
uvow__slice_t uvow__http_method(const uvow__http_t *http);
uvow__slice_t uvow__http_target(const uvow__http_t *http);
uvow__slice_t uvow__http_reason(const uvow__http_t *http);
int uvow__http_status(const uvow__http_t *http);
size_t uvow__http_count(const uvow__http_t *http);
/* The index-th field; index is below the count. */
void uvow__http_field(const uvow__http_t *http, size_t index,
                      uvow__slice_t *ret_name, uvow__slice_t *ret_value);
/* How many fields have this name. Writes the value if it is one (ret_value may
 * be NULL). */
size_t uvow__http_header(const uvow__http_t *http, const char *name,
                         uvow__slice_t *ret_value);
/* The next member of the comma-separated lists (RFC 9110 5.6.1) in all fields
 * of this name; empty members are skipped. Knows no quoted strings. Returns 1,
 * or 0: there is none. */
int uvow__http_list_next(const uvow__http_t *http, const char *name,
                         uvow__http_list_t *list, uvow__slice_t *ret_member);
/* Whether such a member is this token, without case. */
int uvow__http_has_token(const uvow__http_t *http, const char *name,
                         const char *token);

/* RFC 9110 5.6.2. The empty text is none. */
int uvow__http_is_token(uvow__slice_t text);
/* RFC 9110 5.5: no control bytes but the tab. The empty text is one. */
int uvow__http_is_value(uvow__slice_t text);

#endif
