/*
 * presets.h: lists that ship with byway, each a file of its own that a key names.
 *
 * Thread: keeper.
 */
#ifndef SETTINGS_PRESETS_H
#define SETTINGS_PRESETS_H

#include "settings/reader.h"

/* Takes the text of one, which it may change; tells what is wrong with a line by `path` and its number. */
typedef void (*preset_lines_fn)(struct reader *reader, const struct place *place, const char *path, char *text);

/* Reads those that the list `value` names: the files NAME + `suffix` in the directory of presets. */
void presets_read(struct reader *reader, const struct place *place, const json_t *value, const char *suffix,
                  preset_lines_fn take);

#endif
