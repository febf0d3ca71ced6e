#ifndef UVOW__OWN_H
#define UVOW__OWN_H

#include <stdint.h>

#include <uvow/value.h>

/*
 * The names of uvow's own types. A type is uvow's own if its name stands here:
 * its `destroy` runs no code of the application's, so a value of it is released
 * on the spot. A user's name can't stand here, and no type needs a field for
 * it.
 */
struct uvow__own_names {
  char shared[8];
  char results[8];
  char bytes[8];
  char json[8];
  char error[8];
  char stat[8];
  char file[8];
  char statfs[8];
};

extern const struct uvow__own_names uvow__own_names;

/* Whether it is a type of bytes: its pointer points to their uvow__slice_t. */
static inline int uvow__type_is_bytes(const uvow_type_t *type) {
  return type && type->name == uvow__own_names.bytes;
}

/* Whether the type's destroy is code of the application's. */
static inline int uvow__type_is_foreign(const uvow_type_t *type) {
  uintptr_t at = (uintptr_t)type->name;
  uintptr_t own = (uintptr_t)&uvow__own_names;
  return type->destroy && at - own >= sizeof(uvow__own_names);
}

#endif
