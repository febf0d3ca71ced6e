/*
 * Runs a fuzz target over its corpus, one test case a file, where there is no
 * libFuzzer. Prints TAP.
 *
 * usage: replay_<target> <directory or file> ...
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (1u << 20)

static unsigned cases;

/* A copy of the exact size, so that ASan and valgrind see an over-read. */
static int replay_file(FILE *file, uint8_t *input) {
  size_t size = fread(input, 1, INPUT_MAX, file);
  uint8_t *exact = (uint8_t *)malloc(size ? size : 1);
  if (!exact || ferror(file)) {
    free(exact);
    return -1;
  }
  for (size_t i = 0; i < size; i++)
    exact[i] = input[i];
  LLVMFuzzerTestOneInput(exact, size);
  free(exact);
  return 0;
}

static int replay_path(const char *path, uint8_t *input) {
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  FILE *file = fopen(path, "rb");
  if (!file || replay_file(file, input)) {
    printf("not ok %u - %s\n# cannot be read\n", ++cases, name);
    if (file)
      fclose(file);
    return -1;
  }
  fclose(file);
  printf("ok %u - %s\n", ++cases, name);
  fflush(stdout);
  return 0;
}

static int replay_all(const char *path, uint8_t *input) {
  char name[4096];
  int rc = 0;
  DIR *dir = opendir(path);
  if (!dir)
    return replay_path(path, input);
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    if (entry->d_name[0] == '.')
      continue;
    snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
    rc |= replay_path(name, input);
  }
  closedir(dir);
  return rc;
}

int main(int argc, char **argv) {
  int rc = 0;
  uint8_t *input = (uint8_t *)malloc(INPUT_MAX);
  if (!input)
    return 1;
  for (int i = 1; i < argc; i++)
    rc |= replay_all(argv[i], input);
  free(input);
  printf("1..%u\n", cases);
  return rc || cases == 0;
}
