/*
 * Home Assistant's WebSocket API
 * (https://developers.home-assistant.io/docs/api/websocket).
 *
 * <- {"type":"auth_required"}  -> {"type":"auth","access_token":"T"}
 * <- {"type":"auth_ok"}, or {"type":"auth_invalid","message":"no"}
 * -> {"id":1,"type":"get_states"}
 * <- {"id":1,"type":"result","success":true,"result":[]}
 * <-
 * {"id":1,"type":"result","success":false,"error":{"code":"x","message":"y"}}
 * <- {"id":1,"type":"event","event":{}}, of a subscription
 *
 * 1. An event is a partial answer to the request that subscribed.
 * 2. Many messages may come as one array.
 */
#include "opening.h"

enum {
  TYPE = UVOW__CAPTURE_FIRST,
  SUCCESS,
  ID,
  RESULT,
  CODE,
  ERROR_MESSAGE,
  ERROR,
  EVENT,
  MESSAGE,
};

static const uvow__key_t error_keys[] = {
    UVOW__KEY("code", CODE, NULL),
    UVOW__KEY("message", ERROR_MESSAGE, NULL),
};
static const uvow__level_t error_level = UVOW__OBJECT(error_keys);

static const uvow__key_t root_keys[] = {
    UVOW__KEY("type", TYPE, NULL),
    UVOW__KEY("success", SUCCESS, NULL),
    UVOW__KEY("id", ID, NULL),
    UVOW__KEY("result", RESULT, NULL),
    UVOW__KEY("error", ERROR, &error_level),
    UVOW__KEY("event", EVENT, NULL),
    UVOW__KEY("message", MESSAGE, NULL),
};
static const uvow__level_t root = UVOW__OBJECT(root_keys);

#define PRESENT UVOW__ONLY(UVOW__KINDS_ANY)

static const uvow__test_t is_0[] = {UVOW__TEST(TYPE, "\"result\"")};
static const uvow__test_t is_1[] = {UVOW__TEST(TYPE, "\"result\"")};
static const uvow__test_t is_2[] = {UVOW__TEST(TYPE, "\"event\"")};
static const uvow__test_t is_3[] = {UVOW__TEST(TYPE, "\"pong\"")};
static const uvow__rule_t rules[] = {
    {
        .denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING)),
                   [SUCCESS] = UVOW__ONLY(UVOW__KIND(TRUE)),
                   [ID] = PRESENT},
        UVOW__TESTS(is_0),
        .kind = UVOW__MSG_OK,
        .id = ID,
        .value = RESULT,
    },
    {
        .denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING)),
                   [SUCCESS] = UVOW__ONLY(UVOW__KIND(FALSE))},
        UVOW__TESTS(is_1),
        .kind = UVOW__MSG_ERROR,
        .id = ID,
        .error_code = CODE,
        .error_message = ERROR_MESSAGE,
        .error_whole = ERROR,
    },
    {
        .denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING)), [ID] = PRESENT},
        UVOW__TESTS(is_2),
        .kind = UVOW__MSG_PARTIAL,
        .id = ID,
        .value = EVENT,
    },
    {
        .denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING)), [ID] = PRESENT},
        UVOW__TESTS(is_3),
        .kind = UVOW__MSG_OK,
        .id = ID,
    },
};

static const uvow__key_t call_names[] = {
    UVOW__KEY("id", UVOW__CAPTURE_FIRST, NULL),
    UVOW__KEY("type", UVOW__CAPTURE_FIRST + 1, NULL),
};
static const uvow__level_t call_reserved = UVOW__OBJECT(call_names);

static const uvow__piece_t call[] = {
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING), "{\"id\":"),
    UVOW__PUT(METHOD, FAILS, UVOW__KIND(OBJECT), ",\"type\":"),
    UVOW__PUT_MERGED(&call_reserved, 2),
    UVOW__TEXT("}"),
};
static const uvow__test_t expects_0[] = {UVOW__TEST(TYPE, "\"auth_required\"")};
static const uvow__piece_t step_1[] = {
    UVOW__PUT_VARIABLE("token", FAILS, "{\"type\":\"auth\",\"access_token\":"),
    UVOW__TEXT("}"),
};
static const uvow__test_t expects_2[] = {UVOW__TEST(TYPE, "\"auth_ok\"")};
static const uvow__test_t refuses_2[] = {UVOW__TEST(TYPE, "\"auth_invalid\"")};

static const uvow__step_t steps[] = {
    {.expect = {.denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING))},
                UVOW__TESTS(expects_0)}},
    {.send = UVOW__TEMPLATE(step_1)},
    {.expect = {.denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING))},
                UVOW__TESTS(expects_2)},
     .refusal = {.denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING))},
                 UVOW__TESTS(refuses_2),
                 .kind = UVOW__MSG_ERROR,
                 .error_message = MESSAGE}},
};
static const uvow__heartbeat_t heartbeat = {30000, "ping", {NULL, 0, 0}};

const uvow_protocol_t uvow__protocol_home_assistant = {
    .name = "home_assistant",
    .root = &root,
    .rules = rules,
    .rule_count = UVOW__COUNT(rules),
    .batches = 1,
    .steps = steps,
    .step_count = UVOW__COUNT(steps),
    .heartbeat = &heartbeat,
    .templates =
        {
            [UVOW__OP_CALL] = UVOW__TEMPLATE(call),
        },
};
