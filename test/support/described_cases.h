#ifndef UVOW_TEST_DESCRIBED_CASES_H
#define UVOW_TEST_DESCRIBED_CASES_H

#include "protocol_cases.h"

/* What a service's own documents show, or what it was seen to send. */
typedef struct service {
  const char *name;
  const decode_case_t *reads;
  size_t read_count;
  const encode_case_t *writes;
  size_t write_count;
} service_t;

#define SERVICE(name)                                                          \
  {                                                                            \
#name, name##_reads, UVOW__COUNT(name##_reads), name##_writes,             \
        UVOW__COUNT(name##_writes)                                             \
  }

/* Of each file of docs/examples/protocols. */
extern const service_t described_cases[];
extern const size_t described_count;

/* The text of docs/FOLDER/protocols/NAME.json. Returns its length. */
size_t described_text(const char *folder, const char *name, char *ret,
                      size_t size);
/* The description docs/FOLDER/protocols/NAME.json, parsed. Returns new. */
uvow_protocol_t *described_load(const char *folder, const char *name);

#endif
