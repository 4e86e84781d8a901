/*
 * keys.h: one reader for each key of settings.def.
 *
 * Thread: keeper.
 */
#ifndef SETTINGS_KEYS_H
#define SETTINGS_KEYS_H

#include "settings/reader.h"

/* Each fills its fields of reader->settings, or tells what is wrong. `value` NULL: the key is absent and has no
 * default. */
#define SETTING(name, ...) void read_##name(struct reader *reader, const struct place *place, const json_t *value);
#include "settings/settings.def"
#undef SETTING

#endif
