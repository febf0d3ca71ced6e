/*
 * obs-websocket 5 (its docs/generated/protocol.md).
 *
 * <- {"op":0,"d":{"authentication":{"challenge":"C","salt":"S"}}}
 * -> {"op":1,"d":{"rpcVersion":1,"authentication":"A"}}  <- {"op":2,"d":{}}
 * -> {"op":6,"d":{"requestType":"T","requestId":"1","requestData":{}}}
 * <- {"op":7,"d":{"requestType":"T","requestId":"1","requestStatus":
 *     {"result":true,"code":100},"responseData":{}}}
 * !  {"op":5,"d":{"eventType":"E","eventIntent":1,"eventData":{}}}
 *
 * 1. What is picked from the hello are the two texts that the variable
 *    "authentication" is made of, with the application's "password": see
 *    maker.c.
 * 2. A server with a "password" asks for it so; who has another one is refused
 *    (4009, AuthenticationFailed); as is who identifies again (4008), or asks for
 *    something before that (4007).
 * 3. A client gains nothing by trying again what its messages or its password
 *    are refused for (4002 to 4010, 4012), or where it was kicked out (4011).
 */
#include "opening.h"

enum {
  OP = UVOW__CAPTURE_FIRST,
  RESULT,
  REQUEST_ID,
  RESPONSE_DATA,
  CODE,
  COMMENT,
  REQUEST_STATUS,
  EVENT_TYPE,
  EVENT_DATA,
  CHALLENGE,
  SALT,
  AUTHENTICATION,
  REQUEST_TYPE,
  REQUEST_DATA,
};

static const uvow__key_t d_request_status_keys[] = {
    UVOW__KEY("result", RESULT, NULL),
    UVOW__KEY("code", CODE, NULL),
    UVOW__KEY("comment", COMMENT, NULL),
};
static const uvow__level_t d_request_status_level =
    UVOW__OBJECT(d_request_status_keys);

static const uvow__key_t d_authentication_keys[] = {
    UVOW__KEY("challenge", CHALLENGE, NULL),
    UVOW__KEY("salt", SALT, NULL),
};
static const uvow__level_t d_authentication_level =
    UVOW__OBJECT(d_authentication_keys);

static const uvow__key_t d_keys[] = {
    UVOW__KEY("requestStatus", REQUEST_STATUS, &d_request_status_level),
    UVOW__KEY("requestId", REQUEST_ID, NULL),
    UVOW__KEY("responseData", RESPONSE_DATA, NULL),
    UVOW__KEY("eventType", EVENT_TYPE, NULL),
    UVOW__KEY("eventData", EVENT_DATA, NULL),
    UVOW__KEY("requestType", REQUEST_TYPE, NULL),
    UVOW__KEY("requestData", REQUEST_DATA, NULL),
    UVOW__KEY("authentication", AUTHENTICATION, &d_authentication_level),
};
static const uvow__level_t d_level = UVOW__OBJECT(d_keys);

static const uvow__key_t root_keys[] = {
    UVOW__KEY("op", OP, NULL),
    UVOW__KEY("d", UVOW__CAPTURE_NONE, &d_level),
};
static const uvow__level_t root = UVOW__OBJECT(root_keys);

#define PRESENT UVOW__ONLY(UVOW__KINDS_ANY)

static const uvow__test_t is_0[] = {UVOW__TEST(OP, "7")};
static const uvow__test_t is_1[] = {UVOW__TEST(OP, "7")};
static const uvow__test_t is_2[] = {UVOW__TEST(OP, "5")};
static const uvow__test_t is_3[] = {UVOW__TEST(OP, "6")};
static const uvow__rule_t rules[] = {
    {
        .denied = {[OP] = UVOW__ONLY(UVOW__KIND(NUMBER)),
                   [RESULT] = UVOW__ONLY(UVOW__KIND(TRUE)),
                   [REQUEST_ID] = PRESENT},
        UVOW__TESTS(is_0),
        .kind = UVOW__MSG_OK,
        .id = REQUEST_ID,
        .value = RESPONSE_DATA,
    },
    {
        .denied = {[OP] = UVOW__ONLY(UVOW__KIND(NUMBER))},
        UVOW__TESTS(is_1),
        .kind = UVOW__MSG_ERROR,
        .id = REQUEST_ID,
        .error_code = CODE,
        .error_message = COMMENT,
        .error_whole = REQUEST_STATUS,
    },
    {
        .denied = {[OP] = UVOW__ONLY(UVOW__KIND(NUMBER)),
                   [EVENT_TYPE] = UVOW__ONLY(UVOW__KIND(STRING))},
        UVOW__TESTS(is_2),
        .kind = UVOW__MSG_EVENT,
        .name = EVENT_TYPE,
        .value = EVENT_DATA,
    },
    {
        .denied = {[OP] = UVOW__ONLY(UVOW__KIND(NUMBER)),
                   [REQUEST_ID] =
                       UVOW__ONLY(UVOW__KIND(NUMBER) | UVOW__KIND(STRING)),
                   [REQUEST_TYPE] = UVOW__ONLY(UVOW__KIND(STRING))},
        UVOW__TESTS(is_3),
        .kind = UVOW__MSG_CALL,
        .id = REQUEST_ID,
        .name = REQUEST_TYPE,
        .value = REQUEST_DATA,
    },
};

static const uvow__piece_t call[] = {
    UVOW__PUT(METHOD, FAILS, UVOW__KIND(OBJECT),
              "{\"op\":6,\"d\":{\"requestType\":"),
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING),
              ",\"requestId\":"),
    UVOW__PUT(PARAMS, OMITS, UVOW__KIND(OBJECT), ",\"requestData\":"),
    UVOW__TEXT("}}"),
};
static const uvow__piece_t reply[] = {
    UVOW__PUT(METHOD, FAILS, 0, "{\"op\":7,\"d\":{\"requestType\":"),
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING),
              ",\"requestId\":"),
    UVOW__TEXT(",\"requestStatus\":{"),
    UVOW__TEXT("\"result\":true,\"code\":100}"),
    UVOW__PUT(PARAMS, NULL, UVOW__KINDS_ANY, ",\"responseData\":"),
    UVOW__TEXT("}}"),
};
static const uvow__piece_t reply_error[] = {
    UVOW__PUT(ID, NULL,
              UVOW__KIND(NUMBER) | UVOW__KIND(STRING) | UVOW__KIND(NULL),
              "{\"op\":7,\"d\":{\"requestId\":"),
    UVOW__TEXT(",\"requestStatus\":{"),
    UVOW__PUT(ERROR_CODE, FAILS, 0, "\"result\":false,\"code\":"),
    UVOW__PUT(ERROR_MESSAGE, FAILS, 0, ",\"comment\":"),
    UVOW__TEXT("}}}"),
};
static const uvow__piece_t event[] = {
    UVOW__PUT(METHOD, FAILS, UVOW__KIND(OBJECT),
              "{\"op\":5,\"d\":{\"eventType\":"),
    UVOW__TEXT(",\"eventIntent\":1"),
    UVOW__PUT(PARAMS, OMITS, UVOW__KIND(OBJECT), ",\"eventData\":"),
    UVOW__TEXT("}}"),
};
static const uvow__piece_t accept_0[] = {
    UVOW__TEXT("{\"op\":0,\"d\":{"),
    UVOW__TEXT("\"obsWebSocketVersion\":\"5.0.0\""),
    UVOW__TEXT(",\"rpcVersion\":1"),
    UVOW__PUT_VARIABLE("asks", OMITS, ",\"authentication\":"),
    UVOW__TEXT("}}"),
};
static const uvow__test_t accepts_1[] = {UVOW__TEST(OP, "1")};
static const uvow__piece_t accept_2[] = {
    UVOW__TEXT("{\"op\":2,\"d\":{"),
    UVOW__TEXT("\"negotiatedRpcVersion\":1}}"),
};
static const uvow__step_t accepts[] = {
    {.send = UVOW__TEMPLATE(accept_0), .makes = UVOW__MAKES_OBS5_ASKS},
    {.expect = {.denied = {[OP] = UVOW__ONLY(UVOW__KIND(NUMBER))},
                UVOW__TESTS(accepts_1)},
     .same = {"authentication", AUTHENTICATION},
     .same_if_set = 1,
     .close = 4009},
    {.send = UVOW__TEMPLATE(accept_2)},
};
static const uvow__test_t expects_0[] = {UVOW__TEST(OP, "0")};
static const uvow__piece_t step_1[] = {
    UVOW__TEXT("{\"op\":1,\"d\":{\"rpcVersion\":1"),
    UVOW__PUT_VARIABLE("authentication", OMITS, ",\"authentication\":"),
    UVOW__PUT_VARIABLE("events", OMITS, ",\"eventSubscriptions\":"),
    UVOW__TEXT("}}"),
};
static const uvow__test_t expects_2[] = {UVOW__TEST(OP, "2")};

static const uvow__step_t steps[] = {
    {.expect = {.denied = {[OP] = UVOW__ONLY(UVOW__KIND(NUMBER))},
                UVOW__TESTS(expects_0)},
     .picks =
         {
             {"challenge", CHALLENGE},
             {"salt", SALT},
         },
     .pick_count = 2,
     .makes = UVOW__MAKES_OBS5},
    {.send = UVOW__TEMPLATE(step_1)},
    {.expect = {.denied = {[OP] = UVOW__ONLY(UVOW__KIND(NUMBER))},
                UVOW__TESTS(expects_2)}},
};

const uvow_protocol_t uvow__protocol_obs5 = {
    .name = "obs5",
    .subprotocol = "obswebsocket.json",
    .root = &root,
    .rules = rules,
    .rule_count = UVOW__COUNT(rules),
    .ids = {.form = UVOW__IDS_TEXT},
    .steps = steps,
    .step_count = UVOW__COUNT(steps),
    .templates =
        {
            [UVOW__OP_CALL] = UVOW__TEMPLATE_READS(call, CALL),
            [UVOW__OP_REPLY] = UVOW__TEMPLATE(reply),
            [UVOW__OP_REPLY_ERROR] = UVOW__TEMPLATE(reply_error),
            [UVOW__OP_EVENT] = UVOW__TEMPLATE_READS(event, EVENT),
        },
    .accepts = accepts,
    .accept_count = UVOW__COUNT(accepts),
    .closes = {.early = 4007,
               .again = 4008,
               .final = {4002, 4003, 4004, 4005, 4006, 4007, 4008, 4009, 4010,
                         4011, 4012}},
};
