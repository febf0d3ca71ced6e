/*
 * Templates of a description: JSON becomes literal text and pieces.
 *
 * 1. Members that may be left out come last in their object, each with the
 *    comma before it, so that nothing else depends on them. In an object that
 *    has no others, but several of them, the first is written as null instead.
 * 2. An element that isn't the last can't be left out: it is null.
 * 3. Literal text is split where it's longer than a piece holds.
 */
#include "parse.h"

#include <assert.h>
#include <string.h>

#include <uvow/error.h>

#include "wire/json.h"
#include "wire/json_text.h"

#define PIECES_MAX 64

typedef struct builder {
  uvow__parser_t *p;
  uvow__parse_use_t use;
  uint8_t params; /* kinds that params may be of */
  size_t deep;
  size_t count;
  uvow__piece_t pieces[PIECES_MAX];
  uvow__buf_t text; /* literal, not in a piece yet */
} builder_t;

static const struct {
  const char *name;
  uint8_t kind;
  uint8_t absent;
  uint8_t kinds;
} variables[] = {
    {"id", UVOW__PUT_ID, UVOW__ABSENT_FAILS,
     UVOW__KIND(NUMBER) | UVOW__KIND(STRING)},
    {"method", UVOW__PUT_METHOD, UVOW__ABSENT_FAILS, 0},
    {"params", UVOW__PUT_PARAMS, UVOW__ABSENT_OMITS, 0},
    {"args", UVOW__PUT_ARGS, UVOW__ABSENT_NULL, UVOW__KINDS_ANY},
    {"kwargs", UVOW__PUT_KWARGS, UVOW__ABSENT_OMITS, UVOW__KINDS_ANY},
    {"object", UVOW__PUT_OBJECT, UVOW__ABSENT_NULL, UVOW__KINDS_ANY},
    {"value", UVOW__PUT_PARAMS, UVOW__ABSENT_NULL, UVOW__KINDS_ANY},
    {"traceparent", UVOW__PUT_TRACEPARENT, UVOW__ABSENT_OMITS, 0},
    {"code", UVOW__PUT_ERROR_CODE, UVOW__ABSENT_FAILS, 0},
    {"message", UVOW__PUT_ERROR_MESSAGE, UVOW__ABSENT_FAILS, 0},
    {"data", UVOW__PUT_ERROR_DATA, UVOW__ABSENT_OMITS, UVOW__KINDS_ANY},
    {"data_or_message", UVOW__PUT_ERROR_DATA_OR_MESSAGE, UVOW__ABSENT_NULL,
     UVOW__KINDS_ANY},
};

/* What was put was UTF-8: jansson gave it. So what fails is memory. */
static int check_put(builder_t *b, int rc) {
  if (rc == 0)
    return 0;
  b->p->rc = UVOW_ENOMEM;
  return -1;
}

static int put(builder_t *b, const char *text, size_t len) {
  return check_put(b, uvow__buf_append(&b->text, text, len));
}

static int put_escaped(builder_t *b, const char *text, size_t len) {
  return check_put(b, uvow__json_escape(&b->text, (uvow__slice_t){text, len}));
}

static uvow__piece_t *next_piece(builder_t *b) {
  static const uvow__piece_t text_piece = {
      UVOW__PUT_TEXT, UVOW__ABSENT_FAILS, 0, 0, "", NULL, 0, NULL};
  if (b->count == PIECES_MAX) {
    uvow__parse_fail(b->p, "a message of more than %d pieces", PIECES_MAX);
    return NULL;
  }
  b->pieces[b->count] = text_piece;
  return &b->pieces[b->count++];
}

/* Moves up to as much text as a piece holds into it; there is some. */
static void fill_text(builder_t *b, uvow__piece_t *piece) {
  size_t len = uvow__buf_size(&b->text);
  if (len > sizeof(piece->text))
    len = sizeof(piece->text);
  assert(len);
  memcpy(piece->text, uvow__buf_front(&b->text), len);
  piece->len = (uint8_t)len;
  uvow__buf_consume(&b->text, len);
}

/* Text goes into pieces of its own, until at most `left` bytes are left. */
static int flush(builder_t *b, size_t left) {
  while (uvow__buf_size(&b->text) > left) {
    uvow__piece_t *piece = next_piece(b);
    if (!piece)
      return -1;
    fill_text(b, piece);
  }
  return 0;
}

/* A variable of the application's. */
static void fill_var(builder_t *b, const char *name, uvow__piece_t *ret) {
  size_t len = strlen(name);
  int is_optional = name[len - 1] == '?';
  int is_needed = name[len - 1] == '!';
  ret->kind = UVOW__PUT_VAR;
  ret->absent = is_needed || (b->use == UVOW__FOR_OPENING && !is_optional)
                    ? UVOW__ABSENT_FAILS
                    : UVOW__ABSENT_OMITS;
  ret->kinds = UVOW__KINDS_ANY;
  ret->var =
      uvow__parse_copy(b->p, name, len - (size_t)(is_optional || is_needed));
}

/* What a value stands for: 1, and a piece without text; 0: itself. */
static int is_variable(builder_t *b, json_t *json, uvow__piece_t *ret) {
  const char *text = json_string_value(json);
  memset(ret, 0, sizeof(*ret));
  if (!text || text[0] != '$' || strcmp(text, "$error") == 0 ||
      !((text[1] >= 'a' && text[1] <= 'z') ||
        (text[1] >= 'A' && text[1] <= 'Z')))
    return 0;
  size_t len = strlen(text + 1);
  int is_needed = text[len] == '!';
  len -= (size_t)is_needed;
  size_t i = 0;
  while (i < UVOW__COUNT(variables) &&
         (strlen(variables[i].name) != len ||
          memcmp(variables[i].name, text + 1, len) != 0))
    i++;
  if (i == UVOW__COUNT(variables)) {
    fill_var(b, text + 1, ret);
    return 1;
  }
  ret->kind = variables[i].kind;
  ret->absent = is_needed ? UVOW__ABSENT_FAILS : variables[i].absent;
  ret->kinds = variables[i].kinds ? variables[i].kinds : b->params;
  if (b->use == UVOW__FOR_CONTROL && !is_needed &&
      (ret->kind == UVOW__PUT_PARAMS || ret->kind == UVOW__PUT_ID))
    ret->absent = UVOW__ABSENT_OMITS;
  if (b->use == UVOW__FOR_ERROR && ret->kind == UVOW__PUT_ID) {
    ret->absent = UVOW__ABSENT_NULL;
    ret->kinds |= UVOW__KIND(NULL);
  }
  return 1;
}

static int put_variable(builder_t *b, const uvow__piece_t *what) {
  size_t size = uvow__buf_size(&b->text);
  if (what->absent == UVOW__ABSENT_OMITS && size > UVOW__PIECE_TEXT)
    return uvow__parse_fail(b->p,
                            "a member that may be left out has a name of "
                            "at most %d bytes",
                            UVOW__PIECE_TEXT - 4);
  if (flush(b, UVOW__PIECE_TEXT))
    return -1;
  uvow__piece_t *piece = next_piece(b);
  if (!piece)
    return -1;
  *piece = *what;
  fill_text(b, piece);
  return 0;
}

static int put_value(builder_t *b, json_t *json);

static int put_member(builder_t *b, const char *name, json_t *value,
                      int *is_first) {
  if (put(b, *is_first ? "" : ",", *is_first ? 0 : 1) ||
      put_escaped(b, name, strlen(name)) || put(b, ":", 1))
    return -1;
  *is_first = 0;
  uvow__parse_enter(b->p, name, 0);
  if (put_value(b, value))
    return -1;
  uvow__parse_leave(b->p);
  return 0;
}

/* Names that no member of params may have: the object's own. */
static const uvow__level_t *reserve(builder_t *b, json_t *object,
                                    uint8_t *ret_count) {
  uvow__parser_t names = *b->p;
  const char *name;
  json_t *value;
  memset(&names.root, 0, sizeof(names.root));
  names.captures = UVOW__CAPTURE_FIRST;
  json_object_foreach(object, name, value) {
    const char *kept = uvow__parse_copy(&names, name, strlen(name));
    if (strcmp(name, "$merge") == 0 || !kept)
      continue;
    if (strlen(name) > UVOW__KEY_MAX || strpbrk(name, "\"\\"))
      uvow__parse_fail(&names, "beside $merge, names are plain");
    else
      uvow__parse_capture(&names,
                          uvow__parse_below(&names, &names.root, kept, 0));
  }
  *ret_count = (uint8_t)(names.captures - UVOW__CAPTURE_FIRST);
  const uvow__level_t *level = uvow__parse_levels(&names);
  if (names.rc && !b->p->rc) {
    b->p->rc = names.rc;
    memcpy(b->p->why, names.why, sizeof(names.why));
  }
  return level;
}

static int put_merge(builder_t *b, json_t *object) {
  const char *text = json_string_value(json_object_get(object, "$merge"));
  uvow__piece_t piece;
  memset(&piece, 0, sizeof(piece));
  if (!text || strcmp(text, "$params"))
    return uvow__parse_fail(b->p, "\"$merge\" is \"$params\"");
  piece.kind = UVOW__PUT_FIELDS;
  piece.absent = UVOW__ABSENT_OMITS;
  piece.kinds = UVOW__KIND(OBJECT);
  piece.reserved = reserve(b, object, &piece.denied);
  if (!piece.reserved || flush(b, 0) || put(b, ",", 1))
    return -1;
  return put_variable(b, &piece);
}

/* Invariant 1: those that are always there; then, those that may not be. */
static int put_members(builder_t *b, json_t *object, int *is_first) {
  uvow__piece_t piece;
  const char *name;
  json_t *value;
  json_object_foreach(object, name, value) {
    if (strcmp(name, "$merge") == 0 ||
        (is_variable(b, value, &piece) && piece.absent == UVOW__ABSENT_OMITS))
      continue;
    if (put_member(b, name, value, is_first))
      return -1;
  }
  int is_alone = json_object_size(object) == 1;
  json_object_foreach(object, name, value) {
    if (strcmp(name, "$merge") == 0 || !is_variable(b, value, &piece) ||
        piece.absent != UVOW__ABSENT_OMITS)
      continue;
    if ((!*is_first || is_alone) && flush(b, 0))
      return -1;
    if (*is_first && !is_alone)
      piece.absent = UVOW__ABSENT_NULL;
    if (put(b, ",", *is_first ? 0 : 1) || put_escaped(b, name, strlen(name)) ||
        put(b, ":", 1) || put_variable(b, &piece))
      return -1;
    *is_first = 0;
  }
  return 0;
}

static int put_object(builder_t *b, json_t *object) {
  int is_first = 1;
  if (put(b, "{", 1) || put_members(b, object, &is_first))
    return -1;
  if (json_object_get(object, "$merge")) {
    uvow__parse_enter(b->p, "$merge", 0);
    if (is_first)
      return uvow__parse_fail(b->p, "beside $merge, another member is needed");
    if (put_merge(b, object))
      return -1;
    uvow__parse_leave(b->p);
  }
  return put(b, "}", 1);
}

static int put_array(builder_t *b, json_t *array) {
  size_t count = json_array_size(array);
  uvow__piece_t piece;
  if (put(b, "[", 1))
    return -1;
  for (size_t i = 0; i < count; i++) {
    json_t *value = json_array_get(array, i);
    uvow__parse_enter(b->p, NULL, i);
    int is_last = i + 1 == count && i > 0;
    if (is_variable(b, value, &piece)) {
      if (piece.absent == UVOW__ABSENT_OMITS && !is_last)
        piece.absent = UVOW__ABSENT_NULL;
      if ((piece.absent == UVOW__ABSENT_OMITS && flush(b, 0)) ||
          put(b, ",", i ? 1 : 0) || put_variable(b, &piece))
        return -1;
    } else if (put(b, ",", i ? 1 : 0) || put_value(b, value)) {
      return -1;
    }
    uvow__parse_leave(b->p);
  }
  return put(b, "]", 1);
}

/* A variable is the whole of its text: "x-$id" would be sent as it stands. */
static int check_text(builder_t *b, const char *text) {
  static const char *const names[] = {"$id", "$method", "$params", "$value"};
  for (size_t i = 0; i < UVOW__COUNT(names); i++) {
    const char *found = *text ? strstr(text + 1, names[i]) : NULL;
    if (found && found[-1] != '$')
      return uvow__parse_fail(b->p,
                              "nothing stands for %s within a text: it's to be "
                              "the whole of it (ids have \"id_prefix\")",
                              names[i]);
  }
  return 0;
}

static int put_scalar(builder_t *b, json_t *json) {
  const char *text = json_string_value(json);
  if (text && check_text(b, text))
    return -1;
  if (text) /* "$$x" is "$x" */
    return put_escaped(b, text + (text[0] == '$' && text[1] == '$'),
                       json_string_length(json) -
                           (text[0] == '$' && text[1] == '$'));
  return check_put(b, uvow__json_dump(json, &b->text));
}

static int put_error(builder_t *b) {
  json_t *error = json_pack("{s:s,s:s,s:s}", "code", "$code", "message",
                            "$message", "data", "$data");
  int rc = error ? put_object(b, error) : check_put(b, UVOW_ENOMEM);
  json_decref(error);
  return rc;
}

static int put_value(builder_t *b, json_t *json) {
  uvow__piece_t piece;
  const char *text = json_string_value(json);
  int rc;
  if (++b->deep > UVOW__PARSE_DEEP)
    return uvow__parse_fail(b->p, "messages are at most %d levels deep",
                            UVOW__PARSE_DEEP);
  if (text && strcmp(text, "$error") == 0)
    rc = put_error(b);
  else if (is_variable(b, json, &piece))
    rc = put_variable(b, &piece);
  else if (json_is_object(json))
    rc = put_object(b, json);
  else
    rc = json_is_array(json) ? put_array(b, json) : put_scalar(b, json);
  b->deep--;
  return rc;
}

int uvow__parse_template(uvow__parser_t *p, json_t *json, uvow__parse_use_t use,
                         uint8_t params, uvow__template_t *ret) {
  builder_t *b = (builder_t *)uvow__parse_take(p, sizeof(*b));
  if (!b)
    return -1;
  if (!json_is_object(json) && !json_is_array(json))
    return uvow__parse_fail(p, "a message is an object, or an array");
  b->p = p;
  b->use = use;
  b->params = params;
  uvow__buf_init(&b->text, &p->description->mem, SIZE_MAX);
  uvow__piece_t *kept = NULL;
  if (put_value(b, json) == 0 && flush(b, 0) == 0 && p->rc == 0)
    kept = (uvow__piece_t *)uvow__parse_take(p, b->count * sizeof(*kept));
  uvow__buf_done(&b->text);
  if (!kept)
    return -1;
  memcpy(kept, b->pieces, b->count * sizeof(*kept));
  ret->pieces = kept;
  ret->count = (uint8_t)b->count;
  ret->reads = UVOW__MSG_MALFORMED;
  return 0;
}
