/*
 * The protocol of the AngularJS article that this project began with.
 *
 * -> {"type":"get_customers","limit":5,"callback_id":1}
 * <- {"result":true,"callback_id":1,"data":[]}
 * <- {"result":false,"callback_id":1,"data":"no such table"}
 * !  {"type":"news","data":{}}
 *
 * 1. What has a type is a call or an event, whatever else it has: the fields of
 *    a request are the user's, and a field "result" must not make an answer of
 *    it. So no field may be "type" or "callback_id", and none that is looked
 *    for may be there twice: no reader would take it.
 * 2. A callback_id of null is none.
 * 3. An answer that says neither true nor false keeps its id, so that the
 *    future can be rejected at once.
 */
#include "protocol.h"

enum { TYPE = UVOW__CAPTURE_FIRST, ID, RESULT, DATA };

static const uvow__key_t keys[] = {
    UVOW__KEY("result", RESULT, NULL),
    UVOW__KEY("callback_id", ID, NULL),
    UVOW__KEY("data", DATA, NULL),
    UVOW__KEY("type", TYPE, NULL),
};
static const uvow__level_t root = UVOW__OBJECT(keys);

#define PEER_ID (UVOW__KIND(NUMBER) | UVOW__KIND(STRING))

static const uvow__rule_t rules[] = {
    {.denied = {[RESULT] = UVOW__ONLY(UVOW__KIND(TRUE)),
                [ID] = UVOW__ONLY(UVOW__KINDS_ANY),
                [TYPE] = UVOW__NOT},
     .kind = UVOW__MSG_OK,
     .id = ID,
     .value = DATA},
    {.denied = {[RESULT] = UVOW__ONLY(UVOW__KIND(FALSE)),
                [ID] = UVOW__ONLY(UVOW__KINDS_ANY),
                [TYPE] = UVOW__NOT},
     .kind = UVOW__MSG_ERROR,
     .id = ID,
     .error_message = DATA,
     .error_data = DATA},
    {.denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING)),
                [ID] = UVOW__ONLY(UVOW__KINDS_NO_VALUE),
                [DATA] = UVOW__ONLY(UVOW__KINDS_ANY)},
     .kind = UVOW__MSG_EVENT,
     .name = TYPE,
     .value = DATA},
    {.denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING)),
                [ID] = UVOW__ONLY(UVOW__KINDS_NO_VALUE)},
     .kind = UVOW__MSG_EVENT,
     .name = TYPE,
     .value = UVOW__CAPTURE_ALL},
    {.denied =
         {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING)), [ID] = UVOW__ONLY(PEER_ID)},
     .kind = UVOW__MSG_CALL,
     .id = ID,
     .name = TYPE,
     .value = UVOW__CAPTURE_ALL},
    {.denied =
         {[TYPE] = UVOW__ONLY(UVOW__KINDS_ANY), [ID] = UVOW__ONLY(PEER_ID)},
     .kind = UVOW__MSG_BAD_CALL,
     .id = ID},
    {.denied = {[RESULT] = UVOW__ONLY(UVOW__KINDS_ANY), [TYPE] = UVOW__NOT},
     .kind = UVOW__MSG_MALFORMED,
     .id = ID},
    {.denied = {[ID] = UVOW__ONLY(UVOW__KINDS_ANY), [TYPE] = UVOW__NOT},
     .kind = UVOW__MSG_MALFORMED,
     .id = ID,
     .refuses = 1},
};

static const uvow__key_t reserved_keys[] = {
    UVOW__KEY("type", UVOW__CAPTURE_FIRST, NULL),
    UVOW__KEY("callback_id", UVOW__CAPTURE_FIRST + 1, NULL),
    UVOW__KEY("result", UVOW__CAPTURE_FIRST + 2, NULL),
    UVOW__KEY("data", UVOW__CAPTURE_FIRST + 3, NULL),
};
static const uvow__level_t reserved = UVOW__OBJECT(reserved_keys);

#define PUT_FIELDS                                                             \
  {                                                                            \
    UVOW__PUT_FIELDS, UVOW__ABSENT_OMITS, UVOW__KIND(OBJECT), 1, ",",          \
        &reserved, 2, NULL                                                     \
  }

static const uvow__piece_t call[] = {
    UVOW__PUT(METHOD, FAILS, 0, "{\"type\":"),
    PUT_FIELDS,
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER), ",\"callback_id\":"),
    UVOW__TEXT("}"),
};
static const uvow__piece_t notify[] = {
    UVOW__PUT(METHOD, FAILS, 0, "{\"type\":"),
    PUT_FIELDS,
    UVOW__TEXT("}"),
};
static const uvow__piece_t reply[] = {
    UVOW__PUT(ID, FAILS, PEER_ID, "{\"result\":true,\"callback_id\":"),
    UVOW__PUT(PARAMS, NULL, UVOW__KINDS_ANY, ",\"data\":"),
    UVOW__TEXT("}"),
};
static const uvow__piece_t reply_error[] = {
    UVOW__PUT(ID, FAILS, PEER_ID, "{\"result\":false,\"callback_id\":"),
    UVOW__PUT(ERROR_DATA_OR_MESSAGE, NULL, UVOW__KINDS_ANY, ",\"data\":"),
    UVOW__TEXT("}"),
};
static const uvow__piece_t event[] = {
    UVOW__PUT(METHOD, FAILS, 0, "{\"type\":"),
    UVOW__PUT(PARAMS, OMITS, UVOW__KINDS_ANY, ",\"data\":"),
    UVOW__TEXT("}"),
};

const uvow_protocol_t uvow__protocol_callback_id = {
    .name = "callback_id",
    .root = &root,
    .rules = rules,
    .rule_count = UVOW__COUNT(rules),
    .templates =
        {
            [UVOW__OP_CALL] = UVOW__TEMPLATE(call),
            [UVOW__OP_NOTIFY] = UVOW__TEMPLATE(notify),
            [UVOW__OP_REPLY] = UVOW__TEMPLATE_READS(reply, OK),
            [UVOW__OP_REPLY_ERROR] = UVOW__TEMPLATE(reply_error),
            [UVOW__OP_EVENT] = UVOW__TEMPLATE(event),
        },
};
