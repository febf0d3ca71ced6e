/*
 * Each call of libuv's about a path or a file, a row: what it gives, its error
 * with the path in it, bad arguments, a cancel while it waits and at any time, a
 * loop that closes meanwhile, and each allocation failing.
 */
#include <stdio.h>
#include <unistd.h>

#include <uvow/uv.h>

#include "support/folder.h"
#include "support/loop_bed.h"

#define THREADS 4 /* libuv's, if nothing is said */

typedef struct scene {
  loop_bed_t bed;
  folder_t folder;
  char plain[FOLDER_PATH];   /* a file */
  char link[FOLDER_PATH];    /* leads to it */
  char folder2[FOLDER_PATH]; /* empty */
  char other[FOLDER_PATH];   /* there's none */
  uvow_file_t *file;
  uvow_file_t *from;
  uv_sem_t go;
  uv_sem_t begun;
} scene_t;

static void open_scene(scene_t *s) {
  uv_fs_t req;
  memset(s, 0, sizeof(*s));
  loop_bed_open(&s->bed);
  folder_make(&s->folder);
  folder_file(&s->folder, "plain", "hello", s->plain);
  folder_file(&s->folder, "link", NULL, s->link);
  folder_file(&s->folder, "folder", NULL, s->folder2);
  folder_file(&s->folder, "other", NULL, s->other);
  assert_int_equal(uv_fs_symlink(NULL, &req, s->plain, s->link, 0, NULL), 0);
  uv_fs_req_cleanup(&req);
  assert_int_equal(uv_fs_mkdir(NULL, &req, s->folder2, 0700, NULL), 0);
  uv_fs_req_cleanup(&req);
  assert_int_equal(uv_sem_init(&s->go, 0), 0);
  assert_int_equal(uv_sem_init(&s->begun, 0), 0);
}

static void open_files(scene_t *s) {
  uvow_result_t r;
  uvow_future_t *f = uvow_fs_open(s->bed.loop, s->plain, UV_FS_O_RDWR, 0);
  assert_int_equal(loop_bed_wait(&s->bed, f, &r), 0);
  s->file = uvow_file_ref(uvow_result_file(&r));
  f = uvow_fs_open(s->bed.loop, s->link, UV_FS_O_RDONLY, 0);
  assert_int_equal(loop_bed_wait(&s->bed, f, &r), 0);
  s->from = uvow_file_ref(uvow_result_file(&r));
}

static void close_as(scene_t *s, const char *log) {
  uvow_file_unref(s->file);
  uvow_file_unref(s->from);
  loop_bed_close(&s->bed, log);
  folder_remove(&s->folder);
  uv_sem_destroy(&s->go);
  uv_sem_destroy(&s->begun);
}

static void close_scene(scene_t *s) {
  close_as(s, "closed");
}

/* The rows: each begins its call at a path, or at the scene's file. */

typedef uvow_future_t *(*at_path)(uvow_loop_t *loop, const char *path);

static uvow_future_t *opens(uvow_loop_t *loop, const char *path) {
  return uvow_fs_open(loop, path, UV_FS_O_RDONLY, 0);
}
static uvow_future_t *reads_file(uvow_loop_t *loop, const char *path) {
  return uvow_fs_read_file(loop, path, 100);
}
static uvow_future_t *accesses(uvow_loop_t *loop, const char *path) {
  return uvow_fs_access(loop, path, R_OK);
}
static uvow_future_t *chmods(uvow_loop_t *loop, const char *path) {
  return uvow_fs_chmod(loop, path, 0600);
}
static uvow_future_t *chowns(uvow_loop_t *loop, const char *path) {
  return uvow_fs_chown(loop, path, getuid(), getgid());
}
static uvow_future_t *lchowns(uvow_loop_t *loop, const char *path) {
  return uvow_fs_lchown(loop, path, getuid(), getgid());
}
static uvow_future_t *utimes(uvow_loop_t *loop, const char *path) {
  return uvow_fs_utime(loop, path, 1000, 2000);
}
static uvow_future_t *lutimes(uvow_loop_t *loop, const char *path) {
  return uvow_fs_lutime(loop, path, 1000, 2000);
}
static uvow_future_t *mkdirs(uvow_loop_t *loop, const char *path) {
  return uvow_fs_mkdir(loop, path, 0700);
}
static uvow_future_t *writes_file(uvow_loop_t *loop, const char *path) {
  return uvow_fs_write_file(loop, path, uvow_value_text("hello"));
}
static char beside[FOLDER_PATH + 8]; /* where what needs a second path goes */
static uvow_future_t *renames(uvow_loop_t *loop, const char *path) {
  return uvow_fs_rename(loop, path, beside);
}
static uvow_future_t *links(uvow_loop_t *loop, const char *path) {
  return uvow_fs_link(loop, path, beside);
}
static uvow_future_t *copies(uvow_loop_t *loop, const char *path) {
  return uvow_fs_copy(loop, path, beside);
}
static uvow_future_t *symlinks(uvow_loop_t *loop, const char *path) {
  return uvow_fs_symlink(loop, path ? "plain" : NULL, path);
}
static uvow_future_t *mkdtemps(uvow_loop_t *loop, const char *path) {
  char text[FOLDER_PATH + 8];
  if (path)
    snprintf(text, sizeof(text), "%s.XXXXXX", path);
  return uvow_fs_mkdtemp(loop, path ? text : NULL);
}
static uvow_future_t *mkstemps(uvow_loop_t *loop, const char *path) {
  char text[FOLDER_PATH + 8];
  if (path)
    snprintf(text, sizeof(text), "%s.XXXXXX", path);
  return uvow_fs_mkstemp(loop, path ? text : NULL);
}

enum { PLAIN, LINK, FOLDER, OTHER };

static const struct {
  const char *what; /* as errors call it */
  at_path begin;
  int at;      /* what it succeeds with */
  int deeper;  /* it fails only where the folder isn't there */
  int removes; /* canceled too late, it leaves nothing */
} rows[] = {
    {"open", opens, PLAIN, 0, 0},
    {"open", reads_file, PLAIN, 0, 0},
    {"open", writes_file, PLAIN, 1, 1},
    {"stat", uvow_fs_stat, PLAIN, 0, 0},
    {"lstat", uvow_fs_lstat, LINK, 0, 0},
    {"statfs", uvow_fs_statfs, PLAIN, 0, 0},
    {"access", accesses, PLAIN, 0, 0},
    {"chmod", chmods, PLAIN, 0, 0},
    {"chown", chowns, PLAIN, 0, 0},
    {"lchown", lchowns, LINK, 0, 0},
    {"utime", utimes, PLAIN, 0, 0},
    {"lutime", lutimes, LINK, 0, 0},
    {"readlink", uvow_fs_readlink, LINK, 0, 0},
    {"realpath", uvow_fs_realpath, LINK, 0, 0},
    {"unlink", uvow_fs_unlink, PLAIN, 0, 0},
    {"rmdir", uvow_fs_rmdir, FOLDER, 0, 0},
    {"rename", renames, PLAIN, 0, 0},
    {"link", links, PLAIN, 0, 0},
    {"open", copies, PLAIN, 0, 0},
    {"symlink", symlinks, OTHER, 1, 0},
    {"mkdir", mkdirs, OTHER, 1, 0},
    {"mkdtemp", mkdtemps, OTHER, 1, 1},
    {"mkstemp", mkstemps, OTHER, 1, 1},
};
#define ROWS (sizeof(rows) / sizeof(*rows))

static const char *path_of(const scene_t *s, int at) {
  const char *paths[] = {s->plain, s->link, s->folder2, s->other};
  snprintf(beside, sizeof(beside), "%s.two", s->other);
  return paths[at];
}

typedef uvow_future_t *(*at_file)(scene_t *s);

static uvow_future_t *reads(scene_t *s) {
  return uvow_fs_read(s->file, 100, 0);
}
static uvow_future_t *writes(scene_t *s) {
  return uvow_fs_write(s->file, uvow_value_text("hello"), 0);
}
static uvow_future_t *fsyncs(scene_t *s) {
  return uvow_fs_fsync(s->file);
}
static uvow_future_t *fdatasyncs(scene_t *s) {
  return uvow_fs_fdatasync(s->file);
}
static uvow_future_t *ftruncates(scene_t *s) {
  return uvow_fs_ftruncate(s->file, 3);
}
static uvow_future_t *fstats(scene_t *s) {
  return uvow_fs_fstat(s->file);
}
static uvow_future_t *fchmods(scene_t *s) {
  return uvow_fs_fchmod(s->file, 0600);
}
static uvow_future_t *fchowns(scene_t *s) {
  return uvow_fs_fchown(s->file, getuid(), getgid());
}
static uvow_future_t *futimes_(scene_t *s) {
  return uvow_fs_futime(s->file, 1000, 2000);
}
static uvow_future_t *sendfiles(scene_t *s) {
  return uvow_fs_sendfile(s->file, s->from, 0, 5);
}

static const struct {
  const char *what;
  at_file begin;
} file_rows[] = {
    {"read", reads},           {"write", writes},
    {"fsync", fsyncs},         {"fstat", fstats},
    {"fdatasync", fdatasyncs}, {"fchmod", fchmods},
    {"fchown", fchowns},       {"futime", futimes_},
    {"sendfile", sendfiles},   {"ftruncate", ftruncates},
};
#define FILE_ROWS (sizeof(file_rows) / sizeof(*file_rows))

/* Row n, of all. Those of a file need one that's open. */
static uvow_future_t *begin_row(scene_t *s, size_t n) {
  if (n < ROWS)
    return rows[n].begin(s->bed.loop, path_of(s, rows[n].at));
  return file_rows[n - ROWS].begin(s);
}

static int wait(scene_t *s, uvow_future_t *f, uvow_result_t *ret) {
  return loop_bed_wait(&s->bed, f, ret);
}

TEST_CASE(each_succeeds) {
  for (size_t i = 0; i < ROWS + FILE_ROWS; i++) {
    scene_t s;
    open_scene(&s);
    open_files(&s);
    assert_int_equal(wait(&s, begin_row(&s, i), NULL), 0);
    close_scene(&s);
  }
}

static void expect_error(scene_t *s, uvow_future_t *f, int code,
                         const char *what, const char *path) {
  char text[2 * FOLDER_PATH];
  uvow_result_t r;
  assert_int_equal(wait(s, f, &r), code);
  snprintf(text, sizeof(text), "%s %s", what, path);
  assert_memory_equal(uvow_error_message(r.error), text, strlen(text));
  assert_non_null(strstr(uvow_error_message(r.error), uv_strerror(code)));
}

TEST_CASE(each_error_names_the_path) {
  char deeper[FOLDER_PATH + 8];
  scene_t s;
  open_scene(&s);
  for (size_t i = 0; i < ROWS; i++) {
    snprintf(deeper, sizeof(deeper), "%s%s", path_of(&s, OTHER),
             rows[i].deeper ? "/a" : "");
    expect_error(&s, rows[i].begin(s.bed.loop, deeper), UV_ENOENT, rows[i].what,
                 deeper);
  }
  close_scene(&s);
}

/* The file's descriptor is closed behind its back. */
TEST_CASE(each_error_names_the_file) {
  uv_fs_t req;
  scene_t s;
  open_scene(&s);
  open_files(&s);
  uv_file fd = uvow_file_fd(s.file);
  assert_string_equal(uvow_file_path(s.file), s.plain);
  assert_int_equal(uv_fs_close(NULL, &req, fd, NULL), 0);
  for (size_t i = 0; i < FILE_ROWS; i++)
    expect_error(&s, file_rows[i].begin(&s), UV_EBADF, file_rows[i].what,
                 s.plain);
  /* The lowest one that's free is the same again. */
  assert_int_equal(uv_fs_open(NULL, &req, "/", UV_FS_O_RDONLY, 0, NULL), fd);
  uv_fs_req_cleanup(&req);
  close_scene(&s);
}

TEST_CASE(bad_arguments) {
  uvow_result_t r;
  scene_t s;
  open_scene(&s);
  for (size_t i = 0; i < ROWS; i++) {
    (void)path_of(&s, OTHER);
    assert_null(rows[i].begin(NULL, s.plain));
    assert_int_equal(wait(&s, rows[i].begin(s.bed.loop, NULL), &r),
                     UVOW_EINVAL);
    assert_non_null(strstr(uvow_error_message(r.error), " must not be NULL"));
  }
  for (size_t i = 0; i < FILE_ROWS; i++)
    assert_null(file_rows[i].begin(&s));
  open_files(&s);
  assert_int_equal(wait(&s, uvow_fs_sendfile(s.file, NULL, 0, 1), &r),
                   UVOW_EINVAL);
  assert_string_equal(uvow_error_message(r.error), "from must not be NULL");
  assert_null(uvow_file_path(NULL));
  assert_int_equal(uvow_file_fd(NULL), -1);
  assert_null(uvow_result_stat(NULL));
  assert_null(uvow_result_statfs(&r));
  close_scene(&s);
}

/* Cancels. */

static uvow_value_t waits(void *data) {
  scene_t *s = data;
  uv_sem_post(&s->begun);
  uv_sem_wait(&s->go);
  return uvow_value_none();
}

/* What is in the folder. */
static int count(const char *path) {
  uv_fs_t req;
  int n = uv_fs_scandir(NULL, &req, path, 0, NULL);
  uv_fs_req_cleanup(&req);
  return n;
}

/* All threads are busy: what is canceled then isn't done. */
TEST_CASE(canceled_while_it_waits) {
  scene_t s;
  open_scene(&s);
  open_files(&s);
  int before = count(s.folder.path);
  for (size_t i = 0; i < THREADS; i++)
    uvow_future_detach(uvow_work(s.bed.loop, waits, &s));
  for (size_t i = 0; i < THREADS; i++)
    uv_sem_wait(&s.begun);
  for (size_t i = 0; i < ROWS + FILE_ROWS; i++) {
    uvow_future_t *f = begin_row(&s, i);
    uvow_result_t r;
    assert_int_equal(uvow_future_cancel(f), 0);
    assert_int_equal(uvow_future_peek(f, &r), 0);
    assert_int_equal(uvow_error_code(r.error), UVOW_ECANCELED);
    uvow_future_unref(f);
  }
  for (size_t i = 0; i < THREADS; i++)
    uv_sem_post(&s.go);
  loop_bed_run(&s.bed);
  assert_int_equal(count(s.folder.path), before);
  assert_int_equal(count(s.folder2), 0);
  uvow_result_t r;
  assert_int_equal(wait(&s, uvow_fs_stat(s.bed.loop, s.plain), &r), 0);
  assert_int_equal(uvow_result_stat(&r)->st_size, 5);
  close_scene(&s);
}

/* A cancel that comes before, while and after it's done: no descriptor is left,
 * and nothing that only the future's owner could have found. */
TEST_CASE(canceled_at_any_time) {
  for (size_t i = 0; i < ROWS; i++) {
    for (int n = 0; n < 12; n++) {
      scene_t s;
      open_scene(&s);
      int files = count("/proc/self/fd"), before = count(s.folder.path);
      uvow_future_t *f = begin_row(&s, i);
      for (int k = 0; k < n * n; k++)
        (void)count("/");
      assert_int_equal(uvow_future_cancel(f), 0);
      uvow_future_unref(f);
      loop_bed_run(&s.bed);
      assert_int_equal(count("/proc/self/fd"), files);
      if (rows[i].removes)
        assert_int_equal(count(s.folder.path), before);
      close_scene(&s);
    }
  }
}

TEST_CASE(the_loop_closes_meanwhile) {
  for (size_t i = 0; i < ROWS + FILE_ROWS; i++) {
    scene_t s;
    open_scene(&s);
    open_files(&s);
    uvow_future_t *f = begin_row(&s, i);
    uvow_loop_close(s.bed.loop, NULL, NULL);
    uvow_result_t r;
    assert_int_equal(uvow_future_peek(f, &r), 0);
    assert_int_equal(uvow_error_code(r.error), UVOW_ECLOSED);
    uvow_future_unref(f);
    s.bed.loop = NULL;
    close_as(&s, "");
  }
}

static void sweep(test_alloc_t *alloc, void *data) {
  scene_t *s = data;
  if (loop_bed_open_with(&s->bed, alloc)) {
    assert_int_equal(uv_loop_close(&s->bed.uv), 0);
    return;
  }
  uvow_result_t r;
  uvow_future_t *f = uvow_fs_open(s->bed.loop, s->plain, UV_FS_O_RDWR, 0);
  int rc = f ? wait(s, f, &r) : UVOW_ENOMEM;
  s->file = rc ? NULL : uvow_file_ref(uvow_result_file(&r));
  s->from = uvow_file_ref(s->file);
  for (size_t i = 0; i < ROWS + FILE_ROWS; i++) {
    f = begin_row(s, i);
    if (f)
      (void)wait(s, f, NULL); /* what others did may be in its way */
  }
  uvow_file_unref(s->file);
  uvow_file_unref(s->from);
  s->file = s->from = NULL;
  loop_bed_close(&s->bed, "closed");
}

TEST_CASE(every_allocation_may_fail) {
  scene_t s;
  open_scene(&s);
  loop_bed_close(&s.bed, "closed");
  test_alloc_sweep(sweep, &s);
  folder_remove(&s.folder);
  uv_sem_destroy(&s.go);
  uv_sem_destroy(&s.begun);
}

/* What they give. */

static void expect_text(const uvow_result_t *r, const char *text) {
  uvow_slice_t got = uvow_result_bytes(r);
  assert_int_equal(got.len, strlen(text));
  assert_memory_equal(got.bytes, text, got.len);
}

TEST_CASE(links_and_paths) {
  char made[FOLDER_PATH];
  uvow_result_t r;
  scene_t s;
  open_scene(&s);
  uvow_loop_t *loop = s.bed.loop;
  assert_int_equal(wait(&s, uvow_fs_readlink(loop, s.link), &r), 0);
  expect_text(&r, s.plain);
  uv_fs_t real;
  assert_int_equal(uv_fs_realpath(NULL, &real, s.plain, NULL), 0);
  assert_int_equal(wait(&s, uvow_fs_realpath(loop, s.link), &r), 0);
  expect_text(&r, real.ptr);
  uv_fs_req_cleanup(&real);
  assert_int_equal(wait(&s, mkdtemps(loop, s.other), &r), 0);
  uvow_slice_t got = uvow_result_bytes(&r);
  snprintf(made, sizeof(made), "%.*s", (int)got.len, got.bytes);
  assert_int_equal(strlen(made), strlen(s.other) + 7);
  assert_int_equal(wait(&s, uvow_fs_rmdir(loop, made), &r), 0);
  assert_int_equal(wait(&s, mkstemps(loop, s.other), &r), 0);
  snprintf(made, sizeof(made), "%s", uvow_file_path(uvow_result_file(&r)));
  assert_int_equal(wait(&s, uvow_fs_unlink(loop, made), &r), 0);
  assert_int_equal(wait(&s, symlinks(loop, s.other), NULL), 0);
  assert_int_equal(wait(&s, uvow_fs_stat(loop, s.other), &r), 0);
  assert_int_equal(wait(&s, uvow_fs_link(loop, s.plain, NULL), &r),
                   UVOW_EINVAL);
  assert_int_equal(wait(&s, uvow_fs_access(loop, s.plain, X_OK), &r),
                   UV_EACCES);
  close_scene(&s);
}

TEST_CASE(what_stat_says) {
  uvow_result_t r;
  scene_t s;
  open_scene(&s);
  open_files(&s);
  uvow_loop_t *loop = s.bed.loop;
  assert_int_equal(wait(&s, utimes(loop, s.plain), NULL), 0);
  assert_int_equal(wait(&s, lutimes(loop, s.link), NULL), 0);
  assert_int_equal(wait(&s, uvow_fs_lstat(loop, s.link), &r), 0);
  assert_int_equal(uvow_result_stat(&r)->st_mtim.tv_sec, 2000);
  assert_int_equal(uvow_result_stat(&r)->st_size, strlen(s.plain));
  assert_int_equal(wait(&s, uvow_fs_ftruncate(s.file, 3), NULL), 0);
  assert_int_equal(wait(&s, uvow_fs_futime(s.file, 1, 3000), NULL), 0);
  assert_int_equal(wait(&s, uvow_fs_fchmod(s.file, 0640), NULL), 0);
  assert_int_equal(wait(&s, uvow_fs_fstat(s.file), &r), 0);
  const uv_stat_t *stat = uvow_result_stat(&r);
  assert_int_equal(stat->st_size, 3);
  assert_int_equal(stat->st_mode & 0777, 0640);
  assert_int_equal(stat->st_mtim.tv_sec, 3000);
  assert_null(uvow_result_statfs(&r));
  assert_int_equal(wait(&s, uvow_fs_statfs(loop, s.plain), &r), 0);
  uvow_value_t kept = uvow_result_keep(&r);
  assert_true(uvow_result_statfs(&r)->f_bsize > 0);
  uvow_value_clear(&kept);
  close_scene(&s);
}

TEST_CASE(from_file_to_file) {
  uvow_result_t r;
  int64_t sent = 0;
  scene_t s;
  open_scene(&s);
  open_files(&s);
  uvow_file_t *to = NULL;
  assert_int_equal(wait(&s, mkstemps(s.bed.loop, s.other), &r), 0);
  to = uvow_file_ref(uvow_result_file(&r));
  uvow_future_t *f = uvow_fs_sendfile(to, s.from, 1, 100);
  uvow_file_unref(s.from); /* it has its own */
  s.from = NULL;
  assert_int_equal(wait(&s, f, &r), 0);
  assert_int_equal(uvow_value_get_int64(&r.value, &sent), 0);
  assert_int_equal(sent, 4);
  assert_int_equal(wait(&s, uvow_fs_read(to, 100, 0), &r), 0);
  expect_text(&r, "ello");
  assert_int_equal(wait(&s, uvow_fs_sendfile(to, NULL, 0, 1), NULL),
                   UVOW_EINVAL);
  assert_int_equal(wait(&s, uvow_fs_sendfile(NULL, to, 0, 1), NULL),
                   UVOW_EINVAL);
  assert_null(uvow_fs_sendfile(NULL, NULL, 0, 1));
  uvow_file_unref(to);
  close_scene(&s);
}

TEST_MODULE(rows) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_succeeds),
      cmocka_unit_test(each_error_names_the_path),
      cmocka_unit_test(each_error_names_the_file),
      cmocka_unit_test(bad_arguments),
      cmocka_unit_test(canceled_while_it_waits),
      cmocka_unit_test(canceled_at_any_time),
      cmocka_unit_test(the_loop_closes_meanwhile),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(links_and_paths),
      cmocka_unit_test(what_stat_says),
      cmocka_unit_test(from_file_to_file),
  };
  return cmocka_run_group_tests_name("uv/rows", tests, NULL, NULL);
}
