#ifndef UVOW_TEST_FOLDER_H
#define UVOW_TEST_FOLDER_H

#include "support.h"

#define FOLDER_PATH 512

/* A folder of the test's own, for files. */
typedef struct folder {
  char path[256];
} folder_t;

void folder_make(folder_t *folder);
/* Writes a file into it (text NULL: only names it). Returns its path. */
const char *folder_file(const folder_t *folder, const char *name,
                        const char *text, char path[FOLDER_PATH]);
/* With all that is in it. */
void folder_remove(const folder_t *folder);

#endif
