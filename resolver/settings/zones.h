/*
 * zones.h: the keys "zones" and "presets", which become policy rules.
 *
 * Thread: keeper.
 */
#ifndef SETTINGS_ZONES_H
#define SETTINGS_ZONES_H

#include "settings/reader.h"

/* Each appends to settings.rules; settings.groups is known already. */
void zones_read(struct reader *reader, const struct place *place, const json_t *value);
void zones_read_presets(struct reader *reader, const struct place *place, const json_t *value);

#endif
