/*
 * Phoenix channels, serializer 2.0.0
 * (https://hexdocs.pm/phoenix/writing_a_channels_client.html).
 *
 * -> [join_ref,"1","topic","event",{}]
 * <- [join_ref,"1","topic","phx_reply",{"status":"ok","response":{}}]
 * !  [join_ref,null,"topic","event",{}]
 *
 * 1. Topic and join_ref are a session's variables, null where there's none.
 * 2. A server answers in the session of the call; phx_join, phx_leave and all
 *    other events of a client are methods, but for its heartbeat.
 * 3. What the server pushes has no ref; phx_close and phx_error have the one of
 *    the join, and are events too.
 * 4. Payloads that are bytes: see phoenix2_binary.c.
 */
#include "opening.h"
#include "phoenix2_binary.h"

enum {
  ITEM_3 = UVOW__CAPTURE_FIRST,
  STATUS,
  ITEM_1,
  RESPONSE,
  ITEM_0,
  ITEM_2,
  ITEM_4,
};

static const uvow__key_t item_4_keys[] = {
    UVOW__KEY("status", STATUS, NULL),
    UVOW__KEY("response", RESPONSE, NULL),
};
static const uvow__level_t item_4_level = UVOW__OBJECT(item_4_keys);

static const uvow__key_t root_items[] = {
    UVOW__ITEM(ITEM_0, NULL),          UVOW__ITEM(ITEM_1, NULL),
    UVOW__ITEM(ITEM_2, NULL),          UVOW__ITEM(ITEM_3, NULL),
    UVOW__ITEM(ITEM_4, &item_4_level),
};
static const uvow__level_t root = UVOW__ARRAY(root_items);

#define PRESENT UVOW__ONLY(UVOW__KINDS_ANY)

static const uvow__test_t is_0[] = {UVOW__TEST(ITEM_3, "\"phx_reply\""),
                                    UVOW__TEST(STATUS, "\"ok\"")};
static const uvow__test_t is_1[] = {UVOW__TEST(ITEM_3, "\"phx_reply\""),
                                    UVOW__TEST(STATUS, "\"error\"")};
static const uvow__test_t is_3[] = {UVOW__TEST(ITEM_3, "\"phx_close\"")};
static const uvow__test_t is_4[] = {UVOW__TEST(ITEM_3, "\"phx_error\"")};
static const uvow__test_t is_5[] = {UVOW__TEST(ITEM_2, "\"phoenix\""),
                                    UVOW__TEST(ITEM_3, "\"heartbeat\"")};
static const uvow__piece_t reply_pieces_5[] = {
    UVOW__PUT(ID, FAILS, UVOW__KINDS_ANY, "[null,"),
    UVOW__TEXT(",\"phoenix\",\"phx_reply\",{"),
    UVOW__TEXT("\"status\":\"ok\",\"response\":{}}]"),
};
static const uvow__template_t reply_5 = UVOW__TEMPLATE(reply_pieces_5);
static const uvow__rule_t rules[] = {
    {
        .denied = {[ITEM_3] = UVOW__ONLY(UVOW__KIND(STRING)),
                   [STATUS] = UVOW__ONLY(UVOW__KIND(STRING)),
                   [ITEM_1] = PRESENT},
        UVOW__TESTS(is_0),
        .kind = UVOW__MSG_OK,
        .id = ITEM_1,
        .value = RESPONSE,
        .session = ITEM_0,
        .session2 = ITEM_2,
    },
    {
        .denied = {[ITEM_3] = UVOW__ONLY(UVOW__KIND(STRING)),
                   [STATUS] = UVOW__ONLY(UVOW__KIND(STRING))},
        UVOW__TESTS(is_1),
        .kind = UVOW__MSG_ERROR,
        .id = ITEM_1,
        .session = ITEM_0,
        .session2 = ITEM_2,
        .error_data = RESPONSE,
    },
    {
        .denied = {[ITEM_3] = UVOW__ONLY(UVOW__KIND(STRING)),
                   [ITEM_1] = UVOW__ONLY(UVOW__KIND(NULL)),
                   [ITEM_4] = PRESENT},
        .kind = UVOW__MSG_EVENT,
        .name = ITEM_3,
        .value = ITEM_4,
        .session = ITEM_0,
        .session2 = ITEM_2,
    },
    {
        .denied = {[ITEM_3] = UVOW__ONLY(UVOW__KIND(STRING))},
        UVOW__TESTS(is_3),
        .kind = UVOW__MSG_EVENT,
        .name = ITEM_3,
        .value = ITEM_4,
        .session = ITEM_0,
        .session2 = ITEM_2,
    },
    {
        .denied = {[ITEM_3] = UVOW__ONLY(UVOW__KIND(STRING))},
        UVOW__TESTS(is_4),
        .kind = UVOW__MSG_EVENT,
        .name = ITEM_3,
        .value = ITEM_4,
        .session = ITEM_0,
        .session2 = ITEM_2,
    },
    {
        .denied = {[ITEM_2] = UVOW__ONLY(UVOW__KIND(STRING)),
                   [ITEM_3] = UVOW__ONLY(UVOW__KIND(STRING))},
        UVOW__TESTS(is_5),
        .kind = UVOW__MSG_CONTROL,
        .id = ITEM_1,
        .reply = &reply_5,
    },
    {
        .denied = {[ITEM_1] = UVOW__ONLY(UVOW__KIND(STRING)),
                   [STATUS] = UVOW__NOT,
                   [ITEM_3] = UVOW__ONLY(UVOW__KIND(STRING))},
        .kind = UVOW__MSG_CALL,
        .id = ITEM_1,
        .name = ITEM_3,
        .value = ITEM_4,
        .session = ITEM_0,
        .session2 = ITEM_2,
    },
};

static const uvow__piece_t call[] = {
    UVOW__PUT_VARIABLE("join_ref", NULL, "["),
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING), ","),
    UVOW__PUT_VARIABLE("topic", NULL, ","),
    UVOW__PUT(METHOD, FAILS, UVOW__KINDS_ANY, ","),
    UVOW__PUT(OBJECT, NULL, UVOW__KINDS_ANY, ","),
    UVOW__TEXT("]"),
};
static const uvow__piece_t reply[] = {
    UVOW__PUT_VARIABLE("join_ref", NULL, "["),
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING), ","),
    UVOW__PUT_VARIABLE("topic", NULL, ","),
    UVOW__TEXT(",\"phx_reply\",{\"status\":\"ok\","),
    UVOW__PUT(PARAMS, NULL, UVOW__KINDS_ANY, "\"response\":"),
    UVOW__TEXT("}]"),
};
static const uvow__piece_t reply_error[] = {
    UVOW__PUT_VARIABLE("join_ref", NULL, "["),
    UVOW__PUT(ID, NULL,
              UVOW__KIND(NUMBER) | UVOW__KIND(STRING) | UVOW__KIND(NULL), ","),
    UVOW__PUT_VARIABLE("topic", NULL, ","),
    UVOW__TEXT(",\"phx_reply\",{\"status\":"),
    UVOW__PUT(ERROR_MESSAGE, FAILS, 0, "\"error\",\"response\":{\"reason\":"),
    UVOW__TEXT("}}]"),
};
static const uvow__piece_t event[] = {
    UVOW__PUT_VARIABLE("join_ref", NULL, "["),
    UVOW__PUT_VARIABLE("topic", NULL, ",null,"),
    UVOW__PUT(METHOD, FAILS, UVOW__KINDS_ANY, ","),
    UVOW__PUT(OBJECT, NULL, UVOW__KINDS_ANY, ","),
    UVOW__TEXT("]"),
};
static const uvow__piece_t beat[] = {
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING), "[null,"),
    UVOW__TEXT(",\"phoenix\",\"heartbeat\",{}]"),
};
static const uvow__heartbeat_t heartbeat = {30000, NULL, UVOW__TEMPLATE(beat)};

const uvow_protocol_t uvow__protocol_phoenix2 = {
    .name = "phoenix2",
    .root = &root,
    .rules = rules,
    .rule_count = UVOW__COUNT(rules),
    .has_session = 1,
    .sessions = {"join_ref", "topic"},
    .ids = {.form = UVOW__IDS_TEXT},
    .native = &uvow__phoenix2_binary,
    .heartbeat = &heartbeat,
    .templates =
        {
            [UVOW__OP_CALL] = UVOW__TEMPLATE(call),
            [UVOW__OP_REPLY] = UVOW__TEMPLATE(reply),
            [UVOW__OP_REPLY_ERROR] = UVOW__TEMPLATE(reply_error),
            [UVOW__OP_EVENT] = UVOW__TEMPLATE(event),
        },
};
