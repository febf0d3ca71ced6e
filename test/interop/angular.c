/*
 * A server for the service that callback_id comes from, written with AngularJS,
 * in a browser: ten thousand calls at once, none answered in its turn.
 */
#include "support/chromium.h"
#include "support/pages.h"
#include "support/serve.h"

#include <stdio.h>

enum { CALLS = 10000, HELD = 500 };

typedef struct shop {
  uvow_promise_t *held[HELD];
  int64_t numbers[HELD];
  size_t count;
  size_t calls;
} shop_t;

/* Unless what the browser needs isn't there. */
static shop_t *make_shop(void) {
  char path[1024];
  interop_need("chromium");
  interop_npm_path("angular/angular.min.js", path, sizeof(path));
  shop_t *shop = (shop_t *)calloc(1, sizeof(*shop));
  assert_non_null(shop);
  return shop;
}

/* Another one than the last, each time. */
static size_t pick(size_t left) {
  return (left * 7919 + 13) % left;
}

static void answer_all(shop_t *shop, uvow_loop_t *loop) {
  while (shop->count) {
    size_t i = pick(shop->count);
    uvow_promise_t *promise = shop->held[i];
    int64_t number = shop->numbers[i];
    char name[40];
    shop->count--;
    shop->held[i] = shop->held[shop->count];
    shop->numbers[i] = shop->numbers[shop->count];
    snprintf(name, sizeof(name), "customer %d", (int)number);
    uvow_promise_fulfill(promise, uvow_value_jsonf(loop, "{s:I, s:s}", "number",
                                                   number, "name", name));
  }
}

/* Waits until many were asked for; then all are answered, in no order. */
static uvow_next_t get_customer(uvow_call_t *call, const uvow_result_t *params,
                                void *data) {
  shop_t *shop = (shop_t *)data;
  uvow_loop_t *loop = uvow_call_loop(call);
  if (uvow_result_get_int64(params, "/number", &shop->numbers[shop->count]))
    return uvow_next_code(UVOW_EINVAL, "which customer?");
  uvow_future_t *f = uvow_promise_new(loop, &shop->held[shop->count]);
  shop->calls++;
  if (++shop->count == HELD)
    answer_all(shop, loop);
  return uvow_next_future(f);
}

/* origin: whose pages may come, or NULL: the server's own. */
static uvow_server_t *open_shop(interop_t *it, shop_t *shop,
                                const char *origin) {
  uvow_server_t *server;
  test_serve_t options = test_serve_options();
  options.listener.origins = &origin;
  options.listener.origin_count = origin ? 1 : 0;
  options.peer.protocol = uvow_protocol_by_name("callback_id");
  assert_int_equal(test_serve(it->loop, &options, &server), 0);
  assert_int_equal(test_method(server, "get_customer", get_customer, shop), 0);
  return server;
}

static const char html[] =
    "<!DOCTYPE html><html ng-app=\"shop\">"
    "<title>shop</title>"
    "<script src=\"/angular.js\"></script>"
    "<script src=\"/service.js\"></script></html>";

static char *read_script(const char *name, size_t *len) {
  char path[1024];
  FILE *file = fopen(process_script(name, path, sizeof(path)), "rb");
  char *text = (char *)malloc(65536);
  assert_non_null(file);
  assert_non_null(text);
  *len = fread(text, 1, 65536, file);
  assert_true(*len > 0 && *len < 65536);
  fclose(file);
  return text;
}

/* A browser, with a page to come to. */
typedef struct street {
  uvow_peer_t *page;
  pages_t pages;
  page_t list[3];
  char *texts[2];
} street_t;

static void street_open(street_t *street, interop_t *it) {
  size_t lens[2];
  char url[128];
  street->texts[0] = interop_npm_file("angular/angular.min.js", &lens[0]);
  street->texts[1] = read_script("angular.js", &lens[1]);
  chromium_start(it, url, sizeof(url));
  interop_connect(it, url, uvow_protocol_by_name("cdp"));
  street->page = chromium_page(it, NULL);
  street->list[0] = (page_t){"/", "text/html", html, sizeof(html) - 1};
  street->list[1] =
      (page_t){"/angular.js", "text/javascript", street->texts[0], lens[0]};
  street->list[2] =
      (page_t){"/service.js", "text/javascript", street->texts[1], lens[1]};
  pages_serve(&street->pages, it->loop, street->list, 3);
}

/* What the page says once all is answered, with the service's URL behind #. */
static json_t *street_visit(street_t *street, interop_t *it,
                            const uvow_server_t *server) {
  char url[128];
  snprintf(url, sizeof(url), "http://127.0.0.1:%d/#ws://127.0.0.1:%d/",
           street->pages.port, uvow_server_port(server));
  chromium_navigate(it, street->page, url);
  return chromium_value(chromium_evaluate(it, street->page, "window.outcome"));
}

static void street_close(street_t *street, interop_t *it) {
  pages_end(&street->pages);
  uvow_peer_unref(street->page);
  chromium_close(it);
  interop_finish(it);
  free(street->texts[0]);
  free(street->texts[1]);
}

static json_int_t number_in(json_t *outcome, const char *name) {
  json_t *number = json_object_get(outcome, name);
  if (!number)
    fail_msg("%s", json_dumps(outcome, 0));
  return json_integer_value(number);
}

static void ten_thousand_calls_of_a_page(void **state) {
  interop_t *it = (interop_t *)*state;
  street_t street;
  char origin[64];
  shop_t *shop = make_shop();
  street_open(&street, it);
  snprintf(origin, sizeof(origin), "http://127.0.0.1:%d", street.pages.port);
  uvow_server_t *server = open_shop(it, shop, origin);
  json_t *outcome = street_visit(&street, it, server);
  assert_int_equal(number_in(outcome, "right"), CALLS);
  assert_true(number_in(outcome, "inOrder") < CALLS / 10);
  assert_string_equal(json_string_value(json_object_get(outcome, "refused")),
                      "Method not found");
  assert_int_equal(shop->calls, CALLS);
  uvow_server_free(server);
  street_close(&street, it);
  free(shop);
}

/* A browser says whose page it is. */
static void a_page_of_another_origin_is_refused(void **state) {
  interop_t *it = (interop_t *)*state;
  street_t street;
  shop_t *shop = make_shop();
  street_open(&street, it);
  uvow_server_t *server = open_shop(it, shop, NULL);
  json_t *outcome = street_visit(&street, it, server);
  assert_non_null(json_object_get(outcome, "error"));
  assert_int_equal(shop->calls, 0);
  uvow_server_free(server);
  street_close(&street, it);
  free(shop);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(angular) {
  const struct CMUnitTest tests[] = {
      TEST(ten_thousand_calls_of_a_page),
      TEST(a_page_of_another_origin_is_refused),
  };
  return cmocka_run_group_tests_name("interop/angular", tests, NULL, NULL);
}
