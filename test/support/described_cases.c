/*
 * What is read and written as the files of docs/examples/protocols say: tables of
 * what the services' own documents show, and of what they were seen to send.
 */
#include "described_cases.h"

#include <stdio.h>
#include <stdlib.h>

/* clang-format off */
static const decode_case_t janus_reads[] = {
    {"{\"janus\":\"success\",\"transaction\":\"1\",\"data\":{\"id\":5}}", OK, 1, "\"1\"||{\"janus\":\"success\",\"transaction\":\"1\",\"data\":{\"id\":5}}|||||"},
    {"{\"janus\":\"ack\",\"session_id\":5,\"transaction\":\"3\"}", PARTIAL, 3, "\"3\"||{\"janus\":\"ack\",\"session_id\":5,\"transaction\":\"3\"}|||||"},
    {"{\"janus\":\"event\",\"session_id\":5,\"transaction\":\"3\",\"sender\":9,\"plugindata\":{\"plugin\":\"janus.plugin.echotest\",\"data\":{\"result\":\"ok\"}}}", OK, 3, "\"3\"||{\"plugin\":\"janus.plugin.echotest\",\"data\":{\"result\":\"ok\"}}|5||||"},
    {"{\"janus\":\"error\",\"transaction\":\"4\",\"error\":{\"code\":458,\"reason\":\"No such session\"}}", FAILED, 4, "\"4\"||||458|\"No such session\"||"},
    {"{\"janus\":\"webrtcup\",\"session_id\":5,\"sender\":9}", EVENT, 0, "|\"webrtcup\"|{\"janus\":\"webrtcup\",\"session_id\":5,\"sender\":9}|5||||"},
};
static const encode_case_t janus_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("create")}, "{\"janus\":\"create\",\"transaction\":\"1\"}"},
    {{.kind = UVOW__OP_CALL, .id = 3, .method = S("message"), .params = S("{\"session_id\":5,\"handle_id\":9,\"body\":{\"audio\":true}}")}, "{\"janus\":\"message\",\"transaction\":\"3\",\"session_id\":5,\"handle_id\":9,\"body\":{\"audio\":true}}"},
    {{.kind = UVOW__OP_CALL, .id = 3, .method = S("message"), .params = S("{\"transaction\":\"9\"}")}, NULL},
};

static const decode_case_t jupyter_reads[] = {
    {"{\"header\":{\"msg_id\":\"k_1\",\"msg_type\":\"execute_reply\"},\"msg_id\":\"k_1\",\"msg_type\":\"execute_reply\",\"parent_header\":{\"msg_id\":\"7\"},\"metadata\":{},\"content\":{\"status\":\"ok\",\"execution_count\":1},\"buffers\":[],\"channel\":\"shell\"}", OK, 7, "\"7\"||{\"status\":\"ok\",\"execution_count\":1}|||||"},
    {"{\"msg_type\":\"execute_reply\",\"parent_header\":{\"msg_id\":\"7\"},\"content\":{\"status\":\"error\",\"ename\":\"NameError\",\"evalue\":\"name 'a' is not defined\"},\"channel\":\"shell\"}", FAILED, 7, "\"7\"||||\"NameError\"|\"name 'a' is not defined\"|{\"status\":\"error\",\"ename\":\"NameError\",\"evalue\":\"name 'a' is not defined\"}|"},
    {"{\"msg_type\":\"stream\",\"parent_header\":{\"msg_id\":\"7\"},\"content\":{\"name\":\"stdout\",\"text\":\"hi\"},\"channel\":\"iopub\"}", PARTIAL, 7, "\"7\"||{\"msg_type\":\"stream\",\"parent_header\":{\"msg_id\":\"7\"},\"content\":{\"name\":\"stdout\",\"text\":\"hi\"},\"channel\":\"iopub\"}|||||"},
    {"{\"msg_type\":\"status\",\"parent_header\":{},\"content\":{\"execution_state\":\"starting\"},\"channel\":\"iopub\"}", EVENT, 0, "|\"status\"|{\"execution_state\":\"starting\"}|||||"},
    {"{\"msg_type\":\"stream\",\"parent_header\":{\"msg_id\":\"other-7\"},\"content\":{},\"channel\":\"iopub\"}", PARTIAL, 0, "\"other-7\"||{\"msg_type\":\"stream\",\"parent_header\":{\"msg_id\":\"other-7\"},\"content\":{},\"channel\":\"iopub\"}|||||"},
    {"{\"msg_type\":\"status\",\"parent_header\":{\"msg_id\":\"7\"},\"content\":{\"execution_state\":\"idle\"},\"channel\":\"iopub\"}", ENDED, 7, "\"7\"|||||||"},
    {"{\"msg_type\":\"status\",\"parent_header\":{\"msg_id\":\"7\"},\"content\":{\"execution_state\":\"busy\"},\"channel\":\"iopub\"}", PARTIAL, 7, "\"7\"||{\"msg_type\":\"status\",\"parent_header\":{\"msg_id\":\"7\"},\"content\":{\"execution_state\":\"busy\"},\"channel\":\"iopub\"}|||||"},
};
static const encode_case_t jupyter_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 7, .method = S("kernel_info_request")}, "{\"channel\":\"shell\",\"parent_header\":{},\"metadata\":{},\"header\":{\"msg_id\":\"7\",\"msg_type\":\"kernel_info_request\",\"version\":\"5.3\",\"username\":\"\"},\"content\":{},\"buffers\":[]}"},
};

static const decode_case_t mattermost_reads[] = {
    {"{\"status\":\"OK\",\"seq_reply\":2}", OK, 2, "2|||||||"},
    {"{\"status\":\"FAIL\",\"seq_reply\":3,\"error\":{\"id\":\"api.web_socket_router.bad_action.app_error\",\"message\":\"Unknown action\",\"status_code\":500}}", FAILED, 3, "3||||\"api.web_socket_router.bad_action.app_error\"|\"Unknown action\"|{\"id\":\"api.web_socket_router.bad_action.app_error\",\"message\":\"Unknown action\",\"status_code\":500}|"},
    {"{\"event\":\"hello\",\"data\":{\"server_version\":\"9\"},\"broadcast\":{},\"seq\":0}", EVENT, 0, "|\"hello\"|{\"event\":\"hello\",\"data\":{\"server_version\":\"9\"},\"broadcast\":{},\"seq\":0}|||||"},
};
static const encode_case_t mattermost_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("authentication_challenge"), .params = S("{\"token\":\"t\"}")}, "{\"seq\":1,\"action\":\"authentication_challenge\",\"data\":{\"token\":\"t\"}}"},
};

static const decode_case_t slack_reads[] = {
    {"{\"ok\":true,\"reply_to\":1,\"ts\":\"1355517523.000005\",\"text\":\"Hello world\"}", OK, 1, "1||{\"ok\":true,\"reply_to\":1,\"ts\":\"1355517523.000005\",\"text\":\"Hello world\"}|||||"},
    {"{\"ok\":false,\"reply_to\":1,\"error\":{\"code\":2,\"msg\":\"message text is missing\"}}", FAILED, 1, "1||||2|\"message text is missing\"||"},
    {"{\"reply_to\":4,\"type\":\"pong\",\"time\":1}", OK, 4, "4||{\"reply_to\":4,\"type\":\"pong\",\"time\":1}|||||"},
    {"{\"type\":\"message\",\"ts\":\"1\",\"user\":\"U\",\"text\":\"Hello\"}", EVENT, 0, "|\"message\"|{\"type\":\"message\",\"ts\":\"1\",\"user\":\"U\",\"text\":\"Hello\"}|||||"},
};
static const encode_case_t slack_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("message"), .params = S("{\"channel\":\"C\",\"text\":\"Hello world\"}")}, "{\"id\":1,\"type\":\"message\",\"channel\":\"C\",\"text\":\"Hello world\"}"},
};

static const decode_case_t discord_reads[] = {
    {"{\"cmd\":\"GET_GUILD\",\"data\":{\"id\":\"1\"},\"evt\":null,\"nonce\":\"9\"}", OK, 9, "\"9\"||{\"id\":\"1\"}|||||"},
    {"{\"cmd\":\"AUTHORIZE\",\"data\":{\"code\":4009,\"message\":\"Invalid scope\"},\"evt\":\"ERROR\",\"nonce\":\"9\"}", FAILED, 9, "\"9\"||||4009|\"Invalid scope\"||"},
    {"{\"cmd\":\"DISPATCH\",\"data\":{\"v\":1},\"evt\":\"READY\",\"nonce\":null}", EVENT, 0, "|\"READY\"|{\"v\":1}|||||"},
};
static const encode_case_t discord_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 9, .method = S("GET_GUILD"), .params = S("{\"guild_id\":\"1\"}")}, "{\"cmd\":\"GET_GUILD\",\"nonce\":\"9\",\"args\":{\"guild_id\":\"1\"}}"},
    {{.kind = UVOW__OP_SUBSCRIBE, .id = 9, .method = S("GUILD_STATUS")}, "{\"cmd\":\"SUBSCRIBE\",\"nonce\":\"9\",\"evt\":\"GUILD_STATUS\",\"args\":{}}"},
};

static const decode_case_t mopidy_reads[] = {
    {"{\"event\":\"volume_changed\",\"volume\":40}", EVENT, 0, "|\"volume_changed\"|{\"event\":\"volume_changed\",\"volume\":40}|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":40}", OK, 1, "1||40|||||"},
};
static const encode_case_t mopidy_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("core.mixer.get_volume")}, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"core.mixer.get_volume\"}"},
};

static const decode_case_t deribit_reads[] = {
    {"{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":\"ok\",\"usIn\":1,\"usOut\":2,\"usDiff\":1,\"testnet\":false}", OK, 5, "5||\"ok\"|||||"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"c\",\"data\":[]}}", EVENT, 0, "|\"subscription\"|{\"channel\":\"c\",\"data\":[]}|||||"},
};
static const encode_case_t deribit_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("public/test"), .params = S("{}")}, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"public/test\",\"params\":{}}"},
};
static const decode_case_t surrealdb_reads[] = {
    {"{\"id\":1,\"result\":[{\"id\":\"person:tobie\"}]}", OK, 1, "1||[{\"id\":\"person:tobie\"}]|||||"},
    {"{\"id\":2,\"error\":{\"code\":-32000,\"message\":\"There was a problem\"}}", FAILED, 2, "2||||-32000|\"There was a problem\"||"},
    {"{\"result\":{\"action\":\"CREATE\",\"id\":\"0189d6e3\",\"result\":{}}}", EVENT, 0, "|\"CREATE\"|{\"action\":\"CREATE\",\"id\":\"0189d6e3\",\"result\":{}}|||||"},
    {"{\"result\":1}", BAD, 0, NULL},
};
static const encode_case_t surrealdb_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("select"), .params = S("[\"person\"]")}, "{\"id\":1,\"method\":\"select\",\"params\":[\"person\"]}"},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("select"), .params = S("{}")}, NULL},
};
static const decode_case_t kraken_reads[] = {
    {"{\"method\":\"add_order\",\"req_id\":123456789,\"result\":{\"order_id\":\"AA5JGQ\"},\"success\":true,\"time_in\":\"2023\"}", OK, 123456789, "123456789||{\"order_id\":\"AA5JGQ\"}|||||"},
    {"{\"error\":\"EOrder:Insufficient funds\",\"method\":\"add_order\",\"req_id\":3,\"success\":false}", FAILED, 3, "3|||||\"EOrder:Insufficient funds\"||"},
    {"{\"method\":\"pong\",\"req_id\":101,\"time_in\":\"2023\"}", OK, 101, "101|||||||"},
    {"{\"channel\":\"heartbeat\"}", IGNORED, 0, "|||||||"},
    {"{\"channel\":\"ticker\",\"type\":\"update\",\"data\":[]}", EVENT, 0, "|\"ticker\"|{\"channel\":\"ticker\",\"type\":\"update\",\"data\":[]}|||||"},
};
static const encode_case_t kraken_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 7, .method = S("subscribe"), .params = S("{\"channel\":\"ticker\"}")}, "{\"method\":\"subscribe\",\"req_id\":7,\"params\":{\"channel\":\"ticker\"}}"},
    {{.kind = UVOW__OP_CALL, .id = 8, .method = S("ping")}, "{\"method\":\"ping\",\"req_id\":8}"},
};
static const decode_case_t binance_reads[] = {
    {"{\"id\":\"17\",\"status\":200,\"result\":{\"serverTime\":1656400526260},\"rateLimits\":[]}", OK, 17, "\"17\"||{\"serverTime\":1656400526260}|||||"},
    {"{\"id\":\"18\",\"status\":400,\"error\":{\"code\":-2010,\"msg\":\"Account has insufficient balance\"},\"rateLimits\":[]}", FAILED, 18, "\"18\"||||-2010|\"Account has insufficient balance\"||"},
    {"{\"event\":{\"e\":\"executionReport\",\"s\":\"ETHBTC\"}}", EVENT, 0, "|\"executionReport\"|{\"e\":\"executionReport\",\"s\":\"ETHBTC\"}|||||"},
    {"{\"id\":\"18\",\"status\":400}", BAD, 0, NULL},
};
static const encode_case_t binance_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 17, .method = S("time")}, "{\"id\":\"17\",\"method\":\"time\"}"},
};
static const decode_case_t ddp_reads[] = {
    {"{\"server_id\":\"0\"}", IGNORED, 0, "|||||||"},
    {"{\"msg\":\"result\",\"id\":\"3\",\"result\":5}", OK, 3, "\"3\"||5|||||"},
    {"{\"msg\":\"result\",\"id\":\"3\",\"error\":{\"isClientSafe\":true,\"error\":404,\"reason\":\"Method 'x' not found\",\"errorType\":\"Meteor.Error\"}}", FAILED, 3, "\"3\"||||404|\"Method 'x' not found\"|{\"isClientSafe\":true,\"error\":404,\"reason\":\"Method 'x' not found\",\"errorType\":\"Meteor.Error\"}|"},
    {"{\"msg\":\"updated\",\"methods\":[\"3\"]}", ENDED, 3, "\"3\"|||||||"},
    {"{\"msg\":\"ready\",\"subs\":[\"4\"]}", OK, 4, "\"4\"||\"4\"|||||"},
    {"{\"msg\":\"nosub\",\"id\":\"4\",\"error\":{\"error\":404,\"reason\":\"Subscription 'x' not found\"}}", FAILED, 4, "\"4\"||||404|\"Subscription 'x' not found\"||"},
    {"{\"msg\":\"added\",\"collection\":\"posts\",\"id\":\"a\",\"fields\":{}}", EVENT, 0, "|\"added\"|{\"msg\":\"added\",\"collection\":\"posts\",\"id\":\"a\",\"fields\":{}}|||||"},
    {"{\"msg\":\"ping\",\"id\":\"x\"}", CONTROL, 0, "\"x\"|||||||"},
    {"{\"msg\":\"ping\"}", CONTROL, 0, "|||||||"},
};
static const encode_case_t ddp_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 3, .method = S("add"), .params = S("[1,2]")}, "{\"msg\":\"method\",\"method\":\"add\",\"params\":[1,2],\"id\":\"3\"}"},
    {{.kind = UVOW__OP_SUBSCRIBE, .id = 4, .method = S("posts")}, "{\"msg\":\"sub\",\"name\":\"posts\",\"params\":[],\"id\":\"4\"}"},
    {{.kind = UVOW__OP_CANCEL, .id = 4}, "{\"msg\":\"unsub\",\"id\":\"4\"}"},
};
static const decode_case_t obs5_server_reads[] = {
    {"{\"op\":1,\"d\":{\"rpcVersion\":1,\"authentication\":\"A\"}}", EVENT, 0, "|\"identify\"|{\"rpcVersion\":1,\"authentication\":\"A\"}|||||"},
    {"{\"op\":6,\"d\":{\"requestType\":\"GetVersion\",\"requestId\":\"f81\",\"requestData\":{\"a\":1}}}", CALL, 0, "\"f81\"|\"GetVersion\"|{\"a\":1}|||||"},
};
static const encode_case_t obs5_server_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m")}, NULL},
};
static const decode_case_t wamp2_server_reads[] = {
    {"[1,\"r\",{}]", CONTROL, 0, "|||||||"},
    {"[48,5,{},\"com.add\",[1]]", CALL, 5, "5|\"com.add\"|[1]|||||"},
    {"[49,5,{\"mode\":\"kill\"}]", CANCEL, 5, "5|||||||"},
    {"[16,6,{},\"com.news\",[\"hi\"]]", EVENT, 0, "|\"com.news\"|[\"hi\"]|||||"},
    {"[32,7,{},\"com.news\"]", CONTROL, 7, "7|||||||"},
    {"[6,{},\"wamp.close.normal\"]", CONTROL, 0, "|||||||"},
    {"[50,5,{},[1]]", BAD, 0, NULL},
};
static const encode_case_t wamp2_server_writes[] = {
    {{.kind = UVOW__OP_REPLY, .raw_id = S("5"), .params = S("[1]")}, "[50,5,{},[1]]"},
    {{.kind = UVOW__OP_PARTIAL, .raw_id = S("5"), .params = S("[1]")}, "[50,5,{\"progress\":true},[1]]"},
    {{.kind = UVOW__OP_REPLY_ERROR, .raw_id = S("5"), .error_message = S("no")}, "[8,48,5,{},\"uvow.error\",[\"no\"]]"},
    {{.kind = UVOW__OP_EVENT, .method = S("com.news"), .params = S("[\"hi\"]")}, "[36,77,1,{},[\"hi\"]]"},
};
/* clang-format on */

const service_t described_cases[] = {
    SERVICE(janus),   SERVICE(jupyter),     SERVICE(mattermost),
    SERVICE(slack),   SERVICE(discord),     SERVICE(mopidy),
    SERVICE(deribit), SERVICE(surrealdb),   SERVICE(kraken),
    SERVICE(binance), SERVICE(obs5_server), SERVICE(wamp2_server),
    SERVICE(ddp),
};
const size_t described_count = UVOW__COUNT(described_cases);

size_t described_text(const char *folder, const char *name, char *ret,
                      size_t size) {
  char path[1000];
  const char *root = getenv("TEST_ROOT");
  snprintf(path, sizeof(path), "%s/docs/%s/protocols/%s.json",
           root ? root : "../..", folder, name);
  FILE *file = fopen(path, "rb");
  if (!file)
    fail_msg("%s", path);
  size_t len = fread(ret, 1, size, file);
  fclose(file);
  assert_true(len < size);
  return len;
}

uvow_protocol_t *described_load(const char *folder, const char *name) {
  static char text[65536];
  uvow_error_t *error = NULL;
  size_t len = described_text(folder, name, text, sizeof(text));
  uvow_protocol_t *made = uvow_protocol_parse(text, len, &error);
  if (!made)
    fail_msg("%s: %s", name, uvow_error_message(error));
  assert_string_equal(uvow_protocol_name(made), name);
  return made;
}
