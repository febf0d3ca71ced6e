/*
 * GraphQL over WebSocket, subprotocol graphql-transport-ws
 * (https://github.com/enisdenjo/graphql-ws, PROTOCOL.md).
 *
 * -> {"type":"connection_init"}  <- {"type":"connection_ack"}
 * -> {"id":"1","type":"subscribe","payload":{"query":"..."}}
 * <- {"id":"1","type":"next","payload":{"data":{}}}, any number of them
 * <- {"id":"1","type":"complete"}
 * <- {"id":"1","type":"error","payload":[{"message":"no"}]}
 *
 * 1. Every result is a partial answer; the end has no value.
 * 2. The client's complete is the cancel. Nothing is heard of that operation
 *    from then on. It's read as an end: who has a call of that id, and no
 *    request, takes it for what it is.
 * 3. A server acknowledges who begins with its "secret", where it has one, and whom
 *    the application's own step, which comes before that, lets in (4403);
 *    in time (4408), once (4429). It closes on who subscribes before that (4401),
 *    gives two operations one id (4409), or can't be read (4400).
 *    What a client gains nothing by trying again is what the reference client
 *    doesn't: 4400, 4401, 4406, 4409, 4429, 4500. Forbidden (4403) may be granted
 *    later, and what came too late (4408, 4504) may come in time.
 * 4. A call has no name, and is one of "subscribe". A value is one result, and
 *    the end.
 */
#include "opening.h"

enum {
  TYPE = UVOW__CAPTURE_FIRST,
  ID,
  PAYLOAD,
  MESSAGE,
  ITEM_0,
};

static const uvow__key_t payload_0_keys[] = {
    UVOW__KEY("message", MESSAGE, NULL),
};
static const uvow__level_t payload_0_level = UVOW__OBJECT(payload_0_keys);

static const uvow__key_t payload_items[] = {
    UVOW__ITEM(ITEM_0, &payload_0_level),
};
static const uvow__level_t payload_level = UVOW__ARRAY(payload_items);

static const uvow__key_t root_keys[] = {
    UVOW__KEY("type", TYPE, NULL),
    UVOW__KEY("id", ID, NULL),
    UVOW__KEY("payload", PAYLOAD, &payload_level),
};
static const uvow__level_t root = UVOW__OBJECT(root_keys);

#define PRESENT UVOW__ONLY(UVOW__KINDS_ANY)

static const uvow__test_t is_0[] = {UVOW__TEST(TYPE, "\"next\"")};
static const uvow__test_t is_1[] = {UVOW__TEST(TYPE, "\"complete\"")};
static const uvow__test_t is_2[] = {UVOW__TEST(TYPE, "\"error\"")};
static const uvow__test_t is_3[] = {UVOW__TEST(TYPE, "\"ping\"")};
static const uvow__test_t is_4[] = {UVOW__TEST(TYPE, "\"pong\"")};
static const uvow__test_t is_5[] = {UVOW__TEST(TYPE, "\"subscribe\"")};
static const uvow__piece_t reply_pieces_3[] = {
    UVOW__TEXT("{\"type\":\"pong\""),
    UVOW__PUT(PARAMS, OMITS, UVOW__KINDS_ANY, ",\"payload\":"),
    UVOW__TEXT("}"),
};
static const uvow__template_t reply_3 = UVOW__TEMPLATE(reply_pieces_3);
static const uvow__rule_t rules[] = {
    {
        .denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING)), [ID] = PRESENT},
        UVOW__TESTS(is_0),
        .kind = UVOW__MSG_PARTIAL,
        .id = ID,
        .value = PAYLOAD,
    },
    {
        .denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING)), [ID] = PRESENT},
        UVOW__TESTS(is_1),
        .kind = UVOW__MSG_END,
        .id = ID,
    },
    {
        .denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING))},
        UVOW__TESTS(is_2),
        .kind = UVOW__MSG_ERROR,
        .id = ID,
        .error_message = MESSAGE,
        .error_data = PAYLOAD,
        .error_whole = ITEM_0,
    },
    {
        .denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING))},
        UVOW__TESTS(is_3),
        .kind = UVOW__MSG_CONTROL,
        .reply = &reply_3,
        .value = PAYLOAD,
    },
    {
        .denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING))},
        UVOW__TESTS(is_4),
        .kind = UVOW__MSG_IGNORE,
    },
    {
        .denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING)),
                   [ID] = UVOW__ONLY(UVOW__KIND(NUMBER) | UVOW__KIND(STRING))},
        UVOW__TESTS(is_5),
        .kind = UVOW__MSG_CALL,
        .id = ID,
        .named = {"\"subscribe\"", 11},
        .value = PAYLOAD,
    },
};

static const uvow__piece_t call[] = {
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING), "{\"id\":"),
    UVOW__TEXT(",\"type\":\"subscribe\""),
    UVOW__PUT(PARAMS, OMITS, UVOW__KINDS_ANY, ",\"payload\":"),
    UVOW__TEXT("}"),
};
static const uvow__piece_t cancel[] = {
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING), "{\"id\":"),
    UVOW__TEXT(",\"type\":\"complete\"}"),
};
static const uvow__piece_t partial[] = {
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING), "{\"id\":"),
    UVOW__PUT(PARAMS, NULL, UVOW__KINDS_ANY, ",\"type\":\"next\",\"payload\":"),
    UVOW__TEXT("}"),
};
static const uvow__piece_t reply_error[] = {
    UVOW__PUT(ID, NULL,
              UVOW__KIND(NUMBER) | UVOW__KIND(STRING) | UVOW__KIND(NULL),
              "{\"id\":"),
    UVOW__TEXT(",\"type\":\"error\",\"payload\":["),
    UVOW__PUT(ERROR_MESSAGE, FAILS, 0, "{\"message\":"),
    UVOW__PUT(ERROR_DATA, OMITS, UVOW__KINDS_ANY, ",\"extensions\":"),
    UVOW__TEXT("}]}"),
};
static const uvow__piece_t step_0[] = {
    UVOW__TEXT("{\"type\":\"connection_init\""),
    UVOW__PUT_VARIABLE("secret", OMITS, ",\"payload\":"),
    UVOW__TEXT("}"),
};
static const uvow__test_t expects_1[] = {
    UVOW__TEST(TYPE, "\"connection_ack\"")};

static const uvow__step_t steps[] = {
    {.send = UVOW__TEMPLATE(step_0)},
    {.expect = {.denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING))},
                UVOW__TESTS(expects_1)}},
};

static const uvow__test_t accepts_0[] = {
    UVOW__TEST(TYPE, "\"connection_init\"")};
static const uvow__piece_t accept_1[] = {
    UVOW__TEXT("{\"type\":\"connection_ack\"}"),
};
static const uvow__step_t accepts[] = {
    {.expect = {.denied = {[TYPE] = UVOW__ONLY(UVOW__KIND(STRING))},
                UVOW__TESTS(accepts_0)},
     .same = {"secret", PAYLOAD},
     .same_if_set = 1,
     .picks = {{"payload", PAYLOAD}},
     .pick_count = 1,
     .asks = 1,
     .close = 4403,
     .late = 4408},
    {.send = UVOW__TEMPLATE(accept_1)},
};

const uvow_protocol_t uvow__protocol_graphql_transport_ws = {
    .name = "graphql_transport_ws",
    .subprotocol = "graphql-transport-ws",
    .root = &root,
    .rules = rules,
    .rule_count = UVOW__COUNT(rules),
    .ids = {.form = UVOW__IDS_TEXT},
    .steps = steps,
    .step_count = UVOW__COUNT(steps),
    .accepts = accepts,
    .accept_count = UVOW__COUNT(accepts),
    .closes = {.malformed = 4400,
               .early = 4401,
               .twice = 4409,
               .again = 4429,
               .final = {4400, 4401, 4406, 4409, 4429, 4500}},
    .templates =
        {
            [UVOW__OP_CALL] = UVOW__TEMPLATE(call),
            [UVOW__OP_REPLY_ERROR] = UVOW__TEMPLATE(reply_error),
            [UVOW__OP_CANCEL] = UVOW__TEMPLATE(cancel),
            [UVOW__OP_PARTIAL] = UVOW__TEMPLATE(partial),
            [UVOW__OP_END] = UVOW__TEMPLATE(cancel),
        },
};
