/* The command line: what is understood, and what is said of what isn't. */
#include "support/serve.h"
#include "support/support.h"

#include <args.h>
#include <table.h>

/* Parses copies of the words, as a program may change its argv. */
static int parse(args_t *args, const char *const *words) {
  static char texts[40][128];
  static char *argv[41];
  int argc = 0;
  for (; words[argc]; argc++) {
    assert_true(argc < 40 && strlen(words[argc]) < sizeof(texts[0]));
    argv[argc] = strcpy(texts[argc], words[argc]);
  }
  argv[argc] = NULL;
  return args_parse(args, argc, argv);
}

#define PARSE(args, ...)                                                       \
  parse((args), (const char *const[]){"uvow", __VA_ARGS__, NULL})

static void assert_wrong(const char *const *words, const char *error) {
  args_t args;
  assert_int_equal(parse(&args, words), -1);
  assert_string_equal(args.error, error);
}

#define ASSERT_WRONG(error, ...)                                               \
  assert_wrong((const char *const[]){"uvow", __VA_ARGS__, NULL}, (error))

TEST_CASE(a_bench_has_defaults) {
  args_t args;
  assert_int_equal(PARSE(&args, "bench", "--url", "ws://h/"), 0);
  assert_int_equal(args.command, COMMAND_BENCH);
  assert_string_equal(args.url, "ws://h/");
  assert_ptr_equal(args.protocol, uvow_protocol_by_name("jsonrpc2"));
  assert_string_equal(args.method, "echo");
  assert_string_equal(args.params, "{\"x\":81}");
  assert_int_equal(args.inflight, 64);
  assert_int_equal(args.connections, 1);
  assert_int_equal(args.timeout_ms, 10000);
  assert_true(args.seconds == 5);
  assert_true(args.warmup == 0.5);
  assert_int_equal(args.requests, 0);
}

TEST_CASE(each_option_is_taken) {
  args_t args;
  assert_int_equal(PARSE(&args, "bench", "--url=ws://h/?a=b", "--protocol",
                         "cdp", "--inflight", "7", "--connections", "3",
                         "--seconds", "0.25", "--rate", "1e3", "--json-values",
                         "--line", "--timeout=9", "--method", "m", "--params",
                         "[1]", "--warmup", "0"),
                   0);
  assert_string_equal(args.url, "ws://h/?a=b");
  assert_ptr_equal(args.protocol, uvow_protocol_by_name("cdp"));
  assert_int_equal(args.inflight, 7);
  assert_int_equal(args.connections, 3);
  assert_true(args.seconds == 0.25);
  assert_true(args.rate == 1000);
  assert_true(args.json_values && args.line && !args.verify);
  assert_int_equal(args.timeout_ms, 9);
  assert_string_equal(args.method, "m");
  assert_string_equal(args.params, "[1]");
  assert_true(args.warmup == 0);
}

TEST_CASE(requests_replace_seconds_and_warmup) {
  args_t args;
  assert_int_equal(PARSE(&args, "bench", "--url", "u", "--requests", "5"), 0);
  assert_int_equal(args.requests, 5);
  assert_true(args.seconds == 0);
  assert_true(args.warmup == 0);
}

TEST_CASE(headers_and_subprotocols_may_be_many) {
  args_t args;
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_websocket_options_t ws = {.size = sizeof(ws)};
  assert_int_equal(PARSE(&args, "call", "--header", "A: b:c",
                         "--header=D:", "--subprotocol", "s1", "--subprotocol",
                         "s2", "--url", "u", "m"),
                   0);
  args_to_client(&args, &options, &ws);
  assert_int_equal(ws.header_count, 2);
  assert_string_equal(ws.headers[0].name, "A");
  assert_string_equal(ws.headers[0].value, "b:c");
  assert_string_equal(ws.headers[1].name, "D");
  assert_string_equal(ws.headers[1].value, "");
  assert_int_equal(ws.subprotocol_count, 2);
  assert_string_equal(ws.subprotocols[1], "s2");
  assert_int_equal(options.timeout_ms, 30000);
}

TEST_CASE(a_connection_is_as_the_options_say) {
  args_t args;
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_websocket_options_t ws = {.size = sizeof(ws)};
  assert_int_equal(PARSE(&args, "bench", "--url", "u"), 0);
  args_to_client(&args, &options, &ws);
  assert_null(ws.proxy);
  assert_false(ws.proxy_from_environment);
  assert_null(ws.bearer);
  assert_null(ws.origin);
  assert_null(ws.deflate);
  assert_int_equal(PARSE(&args, "call", "--url", "u", "-x", "HTTP://p:1",
                         "--oauth2-bearer", "t", "--origin", "o", "--deflate",
                         "-H", "A: b", "-k", "m"),
                   0);
  args_to_client(&args, &options, &ws);
  assert_string_equal(ws.proxy, "HTTP://p:1");
  assert_string_equal(ws.bearer, "t");
  assert_string_equal(ws.origin, "o");
  assert_string_equal(ws.headers[0].value, "b");
  assert_non_null(ws.deflate);
  assert_true(args.insecure);
  assert_int_equal(PARSE(&args, "bench", "--url", "u", "--proxy-env",
                         "--deflate", "--no-deflate"),
                   0);
  args_to_client(&args, &options, &ws);
  assert_true(ws.proxy_from_environment);
  assert_null(ws.deflate);
  assert_int_equal(PARSE(&args, "call", "--url", "u", "--proxy=", "m"), 0);
  args_to_client(&args, &options, &ws);
  assert_string_equal(ws.proxy, ""); /* none */
}

/* Or one of them could never be given. */
TEST_CASE(a_name_is_one_option_of_a_command) {
  for (size_t i = 0; i < command_option_count; i++)
    for (size_t k = 0; k < i; k++)
      if ((command_options[i].commands & command_options[k].commands) &&
          (strcmp(command_options[i].name, command_options[k].name) == 0 ||
           (command_options[i].letter &&
            command_options[i].letter == command_options[k].letter)))
        fail_msg("--%s and --%s are options of one command",
                 command_options[k].name, command_options[i].name);
}

TEST_CASE(vars_are_an_object) {
  args_t args;
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_websocket_options_t ws = {.size = sizeof(ws)};
  assert_int_equal(PARSE(&args, "call", "u://", "m", "--vars", "{\"a\":1}"), 0);
  args_to_client(&args, &options, &ws);
  assert_string_equal(options.vars, "{\"a\":1}");
  ASSERT_WRONG("--vars is no JSON object", "call", "u://", "m", "--vars",
               "[1]");
  ASSERT_WRONG(
      "--vars is no JSON object: string or '}' expected near end of file",
      "call", "u://", "m", "--vars", "{");
  ASSERT_WRONG("the vars can't be read from @/nowhere/at/all", "serve",
               "--vars", "@/nowhere/at/all");
}

TEST_CASE(a_server_is_as_the_options_say) {
  args_t args;
  test_serve_t options = test_serve_options();
  assert_int_equal(PARSE(&args, "serve", "--unix-socket", "/s", "--subprotocol",
                         "a", "--subprotocol", "b", "--deflate"),
                   0);
  args_to_server(&args, &options.listener, &options.peer);
  assert_string_equal(options.listener.socket_path, "/s");
  assert_null(options.listener.host);
  assert_int_equal(options.listener.subprotocol_count, 2);
  assert_non_null(options.listener.deflate);
  assert_int_equal(PARSE(&args, "serve", "--host", "::1", "--port", "7"), 0);
  args_to_server(&args, &options.listener, &options.peer);
  assert_null(options.listener.socket_path);
  assert_string_equal(options.listener.host, "::1");
  assert_int_equal(options.listener.port, 7);
}

TEST_CASE(a_call_has_a_method_and_params) {
  args_t args;
  assert_int_equal(
      PARSE(&args, "call", "--url", "u", "--pretty", "--", "-m", "[-1]"), 0);
  assert_string_equal(args.method, "-m");
  assert_string_equal(args.params, "[-1]");
  assert_true(args.pretty);
  assert_int_equal(PARSE(&args, "call", "m", "--url", "u"), 0);
  assert_null(args.params);
}

TEST_CASE(help_needs_nothing_else) {
  args_t args;
  assert_int_equal(PARSE(&args, "bench", "--help"), 0);
  assert_true(args.help);
  assert_int_equal(PARSE(&args, "--help"), 0);
  assert_true(args.help);
  assert_int_equal(PARSE(&args, "--version"), 0);
  assert_true(args.version);
}

TEST_CASE(what_is_unknown_is_named) {
  ASSERT_WRONG("unknown command fly", "fly");
  ASSERT_WRONG("unknown option --fly", "--fly");
  ASSERT_WRONG("unknown option --fly", "bench", "--fly");
  ASSERT_WRONG("unknown option --fly=3", "bench", "--fly=3");
  ASSERT_WRONG("unknown option -i", "bench", "-i", "3");
  ASSERT_WRONG("unknown option --inflight", "serve", "--inflight", "3");
  ASSERT_WRONG("unknown option --infligh", "bench", "--infligh", "3");
  ASSERT_WRONG("unknown option --=3", "bench", "--=3");
  ASSERT_WRONG("word: what is it for?", "bench", "word");
  ASSERT_WRONG("--protocol: there is no \"x\"", "serve", "--protocol", "x");
}

TEST_CASE(a_bad_value_is_named) {
  ASSERT_WRONG("--url wants a value", "bench", "--url");
  ASSERT_WRONG("--line takes no value", "bench", "--line=1");
  ASSERT_WRONG("--inflight can't be 0", "bench", "--inflight", "0");
  ASSERT_WRONG("--inflight wants a whole number, not \"-1\"", "bench",
               "--inflight", "-1");
  ASSERT_WRONG("--inflight wants a whole number, not \"4x\"", "bench",
               "--inflight", "4x");
  ASSERT_WRONG("--inflight wants a whole number, not \"\"", "bench",
               "--inflight=");
  ASSERT_WRONG("--requests wants a whole number, not \"99999999999999999999\"",
               "bench", "--requests", "99999999999999999999");
  ASSERT_WRONG("--port can't be 65536", "serve", "--port", "65536");
  ASSERT_WRONG("--rate wants a number, not \"nan\"", "bench", "--rate", "nan");
  ASSERT_WRONG("--rate can't be -1", "bench", "--rate", "-1");
  ASSERT_WRONG("--seconds wants a number, not \"5s\"", "bench", "--seconds",
               "5s");
  ASSERT_WRONG("--header wants \"Name: value\", not \"x\"", "call", "--header",
               "x");
  ASSERT_WRONG("--header wants a value", "call", "-H");
  ASSERT_WRONG("unknown option -Hx", "call", "-Hx");
  ASSERT_WRONG("unknown option -k", "serve", "-k");
  /* What is wrong isn't shown: there's a password in it. */
  ASSERT_WRONG("--proxy wants http://[user:password@]host[:port]", "call", "-x",
               "socks5://u:secret@h");
  ASSERT_WRONG("--proxy wants http://[user:password@]host[:port]", "bench",
               "--proxy=localhost:3128");
  ASSERT_WRONG("--report wants a .html, .svg or .json file, not \"a.txt\"",
               "bench", "--report", "a.txt");
}

TEST_CASE(what_is_missing_or_too_much_is_named) {
  ASSERT_WRONG("URL is missing", "bench");
  ASSERT_WRONG("URL is missing", "call", "m");
  ASSERT_WRONG("--key is the key of a --cert: there is none", "serve", "--key",
               "c");
  ASSERT_WRONG("--cacert is for wss: not without --cert", "serve", "--cacert",
               "c");
  ASSERT_WRONG("--unix-socket: not with --host, --port or --cert", "serve",
               "--unix-socket", "/s", "--port", "1");
  ASSERT_WRONG("--proxy or --proxy-env, not both", "call", "--url", "u",
               "--proxy", "", "--proxy-env", "m");
  ASSERT_WRONG("METHOD is missing", "call", "--url", "u");
  ASSERT_WRONG("x: METHOD and PARAMS are there already", "call", "--url", "u",
               "m", "1", "x");
  ASSERT_WRONG("--seconds or --requests, not both", "bench", "--url", "u",
               "--seconds", "1", "--requests", "1");
  ASSERT_WRONG("--verify makes params of its own: not with --params", "bench",
               "--url", "u", "--verify", "--params", "[]");
  ASSERT_WRONG("--inflight is of all --connections: it can't be less", "bench",
               "--url", "u", "--inflight", "2", "--connections", "3");
}

TEST_CASE(params_must_be_json) {
  args_t args;
  assert_int_equal(PARSE(&args, "call", "--url", "u", "m", "{"), -1);
  assert_non_null(strstr(args.error, "the params are not JSON: "));
  assert_int_equal(PARSE(&args, "bench", "--url", "u", "--params", "1 2"), -1);
  assert_int_equal(PARSE(&args, "call", "--url", "u", "m", "null"), 0);
}

TEST_MODULE(args) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_bench_has_defaults),
      cmocka_unit_test(each_option_is_taken),
      cmocka_unit_test(requests_replace_seconds_and_warmup),
      cmocka_unit_test(headers_and_subprotocols_may_be_many),
      cmocka_unit_test(a_connection_is_as_the_options_say),
      cmocka_unit_test(a_name_is_one_option_of_a_command),
      cmocka_unit_test(vars_are_an_object),
      cmocka_unit_test(a_server_is_as_the_options_say),
      cmocka_unit_test(a_call_has_a_method_and_params),
      cmocka_unit_test(help_needs_nothing_else),
      cmocka_unit_test(what_is_unknown_is_named),
      cmocka_unit_test(a_bad_value_is_named),
      cmocka_unit_test(what_is_missing_or_too_much_is_named),
      cmocka_unit_test(params_must_be_json),
  };
  return cmocka_run_group_tests_name("cli/args", tests, NULL, NULL);
}
