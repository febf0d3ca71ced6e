/*
 * WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/).
 *
 * -> {"id":1,"method":"session.status","params":{}}
 * <- {"type":"success","id":1,"result":{}}
 * <- {"type":"error","id":1,"error":"unknown command","message":"no"}
 * !  {"type":"event","method":"log.entryAdded","params":{}}
 *
 * 1. The code of an error is text. One with id null is about no request in
 *    particular.
 * 2. A command always has params, so without any an empty object is sent.
 */
#include "opening.h"

enum {
  TYPE = UVOW__CAPTURE_FIRST,
  ID,
  RESULT,
  ERROR,
  MESSAGE,
  STACKTRACE,
  METHOD,
  PARAMS,
};

static const uvow__key_t root_keys[] = {
    UVOW__KEY("type", TYPE, NULL),
    UVOW__KEY("id", ID, NULL),
    UVOW__KEY("result", RESULT, NULL),
    UVOW__KEY("error", ERROR, NULL),
    UVOW__KEY("message", MESSAGE, NULL),
    UVOW__KEY("stacktrace", STACKTRACE, NULL),
    UVOW__KEY("method", METHOD, NULL),
    UVOW__KEY("params", PARAMS, NULL),
};
static const uvow__level_t root = UVOW__OBJECT(root_keys);

#define PRESENT UVOW__ONLY(UVOW__KINDS_ANY)

static const uvow__test_t is_0[] = {UVOW__TEST(TYPE, "\"success\"")};
static const uvow__test_t is_1[] = {UVOW__TEST(TYPE, "\"error\"")};
static const uvow__test_t is_2[] = {UVOW__TEST(TYPE, "\"event\"")};
static const uvow__rule_t rules[] = {
    {
        .denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING)), [ID] = PRESENT},
        UVOW__TESTS(is_0),
        .kind = UVOW__MSG_OK,
        .id = ID,
        .value = RESULT,
    },
    {
        .denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING))},
        UVOW__TESTS(is_1),
        .kind = UVOW__MSG_ERROR,
        .id = ID,
        .error_code = ERROR,
        .error_message = MESSAGE,
        .error_data = STACKTRACE,
    },
    {
        .denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING)),
                   [METHOD] = UVOW__ONLY(UVOW__KIND(STRING))},
        UVOW__TESTS(is_2),
        .kind = UVOW__MSG_EVENT,
        .name = METHOD,
        .value = PARAMS,
    },
};

static const uvow__piece_t call[] = {
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING), "{\"id\":"),
    UVOW__PUT(METHOD, FAILS, UVOW__KIND(OBJECT), ",\"method\":"),
    UVOW__PUT(OBJECT, NULL, UVOW__KINDS_ANY, ",\"params\":"),
    UVOW__TEXT("}"),
};

const uvow_protocol_t uvow__protocol_webdriver_bidi = {
    .name = "webdriver_bidi",
    .root = &root,
    .rules = rules,
    .rule_count = UVOW__COUNT(rules),
    .templates =
        {
            [UVOW__OP_CALL] = UVOW__TEMPLATE(call),
        },
};
