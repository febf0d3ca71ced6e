#ifndef UVOW__ENVELOPE_H
#define UVOW__ENVELOPE_H

#include "base/buf.h"
#include "json_skip.h"

/*
 * The values at a few fixed places of a JSON text, in one pass, without
 * memory. The places are a static tree of levels:
 *
 *   enum { ID = UVOW__CAPTURE_FIRST, ERROR, CODE, COUNT };
 *   static const uvow__key_t error_keys[] = {UVOW__KEY("code", CODE, NULL)};
 *   static const uvow__level_t error = UVOW__OBJECT(error_keys);
 *   static const uvow__key_t keys[] = {UVOW__KEY("id", ID, NULL),
 *                                      UVOW__KEY("error", ERROR, &error)};
 *   static const uvow__level_t root = UVOW__OBJECT(keys);
 */

/* Bits, so that sets of kinds are numbers. */
typedef enum uvow__json_kind {
  UVOW__JSON_ABSENT = 1,
  UVOW__JSON_NULL = 2,
  UVOW__JSON_TRUE = 4,
  UVOW__JSON_FALSE = 8,
  UVOW__JSON_NUMBER = 16,
  UVOW__JSON_STRING = 32,
  UVOW__JSON_ARRAY = 64,
  UVOW__JSON_OBJECT = 128
} uvow__json_kind_t;

#define UVOW__CAPTURES_MAX 64
/* Never there: what has no place. */
#define UVOW__CAPTURE_NONE 0
/* The whole text, without the space around it. */
#define UVOW__CAPTURE_ALL 1
#define UVOW__CAPTURE_FIRST 2

/* What is wrong with a text. */
typedef enum uvow__fault {
  UVOW__FAULT_NONE,
  UVOW__FAULT_SYNTAX, /* no JSON, as far as was looked; or it ends too early */
  UVOW__FAULT_DEEP,   /* nested deeper than UVOW__JSON_DEPTH */
  UVOW__FAULT_TWICE,  /* a member that is looked for is there twice */
  UVOW__FAULT_ROOT,   /* JSON, but not the kind that an envelope is */
  UVOW__FAULT_SHAPE,  /* an envelope that says nothing, or too much */
  UVOW__FAULT_NUL     /* a name with a NUL character */
} uvow__fault_t;

/* What was found. Look at it through the two functions below. */
typedef struct uvow__captures {
  const char *broken; /* where the innermost value is that failed, or NULL */
  const char *twice;  /* the same, of a member that was there before */
  uint64_t kinds[UVOW__CAPTURES_MAX / 8];  /* a byte each, the first lowest */
  uvow__slice_t texts[UVOW__CAPTURES_MAX]; /* undefined where absent */
} uvow__captures_t;

static inline uvow__json_kind_t
uvow__capture_kind(const uvow__captures_t *found, size_t capture) {
  return (uvow__json_kind_t)(found->kinds[capture / 8] >> capture % 8 * 8 &
                             0xFF);
}

/* The raw text, a string's with its quotes; NULL where absent. */
static inline uvow__slice_t uvow__capture_text(const uvow__captures_t *found,
                                               size_t capture) {
  uvow__slice_t none = {NULL, 0};
  return uvow__capture_kind(found, capture) == UVOW__JSON_ABSENT
             ? none
             : found->texts[capture];
}

typedef struct uvow__level uvow__level_t;

#define UVOW__KEY_SHORT 15
#define UVOW__KEY_MAX 255

/* A member or an element. Names need no escape in JSON. */
typedef struct uvow__key {
  char text[16];              /* the name and a quote, as much as fits */
  uint8_t len;                /* of the name: at most UVOW__KEY_MAX */
  uint8_t shift;              /* see find_key */
  uint8_t capture;            /* each one at most once in a tree */
  const uvow__level_t *below; /* or NULL: its content is a payload */
  const char *whole;          /* name and quote, over UVOW__KEY_SHORT; NULL */
} uvow__key_t;

static inline const char *uvow__key_name(const uvow__key_t *key) {
  return key->whole ? key->whole : key->text;
}

/* What to look for in an object (keys), or in an array (items: the first
 * elements, in order). */
struct uvow__level {
  const uvow__key_t *keys;
  const uvow__key_t *items;
  uint8_t key_count;
  uint8_t item_count;
  /* Of the root: how many groups of 8 captures the tree has; 0: up to 2. */
  uint8_t groups;
};

#define UVOW__KEY(name, capture, below)                                        \
  {                                                                            \
    name "\"", sizeof(name) - 1,                                               \
        sizeof(name) < 8 ? (64 - 8 * sizeof(name)) & 63 : 0, (capture),        \
        (below), NULL                                                          \
  }
#define UVOW__ITEM(capture, below)                                             \
  { "", 0, 0, (capture), (below), NULL }
#define UVOW__OBJECT(keys)                                                     \
  { (keys), NULL, sizeof(keys) / sizeof(*(keys)), 0, 0 }
#define UVOW__ARRAY(items)                                                     \
  { NULL, (items), 0, sizeof(items) / sizeof(*(items)), 0 }

/*
 * Scans one JSON text of len bytes (UTF-8, borrowed). A byte order mark before
 * it is passed over. On failure, *ret has what was found up to there, values
 * that failed among it: their kind is right, their text is empty.
 *
 * What the tree describes is checked in full, and must be all there is: the
 * root is an object if the tree has keys, an array if it has items. Containers
 * that the tree doesn't describe must have matching brackets and terminated
 * strings, no more: whoever parses them checks the rest. Returns 0, or
 * UVOW_EENVELOPE: malformed, too deep, or a captured key twice.
 */
int uvow__envelope_scan(const uvow__level_t *root, const char *text, size_t len,
                        uvow__captures_t *ret);

/* Why the scan failed, and where, in bytes from the start. Slow. */
uvow__fault_t uvow__envelope_fault(const uvow__level_t *root, const char *text,
                                   size_t len, const uvow__captures_t *found,
                                   size_t *ret_at);

/* Whether a number, string ... is whole: something that may follow a value
 * does. What was found before a scan failed needn't be. */
int uvow__envelope_is_whole(uvow__slice_t value, const char *end);

/* What a value that begins with this character is; 0: there's none. */
uvow__json_kind_t uvow__envelope_kind(char first);

/*
 * The JSON value that begins at p, without space before it, skipped as a
 * payload: returns what's behind it and writes its kind; NULL: there's none.
 */
const char *uvow__envelope_skip(const char *p, const char *end,
                                uvow__json_kind_t *ret_kind);

/*
 * Checks that a text is one JSON value, as a payload is checked, so that
 * nothing of it can end up outside of it. Writes its kind, and the text
 * without space around it. Returns 0 or UVOW_EENVELOPE.
 */
int uvow__envelope_value(uvow__slice_t text, uvow__json_kind_t *ret_kind,
                         uvow__slice_t *ret_text);

#endif
