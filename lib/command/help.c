/*
 * --help, the completions of shells, and the manual page: all from the table.
 */
#include <stdio.h>
#include <string.h>

#include "table.h"

#define HELP_AT 24 /* the column where an option's help begins */

static const command_t *command_of(subcommand_t bit) {
  for (size_t i = 0; i < command_name_count; i++)
    if (command_names[i].bit == bit)
      return &command_names[i];
  return NULL;
}

static void put_option(FILE *out, const option_t *option) {
  const char *word = option->word ? option->word : "";
  int width = option->letter ? fprintf(out, "  -%c, ", option->letter)
                             : fprintf(out, "      ");
  width += fprintf(out, "--%s%s%s", option->name, *word ? " " : "", word);
  if (width > HELP_AT - 2) {
    fputc('\n', out);
    width = 0;
  }
  fprintf(out, "%*s", HELP_AT - width, "");
  for (const char *at = option->help; *at; at++) {
    fputc(*at, out);
    if (*at == '\n')
      fprintf(out, "%*s", HELP_AT, "");
  }
  fputc('\n', out);
}

static void put_overview(FILE *out) {
  for (size_t i = 0; i < command_name_count; i++) {
    const command_t *command = &command_names[i];
    int width =
        fprintf(out, "%s uvow %s%s%s", i ? "      " : "usage:", command->name,
                *command->words ? " " : "", command->words);
    fprintf(out, "%*s%s\n", width < 44 ? 44 - width : 1, "", command->summary);
  }
  fputs(
      "       uvow completion bash|zsh|fish        for a shell to read\n"
      "       uvow --version\n"
      "\n"
      "uvow COMMAND --help says more.\n",
      out);
}

void args_help(subcommand_t bit, FILE *out) {
  const command_t *command = command_of(bit);
  if (!command) {
    put_overview(out);
    return;
  }
  fprintf(out, "usage: uvow %s [options]%s%s\n\n%s\n", command->name,
          *command->words ? " " : "", command->words, command->about);
  for (size_t i = 0; i < command_option_count; i++)
    if (command_options[i].commands & (unsigned)bit)
      put_option(out, &command_options[i]);
  fprintf(out, "\n%s", command->after);
}

/* The names of a command's options, each with a blank before it. */
static void put_names(FILE *out, subcommand_t bit) {
  for (size_t i = 0; i < command_option_count; i++)
    if (command_options[i].commands & (unsigned)bit)
      fprintf(out, " --%s", command_options[i].name);
}

static void complete_bash(FILE *out) {
  fputs(
      "_uvow() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} words=\n"
      "  case ${COMP_WORDS[COMP_CWORD-1]} in\n"
      "  "
      "--cert|--key|--cacert|--report|--unix-socket|--rules|--params-file|-E)\n"
      "    COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
      "  esac\n"
      "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
      "    words='",
      out);
  for (size_t i = 0; i < command_name_count; i++)
    fprintf(out, "%s ", command_names[i].name);
  fputs(
      "completion --help --version'\n"
      "  else\n"
      "    case ${COMP_WORDS[1]} in\n",
      out);
  for (size_t i = 0; i < command_name_count; i++) {
    fprintf(out, "    %s) words='", command_names[i].name);
    put_names(out, command_names[i].bit);
    fputs("' ;;\n", out);
  }
  fputs(
      "    completion) words='bash zsh fish' ;;\n"
      "    esac\n"
      "  fi\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "}\n"
      "complete -F _uvow uvow\n",
      out);
}

/* The first line of an option's help, for a shell in single quotes. */
static void put_quoted(FILE *out, const char *text, const char *also) {
  for (; *text && *text != '\n'; text++)
    if (*text == '\'')
      fputs(strcmp(also, "fish") == 0 ? "\\'" : "'\\''", out);
    else if (strchr("[]:", *text) && strcmp(also, "zsh") == 0)
      fprintf(out, "\\%c", *text);
    else
      fputc(*text, out);
}

static void complete_zsh(FILE *out) {
  fputs(
      "#compdef uvow\n"
      "_uvow() {\n"
      "  if (( CURRENT == 2 )); then\n"
      "    local -a commands=(",
      out);
  for (size_t i = 0; i < command_name_count; i++)
    fprintf(out, "'%s:%s' ", command_names[i].name, command_names[i].summary);
  fputs(
      "'completion:for a shell to read')\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  case $words[2] in\n",
      out);
  for (size_t i = 0; i < command_name_count; i++) {
    fprintf(out, "  %s)\n    _arguments", command_names[i].name);
    for (size_t k = 0; k < command_option_count; k++) {
      const option_t *option = &command_options[k];
      if (!(option->commands & (unsigned)command_names[i].bit))
        continue;
      fprintf(out, " \\\n      '--%s[", option->name);
      put_quoted(out, option->help, "zsh");
      fputs("]", out);
      if (option->word)
        fprintf(out, ":%s:_files", option->name);
      fputs("'", out);
    }
    fputs(" '*:word:'\n    ;;\n", out);
  }
  fputs(
      "  completion) _values shell bash zsh fish ;;\n"
      "  esac\n"
      "}\n"
      "_uvow \"$@\"\n",
      out);
}

static void complete_fish(FILE *out) {
  for (size_t i = 0; i < command_name_count; i++)
    fprintf(out, "complete -c uvow -f -n __fish_use_subcommand -a %s -d '%s'\n",
            command_names[i].name, command_names[i].summary);
  fputs(
      "complete -c uvow -f -n '__fish_seen_subcommand_from completion' "
      "-a 'bash zsh fish'\n",
      out);
  for (size_t i = 0; i < command_name_count; i++)
    for (size_t k = 0; k < command_option_count; k++) {
      const option_t *option = &command_options[k];
      if (!(option->commands & (unsigned)command_names[i].bit))
        continue;
      fprintf(out, "complete -c uvow -n '__fish_seen_subcommand_from %s' -l %s",
              command_names[i].name, option->name);
      if (option->letter)
        fprintf(out, " -s %c", option->letter);
      fprintf(out, "%s -d '", option->word ? " -r" : "");
      put_quoted(out, option->help, "fish");
      fputs("'\n", out);
    }
}

static void put_roff(FILE *out, const char *text) {
  for (int begins = 1; *text; begins = *text++ == '\n') {
    if (begins && (*text == '.' || *text == '\''))
      fputs("\\&", out);
    if (*text == '-' || *text == '\\')
      fprintf(out, "\\%c", *text == '-' ? '-' : 'e');
    else
      fputc(*text, out);
  }
}

static void man_option(FILE *out, const option_t *option) {
  fputs(".TP\n\\fB", out);
  if (option->letter)
    fprintf(out, "\\-%c\\fR, \\fB", option->letter);
  fputs("\\-\\-", out);
  put_roff(out, option->name);
  fputs("\\fR", out);
  if (option->word)
    fprintf(out, " \\fI%s\\fR", option->word);
  fputc('\n', out);
  put_roff(out, option->help);
  fputc('\n', out);
}

static const char man_end[] =
    ".SH ENVIRONMENT\n"
    ".TP\n\\fBNO_COLOR\\fR\nset, and not empty: no colours\n"
    ".TP\n\\fBTERM\\fR\n\"dumb\", or not set: no colours\n"
    ".TP\n\\fBSSL_CERT_FILE\\fR, \\fBSSL_CERT_DIR\\fR\n"
    "whom to trust, where \\-\\-cacert doesn't say it\n"
    ".TP\n\\fBhttps_proxy\\fR, \\fBhttp_proxy\\fR, \\fBall_proxy\\fR, "
    "\\fBno_proxy\\fR\nread with \\-\\-proxy\\-env only\n"
    ".SH FILES\n"
    ".TP\n\\fI~/.editrc\\fR\nkeys of \\fBuvow connect\\fR, see editrc(5)\n"
    ".SH EXAMPLES\n.nf\n"
    "uvow serve \\-\\-port 9000 &\n"
    "uvow call ws://127.0.0.1:9000/ add '[1,2]'\n"
    "seq 9 | sed 's/.*/add [&,1]/' | uvow call ws://127.0.0.1:9000/ \\-\n"
    "uvow listen ws://127.0.0.1:9000/ \\-\\-json\n"
    "uvow bench ws://127.0.0.1:9000/ \\-\\-inflight 64 \\-\\-report run.html\n"
    ".fi\n";

static void put_man(FILE *out) {
  fprintf(out,
          ".TH UVOW 1 \"\" \"uvow %s\" uvow\n.SH NAME\nuvow \\- calls, serves "
          "and measures services over WebSockets\n.SH SYNOPSIS\n",
          UVOW_VERSION_STRING);
  for (size_t i = 0; i < command_name_count; i++)
    fprintf(out, "%s\\fBuvow %s\\fR [\\fIoptions\\fR] %s\n", i ? ".br\n" : "",
            command_names[i].name, command_names[i].words);
  for (size_t i = 0; i < command_name_count; i++) {
    const command_t *command = &command_names[i];
    fprintf(out, ".SH UVOW %s\n", command->name);
    put_roff(out, command->about);
    for (size_t k = 0; k < command_option_count; k++)
      if (command_options[k].commands & (unsigned)command->bit)
        man_option(out, &command_options[k]);
    fputs(".PP\n.nf\n", out);
    put_roff(out, command->after);
    fputs(".fi\n", out);
  }
  fputs(man_end, out);
}

int args_completion(const char *what, FILE *out) {
  static const struct {
    const char *name;
    void (*put)(FILE *out);
  } all[] = {{"bash", complete_bash},
             {"zsh", complete_zsh},
             {"fish", complete_fish},
             {"man", put_man}};
  for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
    if (strcmp(all[i].name, what) == 0) {
      all[i].put(out);
      return 0;
    }
  return -1;
}
