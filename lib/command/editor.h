#ifndef UVOW_COMMAND_EDITOR_H
#define UVOW_COMMAND_EDITOR_H

#include "client.h"

/*
 * Lines of stdin: with a prompt and line editing on a terminal, as they are
 * from elsewhere.
 *
 *   editor_new -> (on_line)* -> on_end -> editor_end -> (the loop ends) ->
 *   editor_free
 *
 * What is printed between editor_hide and editor_show stands above the prompt,
 * and what was typed stays.
 */
typedef struct editor editor_t;

typedef struct editor_callbacks {
  /* A line, without its end. Borrowed. Returns 1: no other before
   * editor_go_on. */
  int (*on_line)(const char *text, size_t len, void *data);
  /* No line follows. */
  void (*on_end)(void *data);
} editor_callbacks_t;

/* Reads from the loop's next turn on. Borrows all. Returns new, or NULL. */
editor_t *editor_new(client_t *client, const editor_callbacks_t *callbacks,
                     void *data);
/* No callback follows, and the terminal is as it was. At any time; while the loop
 * runs. */
void editor_end(editor_t *editor);
/* Once the loop has ended. Accepts NULL. */
void editor_free(editor_t *editor);
/* What stands before the next line: copied. */
void editor_prompt(editor_t *editor, const char *prompt);
void editor_hide(editor_t *editor);
void editor_show(editor_t *editor);
/* The next line may come. */
void editor_go_on(editor_t *editor);

#endif
