#ifndef UVOW__PROTOCOL_PARSE_H
#define UVOW__PROTOCOL_PARSE_H

#include <jansson.h>

#include "opening.h"

/* How a description becomes a protocol: what the parse*.c files share. */

#define UVOW__PARSE_DEEP 16 /* of pointers, and of templates */

/* What a parsed protocol lives in. Its memory is taken block by block, and
 * given back all at once. */
typedef struct uvow__description {
  uvow__owner_t owner;
  uvow_protocol_t protocol;
  uvow__mem_t mem;
  struct uvow__block *blocks;
} uvow__description_t;

/* A place that some rule looks at, in a tree as levels are. */
typedef struct uvow__place {
  struct uvow__place *next; /* beside it */
  struct uvow__place *below;
  const char *name; /* NULL: an element */
  unsigned index;
  uint8_t capture;
  uint8_t compared; /* some test looks at more than its kind */
} uvow__place_t;

/* Where in the description we are: a name, or an index. */
typedef struct uvow__at {
  const char *name;
  size_t index;
} uvow__at_t;

typedef struct uvow__parser {
  uvow__description_t *description;
  const char *text;
  size_t len;
  uvow__place_t root; /* its capture is that of the whole text */
  unsigned captures;  /* taken so far */
  uvow__at_t path[3 * UVOW__PARSE_DEEP];
  size_t deep;
  int rc;        /* of the first failure; nothing else counts then */
  char why[400]; /* of UVOW_EPROTOCOL */
} uvow__parser_t;

/* parse.c. Zeroed memory that lives as long as the protocol, or NULL: failed.
 */
void *uvow__parse_take(uvow__parser_t *p, size_t size);
const char *uvow__parse_copy(uvow__parser_t *p, const char *text, size_t len);
/* Fails at the place where we are, if nothing failed before. Returns -1. */
int uvow__parse_fail(uvow__parser_t *p, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
/* Goes into a member, or an element (name NULL); and back. */
void uvow__parse_enter(uvow__parser_t *p, const char *name, size_t index);
void uvow__parse_leave(uvow__parser_t *p);
/* A member of text, or NULL: failed (`needed`), or not there. */
const char *uvow__parse_text(uvow__parser_t *p, json_t *object,
                             const char *name, int needed);
/* Fails if an object has a member that isn't in the list, which NULL ends. */
int uvow__parse_known(uvow__parser_t *p, json_t *object,
                      const char *const *names);

/* parse_places.c. The place of a JSON Pointer, made if it's new, or NULL. */
uvow__place_t *uvow__parse_place(uvow__parser_t *p, const char *pointer);
uvow__place_t *uvow__parse_below(uvow__parser_t *p, uvow__place_t *place,
                                 const char *name, unsigned index);
/* Gives it a capture. Returns the capture, or 0: failed. */
uint8_t uvow__parse_capture(uvow__parser_t *p, uvow__place_t *place);
/* The levels of all places, or NULL: failed. */
const uvow__level_t *uvow__parse_levels(uvow__parser_t *p);
uint8_t uvow__parse_groups(const uvow__parser_t *p);

/* parse_rules.c. Each returns 0, or -1: failed. */
int uvow__parse_rule(uvow__parser_t *p, json_t *json, uvow__rule_t *ret);
int uvow__parse_tests(uvow__parser_t *p, json_t *json, uvow__rule_t *ret);
int uvow__parse_reachable(uvow__parser_t *p, const uvow__rule_t *rules,
                          size_t count);
const char *uvow__parse_kind_name(unsigned kind);

/* parse_template.c. What a template is for. */
typedef enum uvow__parse_use {
  UVOW__FOR_OPERATION,
  UVOW__FOR_ERROR, /* a reply to a message that may have had no id */
  UVOW__FOR_CONTROL,
  UVOW__FOR_OPENING /* all variables must be set */
} uvow__parse_use_t;
int uvow__parse_template(uvow__parser_t *p, json_t *json, uvow__parse_use_t use,
                         uint8_t params, uvow__template_t *ret);

/* parse_opening.c. Each returns 0, or -1: failed. */
int uvow__parse_open(uvow__parser_t *p, json_t *json);
int uvow__parse_closes(uvow__parser_t *p, json_t *json);
int uvow__parse_heartbeat(uvow__parser_t *p, json_t *json);

/* parse_base.c: the rules of a built-in one, behind `own` others. */
int uvow__parse_base(uvow__parser_t *p, const uvow_protocol_t *base,
                     uvow__rule_t *ret_rules, json_t *liberal);

/* parse_reads.c: which templates messages can be read with. */
void uvow__parse_reads(uvow__parser_t *p);

/* parse.c, with an allocator. */
uvow_protocol_t *uvow__protocol_parse(const uvow__mem_t *mem,
                                      const char *description, size_t len,
                                      uvow_error_t **ret_error);

#endif
