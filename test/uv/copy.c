/* Copies of files: what they hold, what they replace, what ends them. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uvow/uv.h>

#include "support/faults.h"
#include "support/folder.h"
#include "support/loop_bed.h"

#define LARGE ((size_t)40 * 1000 * 1000) /* several parts */

typedef struct scene {
  loop_bed_t bed;
  folder_t folder;
  char from[FOLDER_PATH];
  char to[FOLDER_PATH];
} scene_t;

static void open_scene(scene_t *s, const char *from, const char *to) {
  memset(s, 0, sizeof(*s));
  loop_bed_open(&s->bed);
  folder_make(&s->folder);
  folder_file(&s->folder, "from", from, s->from);
  folder_file(&s->folder, "to", to, s->to);
}

static void close_scene(scene_t *s) {
  loop_bed_close(&s->bed, "closed");
  folder_remove(&s->folder);
}

static int count(const char *path) {
  uv_fs_t req;
  int n = uv_fs_scandir(NULL, &req, path, 0, NULL);
  uv_fs_req_cleanup(&req);
  return n;
}

static int copy(scene_t *s, const char *from, const char *to) {
  return loop_bed_wait(&s->bed, uvow_fs_copy(s->bed.loop, from, to), NULL);
}

/* It fails so, and leaves nothing: files are in the folder then. */
static void expect_error(scene_t *s, const char *from, const char *to, int code,
                         const char *what, const char *path, int files) {
  char text[2 * FOLDER_PATH];
  uvow_result_t r;
  uvow_future_t *f = uvow_fs_copy(s->bed.loop, from, to);
  assert_int_equal(loop_bed_wait(&s->bed, f, &r), code);
  snprintf(text, sizeof(text), "%s %s: %s", what, path, uv_strerror(code));
  assert_string_equal(uvow_error_message(r.error), text);
  assert_int_equal(count(s->folder.path), files);
}

static size_t read_all(const char *path, char *room, size_t size) {
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  size_t len = fread(room, 1, size, file);
  fclose(file);
  return len;
}

static void expect_file(const char *path, const char *text) {
  char room[64];
  assert_int_equal(read_all(path, room, sizeof(room)), strlen(text));
  assert_memory_equal(room, text, strlen(text));
}

TEST_CASE(what_it_holds) {
  static const size_t sizes[] = {0, 1, 8192, 8193, LARGE};
  char *room = malloc(LARGE + 1);
  char *text = malloc(LARGE + 1);
  for (size_t i = 0; i < LARGE; i++)
    text[i] = (char)('a' + i % 23);
  text[LARGE] = '\0';
  for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
    scene_t s;
    open_scene(&s, text + LARGE - sizes[i], "old");
    assert_int_equal(copy(&s, s.from, s.to), 0);
    assert_int_equal(read_all(s.to, room, LARGE + 1), sizes[i]);
    assert_memory_equal(room, text + LARGE - sizes[i], sizes[i]);
    assert_int_equal(count(s.folder.path), 2);
    close_scene(&s);
  }
  free(text);
  free(room);
}

/* Where files say a page and hold a line, or say nothing and hold much. */
TEST_CASE(the_size_does_not_matter) {
  static const char *const paths[] = {"/sys/class/net/lo/mtu", "/proc/version",
                                      "/proc/self/environ"};
  static char want[100000], got[100000];
  scene_t s;
  open_scene(&s, NULL, NULL);
  for (size_t i = 0; i < 3; i++) {
    if (access(paths[i], R_OK))
      continue; /* not on Linux */
    assert_int_equal(copy(&s, paths[i], s.to), 0);
    size_t len = read_all(paths[i], want, sizeof(want));
    assert_int_equal(read_all(s.to, got, sizeof(got)), len);
    assert_memory_equal(got, want, len);
  }
  close_scene(&s);
}

static int mode_of(const char *path) {
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  return (int)st.st_mode & 07777;
}

TEST_CASE(the_permissions_come_along) {
  static const int modes[] = {0600, 0666, 0444, 0751};
  scene_t s;
  open_scene(&s, "new", "old");
  mode_t mask = umask(077);
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(chmod(s.from, (mode_t)modes[i]), 0);
    assert_int_equal(copy(&s, s.from, s.to), 0);
    assert_int_equal(mode_of(s.to), modes[i]);
    expect_file(s.to, "new");
  }
  umask(mask);
  close_scene(&s);
}

/* A file system without permissions: the copy is there, and no more open than
 * its source. Other faults of it leave the target as it was. */
TEST_CASE(a_mode_that_is_refused) {
  static const int codes[] = {UV_EPERM, UV_ENOTSUP, UV_ENOSYS};
  scene_t s;
  open_scene(&s, "new", "old");
  assert_int_equal(chmod(s.from, 0600), 0);
  faults_begin("uv_fs_fchmod", UV_EIO, 1, 1);
  expect_error(&s, s.from, s.to, UV_EIO, "chmod", s.to, 2);
  assert_int_equal(faults_end(), 1);
  expect_file(s.to, "old");
  for (size_t i = 0; i < 3; i++) {
    char text[2] = {(char)('0' + i), '\0'};
    folder_file(&s.folder, "from", text, s.from);
    faults_begin("uv_fs_fchmod", codes[i], 1, 1);
    assert_int_equal(copy(&s, s.from, s.to), 0);
    assert_int_equal(faults_end(), 1);
    expect_file(s.to, text);
    assert_int_equal(mode_of(s.to) & 077, 0);
    faults_begin("uv_fs_fchmod", codes[i], 1, 1);
    uvow_future_t *f =
        uvow_fs_write_file(s.bed.loop, s.to, uvow_value_text("written"));
    assert_int_equal(loop_bed_wait(&s.bed, f, NULL), 0);
    assert_int_equal(faults_end(), 1);
    expect_file(s.to, "written");
    assert_int_equal(mode_of(s.to) & 077, 0);
  }
  close_scene(&s);
}

/* Who has the old one open, goes on reading it. */
TEST_CASE(the_target_is_replaced) {
  char room[8] = "";
  scene_t s;
  open_scene(&s, "new", "old");
  FILE *old = fopen(s.to, "r");
  assert_int_equal(copy(&s, s.from, s.to), 0);
  assert_int_equal(fread(room, 1, sizeof(room), old), 3);
  assert_memory_equal(room, "old", 3);
  fclose(old);
  expect_file(s.to, "new");
  close_scene(&s);
}

TEST_CASE(onto_itself) {
  char link_path[FOLDER_PATH];
  scene_t s;
  open_scene(&s, "text", NULL);
  folder_file(&s.folder, "link", NULL, link_path);
  assert_int_equal(link(s.from, s.to), 0);
  assert_int_equal(symlink(s.from, link_path), 0);
  ino_t before[2], after[2];
  struct stat st;
  for (int i = 0; i < 2; i++) {
    assert_int_equal(stat(i ? s.to : s.from, &st), 0);
    before[i] = st.st_ino;
  }
  assert_int_equal(copy(&s, s.from, s.from), 0);
  assert_int_equal(copy(&s, s.from, s.to), 0);
  assert_int_equal(copy(&s, s.from, link_path), 0);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(stat(i ? s.to : s.from, &st), 0);
    after[i] = st.st_ino;
  }
  assert_memory_equal(before, after, sizeof(before));
  assert_int_equal(lstat(link_path, &st), 0);
  assert_true(S_ISLNK(st.st_mode));
  expect_file(s.from, "text");
  close_scene(&s);
}

TEST_CASE(what_can_not_be) {
  char none[FOLDER_PATH], deep[FOLDER_PATH + 8];
  scene_t s;
  open_scene(&s, "text", NULL);
  folder_file(&s.folder, "none", NULL, none);
  snprintf(deep, sizeof(deep), "%s/a", none);
  expect_error(&s, none, s.to, UV_ENOENT, "open", none, 1);
  expect_error(&s, s.from, deep, UV_ENOENT, "open", deep, 1);
  expect_error(&s, s.folder.path, s.to, UV_EISDIR, "read", s.folder.path, 1);
  expect_error(&s, s.from, s.folder.path, UV_EISDIR, "open", s.folder.path, 1);
  assert_null(uvow_fs_copy(NULL, "a", "b"));
  assert_null(uvow_fs_copy(NULL, NULL, NULL));
  assert_int_equal(copy(&s, NULL, "a"), UVOW_EINVAL);
  assert_int_equal(copy(&s, "a", NULL), UVOW_EINVAL);
  close_scene(&s);
}

/* By a link: so that a fault doesn't replace the machine's device. */
TEST_CASE(no_room) {
  struct stat st;
  scene_t s;
  open_scene(&s, "text", NULL);
  assert_int_equal(symlink("/dev/full", s.to), 0);
  if (access(s.to, W_OK) == 0)
    expect_error(&s, s.from, s.to, UV_ENOSPC, "write", s.to, 2);
  assert_int_equal(lstat(s.to, &st), 0);
  assert_true(S_ISLNK(st.st_mode)); /* it was written, not replaced */
  close_scene(&s);
}

/* Both ends of a pipe of that name. */
static int open_pipe(const char *path) {
  uv_fs_t req;
  assert_int_equal(mkfifo(path, 0600), 0);
  int fd = uv_fs_open(NULL, &req, path, UV_FS_O_RDWR, 0, NULL);
  uv_fs_req_cleanup(&req);
  assert_true(fd >= 0);
  return fd;
}

TEST_CASE(into_a_pipe) {
  char room[8];
  scene_t s;
  open_scene(&s, "text", NULL);
  int fd = open_pipe(s.to);
  assert_int_equal(copy(&s, s.from, s.to), 0);
  assert_int_equal(read(fd, room, sizeof(room)), 4);
  assert_memory_equal(room, "text", 4);
  close(fd);
  close_scene(&s);
}

/* Waits until the temporary file is there, which none but its owner may read. */
static void expect_begun(scene_t *s) {
  char path[FOLDER_PATH + 300];
  uv_fs_t req;
  uv_dirent_t entry;
  while (count(s->folder.path) == 2)
    (void)uv_run(&s->bed.uv, UV_RUN_NOWAIT);
  assert_int_equal(uv_fs_scandir(NULL, &req, s->folder.path, 0, NULL), 3);
  while (uv_fs_scandir_next(&req, &entry) == 0) {
    snprintf(path, sizeof(path), "%s/%s", s->folder.path, entry.name);
    if (strstr(entry.name, ".tmp"))
      assert_int_equal(mode_of(path), 0600);
  }
  uv_fs_req_cleanup(&req);
}

/* The pipe never ends: only the cancel ends the copy, at the next part. */
TEST_CASE(canceled_between_parts) {
  scene_t s;
  open_scene(&s, NULL, "old");
  int fd = open_pipe(s.from);
  uvow_future_t *f = uvow_fs_copy(s.bed.loop, s.from, s.to);
  expect_begun(&s);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  assert_int_equal(write(fd, "part", 4), 4);
  loop_bed_run(&s.bed);
  assert_int_equal(count(s.folder.path), 2);
  expect_file(s.to, "old");
  close(fd);
  close_scene(&s);
}

/* So much that it would run for long, and has no room on most disks. */
TEST_CASE(canceled_while_it_is_sent) {
  scene_t s;
  open_scene(&s, "", "old");
  assert_int_equal(truncate(s.from, (off_t)1 << 40), 0);
  assert_int_equal(chmod(s.from, 0600), 0);
  uvow_future_t *f = uvow_fs_copy(s.bed.loop, s.from, s.to);
  expect_begun(&s);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  loop_bed_run(&s.bed);
  assert_int_equal(count(s.folder.path), 2);
  expect_file(s.to, "old");
  close_scene(&s);
}

TEST_MODULE(copy) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_it_holds),
      cmocka_unit_test(the_size_does_not_matter),
      cmocka_unit_test(the_permissions_come_along),
      cmocka_unit_test(a_mode_that_is_refused),
      cmocka_unit_test(the_target_is_replaced),
      cmocka_unit_test(onto_itself),
      cmocka_unit_test(what_can_not_be),
      cmocka_unit_test(no_room),
      cmocka_unit_test(into_a_pipe),
      cmocka_unit_test(canceled_between_parts),
      cmocka_unit_test(canceled_while_it_is_sent),
  };
  return cmocka_run_group_tests_name("uv/copy", tests, NULL, NULL);
}
