/* The files of sockets: which are in the way, and which are gone servers'. */
#include "net/stale.h"

#include "support/faults.h"
#include "support/folder.h"
#include "support/script.h"

#include <stdio.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/tcp.h"

typedef struct fixture {
  folder_t folder;
  char path[FOLDER_PATH];
} fixture_t;

static void start(fixture_t *x, const char *text) {
  folder_make(&x->folder);
  folder_file(&x->folder, "socket", text, x->path);
}

/* A socket with this name, that listens if `backlog` isn't negative. */
static int bind_socket(const char *path, int type, int backlog) {
  struct sockaddr_un address;
  int fd = socket(AF_UNIX, type, 0);
  assert_true(fd >= 0);
  memset(&address, 0, sizeof(address));
  address.sun_family = AF_UNIX;
  assert_true(strlen(path) < sizeof(address.sun_path));
  strcpy(address.sun_path, path);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
  if (backlog >= 0)
    assert_int_equal(listen(fd, backlog), 0);
  return fd;
}

static int connect_to(const char *path) {
  struct sockaddr_un address;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  memset(&address, 0, sizeof(address));
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, path);
  int rc = connect(fd, (struct sockaddr *)&address, sizeof(address));
  if (rc == 0)
    return fd;
  close(fd);
  return -1;
}

static int is_there(const char *path) {
  uv_fs_t req;
  int rc = uv_fs_lstat(NULL, &req, path, NULL);
  uv_fs_req_cleanup(&req);
  return rc == 0;
}

static void leave_socket(const fixture_t *x) {
  close(bind_socket(x->path, SOCK_STREAM, 5)); /* as when it's killed */
  assert_true(is_there(x->path));
}

TEST_CASE(a_gone_servers_is_removed) {
  fixture_t x;
  start(&x, NULL);
  leave_socket(&x);
  assert_true(uvow__stale_remove(x.path));
  assert_false(is_there(x.path));
  assert_false(uvow__stale_remove(x.path)); /* there's none */
  folder_remove(&x.folder);
}

/* Whether somebody listens can't be found out: it stays. */
TEST_CASE(one_that_cannot_be_tried_stays) {
  static const char *const calls[] = {"uv_loop_init", "uv_pipe_init"};
  fixture_t x;
  start(&x, NULL);
  leave_socket(&x);
  for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
    faults_begin(calls[i], UV_EMFILE, 1, 1);
    assert_false(uvow__stale_remove(x.path));
    assert_int_equal(faults_end(), 1);
    assert_true(is_there(x.path));
  }
  assert_true(uvow__stale_remove(x.path));
  folder_remove(&x.folder);
}

/* It is another by now, or none. */
TEST_CASE(one_that_changes_meanwhile_stays) {
  fixture_t x;
  start(&x, NULL);
  leave_socket(&x);
  faults_begin("uv_fs_lstat", UV_ENOENT, 2, 1);
  assert_false(uvow__stale_remove(x.path));
  assert_int_equal(faults_end(), 1);
  assert_true(is_there(x.path));
  folder_remove(&x.folder);
}

TEST_CASE(one_that_listens_stays) {
  fixture_t x;
  start(&x, NULL);
  int server = bind_socket(x.path, SOCK_STREAM, 5);
  assert_false(uvow__stale_remove(x.path));
  int client = connect_to(x.path);
  assert_true(client >= 0);
  close(client);
  close(server);
  folder_remove(&x.folder);
}

/* Nobody accepts, and no more fit: a connect isn't refused, but put off. */
TEST_CASE(one_with_a_full_queue_stays) {
  fixture_t x;
  start(&x, NULL);
  int server = bind_socket(x.path, SOCK_STREAM, 0);
  int client = connect_to(x.path);
  assert_true(client >= 0);
  for (int i = 0; i < 3; i++)
    assert_false(uvow__stale_remove(x.path));
  assert_true(is_there(x.path));
  close(client);
  close(server);
  folder_remove(&x.folder);
}

TEST_CASE(another_type_of_socket_stays) {
  fixture_t x;
  start(&x, NULL);
  int fd = bind_socket(x.path, SOCK_DGRAM, -1);
  assert_false(uvow__stale_remove(x.path));
  assert_true(is_there(x.path));
  close(fd);
  folder_remove(&x.folder);
}

TEST_CASE(what_is_no_socket_stays) {
  fixture_t x;
  char link[FOLDER_PATH];
  uv_fs_t req;
  start(&x, "precious");
  assert_false(uvow__stale_remove(x.path));
  assert_true(is_there(x.path));
  assert_false(uvow__stale_remove(x.folder.path));
  assert_true(is_there(x.folder.path));
  assert_int_equal(unlink(x.path), 0);
  leave_socket(&x);
  folder_file(&x.folder, "link", NULL, link);
  assert_int_equal(uv_fs_symlink(NULL, &req, x.path, link, 0, NULL), 0);
  uv_fs_req_cleanup(&req);
  assert_false(uvow__stale_remove(link));
  assert_true(is_there(link) && is_there(x.path));
  folder_remove(&x.folder);
}

/* The server's own way to it. */

static void on_incoming(void *ctx, uvow__listener_t *listener) {
  (void)ctx;
  (void)listener;
}

static void on_unlistened(void *ctx) {
  ++*(int *)ctx;
}

static const uvow__listener_callbacks_t callbacks = {on_incoming,
                                                     on_unlistened};

TEST_CASE(a_server_listens_in_its_place) {
  fixture_t x;
  script_t s;
  uvow__listener_t *listener = NULL;
  int unlistened = 0;
  start(&x, NULL);
  leave_socket(&x);
  assert_int_equal(connect_to(x.path), -1);
  script_init(&s);
  assert_int_equal(
      uvow__pipe_listen(s.loop, x.path, &callbacks, &unlistened, &listener), 0);
  int client = connect_to(x.path);
  assert_true(client >= 0);
  close(client);
  uvow__unlisten(listener);
  script_until(&s, &unlistened);
  assert_false(is_there(x.path));
  script_end(&s);
  folder_remove(&x.folder);
}

TEST_CASE(a_server_takes_no_other_place) {
  fixture_t x;
  script_t s;
  uvow__listener_t *listener = NULL;
  int unlistened = 0;
  script_init(&s);
  start(&x, "precious");
  assert_int_equal(
      uvow__pipe_listen(s.loop, x.path, &callbacks, &unlistened, &listener),
      UV_EADDRINUSE);
  assert_true(is_there(x.path));
  assert_int_equal(unlink(x.path), 0);
  int server = bind_socket(x.path, SOCK_STREAM, 5);
  assert_int_equal(
      uvow__pipe_listen(s.loop, x.path, &callbacks, &unlistened, &listener),
      UV_EADDRINUSE);
  int client = connect_to(x.path);
  assert_true(client >= 0);
  close(client);
  close(server);
  script_end(&s);
  folder_remove(&x.folder);
}

TEST_MODULE(stale) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_gone_servers_is_removed),
      cmocka_unit_test(one_that_cannot_be_tried_stays),
      cmocka_unit_test(one_that_changes_meanwhile_stays),
      cmocka_unit_test(one_that_listens_stays),
      cmocka_unit_test(one_with_a_full_queue_stays),
      cmocka_unit_test(another_type_of_socket_stays),
      cmocka_unit_test(what_is_no_socket_stays),
      cmocka_unit_test(a_server_listens_in_its_place),
      cmocka_unit_test(a_server_takes_no_other_place),
  };
  return cmocka_run_group_tests_name("net/stale", tests, NULL, NULL);
}
