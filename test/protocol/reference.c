/*
 * The pages of docs/reference/protocols: what they show is what the built-in
 * protocols write and read. A line "-> call {...}" is what is written for a
 * method "m" with params {"a":1}; a line "<- event {...}" is read as that.
 */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/protocol.h"

#define TEXT(text) ((uvow__slice_t){text, sizeof(text) - 1})

static const char *const names[] = {"callback_id",
                                    "cdp",
                                    "graphql_transport_ws",
                                    "home_assistant",
                                    "jsonrpc2",
                                    "lsp",
                                    "mcp",
                                    "obs5",
                                    "phoenix2",
                                    "wamp2",
                                    "webdriver_bidi"};

static const struct {
  const char *name;
  uvow__op_kind_t kind;
} writes[] = {
    {"call", UVOW__OP_CALL},       {"subscribe", UVOW__OP_SUBSCRIBE},
    {"notify", UVOW__OP_NOTIFY},   {"cancel", UVOW__OP_CANCEL},
    {"reply", UVOW__OP_REPLY},     {"reply_error", UVOW__OP_REPLY_ERROR},
    {"partial", UVOW__OP_PARTIAL}, {"end", UVOW__OP_END},
    {"event", UVOW__OP_EVENT},
};

static const char *const kinds[] = {
    "malformed", "ok",     "error", "partial", "event", "call",
    "control",   "ignore", "end",   "cancel",  "fault", "bad_call"};

/* A page, with its NUL; freed by the caller. */
static char *load(const char *name) {
  char path[1000];
  const char *root = getenv("TEST_ROOT");
  char *text = (char *)calloc(1, 65536);
  assert_non_null(text);
  snprintf(path, sizeof(path), "%s/docs/reference/protocols/%s.md",
           root ? root : "../..", name);
  FILE *file = fopen(path, "rb");
  if (!file)
    fail_msg("%s is missing", path);
  assert_true(fread(text, 1, 65535, file) > 0);
  fclose(file);
  return text;
}

/* What is written for an operation, "" if it can't be. */
static void write_as(const uvow_protocol_t *protocol, uvow__op_kind_t kind,
                     char *to, size_t cap) {
  int is_text = protocol->ids.form != UVOW__IDS_NUMBER;
  int is_answer = kind == UVOW__OP_REPLY || kind == UVOW__OP_REPLY_ERROR ||
                  kind == UVOW__OP_PARTIAL || kind == UVOW__OP_END;
  uvow__op_t op = {.kind = kind, .id = 1, .method = TEXT("m")};
  uvow__buf_t out;
  op.params = TEXT("{\"a\":1}");
  if (is_answer)
    op.raw_id = is_text ? TEXT("\"1\"") : TEXT("1");
  op.error_code = 5;
  op.error_message = TEXT("no");
  uvow__buf_init(&out, &uvow__mem_default, 10000);
  *to = '\0';
  if (uvow__protocol_can(protocol, kind) &&
      uvow__protocol_encode(protocol, &op, &out) == 0)
    snprintf(to, cap, "%.*s", (int)uvow__buf_size(&out),
             (char *)uvow__buf_front(&out));
  uvow__buf_done(&out);
}

/* All that a protocol can write is on its page. */
static void check_writes(const uvow_protocol_t *protocol, const char *page) {
  for (size_t i = 0; i < UVOW__COUNT(writes); i++) {
    char line[600];
    int len = snprintf(line, sizeof(line), "-> %-11s ", writes[i].name);
    write_as(protocol, writes[i].kind, line + len, sizeof(line) - (size_t)len);
    if (line[len] && !strstr(page, line))
      fail_msg("%s.md lacks this line:\n%s", protocol->name, line);
    if (!line[len] && strstr(page, line))
      fail_msg("%s.md shows what can't be written: %s", protocol->name,
               writes[i].name);
  }
}

/* What it shows as read is read so, and each kind that a rule has is shown. */
static void check_reads(const uvow_protocol_t *protocol, const char *page) {
  unsigned shown = 0;
  for (const char *at = strstr(page, "\n<- "); at; at = strstr(at, "\n<- ")) {
    uvow__msg_t msg;
    char kind[20];
    at += 4;
    assert_int_equal(sscanf(at, "%19s", kind), 1);
    const char *text = at + strlen(kind);
    text += strspn(text, " ");
    if (uvow__protocol_decode(protocol, text, strcspn(text, "\n"), &msg) ||
        strcmp(kinds[msg.kind], kind) != 0)
      fail_msg("%s.md: not read as %s: %.*s", protocol->name, kind,
               (int)strcspn(text, "\n"), text);
    shown |= 1u << msg.kind;
  }
  for (size_t i = 0; i < protocol->rule_count; i++)
    if (protocol->rules[i].kind && protocol->rules[i].kind < UVOW__MSG_FAULT &&
        !(shown & 1u << protocol->rules[i].kind))
      fail_msg("%s.md shows nothing that is read as %s", protocol->name,
               kinds[protocol->rules[i].kind]);
}

TEST_CASE(pages_show_what_is) {
  for (size_t i = 0; i < UVOW__COUNT(names); i++) {
    const uvow_protocol_t *protocol = uvow_protocol_by_name(names[i]);
    char *page = load(names[i]);
    char line[100];
    assert_non_null(protocol);
    check_writes(protocol, page);
    check_reads(protocol, page);
    snprintf(line, sizeof(line), "`%s`",
             protocol->subprotocol ? protocol->subprotocol : "none");
    if (!strstr(page, line))
      fail_msg("%s.md doesn't say its subprotocol: %s", names[i], line);
    free(page);
  }
}

TEST_MODULE(reference) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pages_show_what_is),
  };
  return cmocka_run_group_tests_name("protocol/reference", tests, NULL, NULL);
}
