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
 * 3. A server lets in who has its token; a method's stream is answered at once,
 *    and its items are events.
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
  ACCESS_TOKEN,
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
    UVOW__KEY("access_token", ACCESS_TOKEN, NULL),
};
static const uvow__level_t root = UVOW__OBJECT(root_keys);

#define PRESENT UVOW__ONLY(UVOW__KINDS_ANY)

static const uvow__test_t is_0[] = {UVOW__TEST(TYPE, "\"result\"")};
static const uvow__test_t is_1[] = {UVOW__TEST(TYPE, "\"result\"")};
static const uvow__test_t is_2[] = {UVOW__TEST(TYPE, "\"event\"")};
static const uvow__test_t is_3[] = {UVOW__TEST(TYPE, "\"pong\"")};
static const uvow__test_t is_4[] = {UVOW__TEST(TYPE, "\"ping\"")};
static const uvow__piece_t reply_pieces_4[] = {
    UVOW__PUT(ID, FAILS, UVOW__KINDS_ANY, "{\"id\":"),
    UVOW__TEXT(",\"type\":\"pong\"}"),
};
static const uvow__template_t reply_4 = UVOW__TEMPLATE(reply_pieces_4);
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
    {
        .denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING))},
        UVOW__TESTS(is_4),
        .kind = UVOW__MSG_CONTROL,
        .id = ID,
        .reply = &reply_4,
    },
    {
        .denied = {[ID] = UVOW__ONLY(UVOW__KIND(NUMBER)),
                   [SUCCESS] = UVOW__NOT,
                   [EVENT] = UVOW__NOT,
                   [TYPE] = UVOW__ONLY(UVOW__KIND(STRING))},
        .kind = UVOW__MSG_CALL,
        .id = ID,
        .name = TYPE,
        .value = UVOW__CAPTURE_ALL,
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

static const uvow__piece_t reply[] = {
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING), "{\"id\":"),
    UVOW__TEXT(",\"type\":\"result\",\"success\":true"),
    UVOW__PUT(PARAMS, NULL, UVOW__KINDS_ANY, ",\"result\":"),
    UVOW__TEXT("}"),
};
static const uvow__piece_t reply_error[] = {
    UVOW__PUT(ID, NULL,
              UVOW__KIND(NUMBER) | UVOW__KIND(STRING) | UVOW__KIND(NULL),
              "{\"id\":"),
    UVOW__TEXT(",\"type\":\"result\",\"success\":false"),
    UVOW__PUT(ERROR_CODE, FAILS, 0, ",\"error\":{\"code\":"),
    UVOW__PUT(ERROR_MESSAGE, FAILS, 0, ",\"message\":"),
    UVOW__TEXT("}}"),
};
static const uvow__piece_t partial[] = {
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING), "{\"id\":"),
    UVOW__PUT(PARAMS, NULL, UVOW__KINDS_ANY, ",\"type\":\"event\",\"event\":"),
    UVOW__TEXT("}"),
};
static const uvow__piece_t accept_0[] = {
    UVOW__TEXT("{\"type\":\"auth_required\""),
    UVOW__PUT_VARIABLE("ha_version", OMITS, ",\"ha_version\":"),
    UVOW__TEXT("}"),
};
static const uvow__test_t accepts_1[] = {UVOW__TEST(TYPE, "\"auth\"")};
static const uvow__piece_t otherwise_1[] = {
    UVOW__TEXT("{\"type\":\"auth_invalid\","),
    UVOW__TEXT("\"message\":\"Invalid access"),
    UVOW__TEXT(" token\"}"),
};
static const uvow__piece_t accept_2[] = {
    UVOW__TEXT("{\"type\":\"auth_ok\""),
    UVOW__PUT_VARIABLE("ha_version", OMITS, ",\"ha_version\":"),
    UVOW__TEXT("}"),
};
static const uvow__step_t accepts[] = {
    {.send = UVOW__TEMPLATE(accept_0)},
    {.expect = {.denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING))},
                UVOW__TESTS(accepts_1)},
     .same = {"token", ACCESS_TOKEN},
     .otherwise = UVOW__TEMPLATE(otherwise_1)},
    {.send = UVOW__TEMPLATE(accept_2)},
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
            [UVOW__OP_REPLY] = UVOW__TEMPLATE_READS(reply, OK),
            [UVOW__OP_REPLY_ERROR] = UVOW__TEMPLATE(reply_error),
            [UVOW__OP_PARTIAL] = UVOW__TEMPLATE_READS(partial, PARTIAL),
        },
    .accepts = accepts,
    .accept_count = UVOW__COUNT(accepts),
    .replies_first = 1,
};
