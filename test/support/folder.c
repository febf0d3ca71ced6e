#include "folder.h"

#include <stdio.h>

#include <uv.h>

void folder_make(folder_t *folder) {
  char base[200];
  char pattern[240];
  size_t size = sizeof(base);
  uv_fs_t req;
  assert_int_equal(uv_os_tmpdir(base, &size), 0);
  snprintf(pattern, sizeof(pattern), "%s/uvow-XXXXXX", base);
  assert_int_equal(uv_fs_mkdtemp(NULL, &req, pattern, NULL), 0);
  snprintf(folder->path, sizeof(folder->path), "%s", req.path);
  uv_fs_req_cleanup(&req);
}

const char *folder_file(const folder_t *folder, const char *name,
                        const char *text, char path[FOLDER_PATH]) {
  snprintf(path, FOLDER_PATH, "%s/%s", folder->path, name);
  if (!text)
    return path;
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
  fclose(file);
  return path;
}

static void remove_all(const char *folder) {
  uv_fs_t req;
  uv_fs_t gone;
  uv_dirent_t entry;
  char path[2 * FOLDER_PATH];
  assert_true(uv_fs_scandir(NULL, &req, folder, 0, NULL) >= 0);
  while (uv_fs_scandir_next(&req, &entry) == 0) {
    snprintf(path, sizeof(path), "%s/%s", folder, entry.name);
    if (entry.type == UV_DIRENT_DIR)
      remove_all(path);
    else
      uv_fs_unlink(NULL, &gone, path, NULL);
  }
  uv_fs_req_cleanup(&req);
  assert_int_equal(uv_fs_rmdir(NULL, &gone, folder, NULL), 0);
}

void folder_remove(const folder_t *folder) {
  remove_all(folder->path);
}
