/*
 * duplicates.h: keys given twice in one object. jansson either takes the last one silently or stops at the first
 * repetition, and it does not know that keys starting with '#' are comments; so the text is walked once more.
 *
 * Thread: keeper.
 */
#ifndef SETTINGS_DUPLICATES_H
#define SETTINGS_DUPLICATES_H

#include "settings/reader.h"

/* Tells every repeated key of `text`, which syntax_read() has made plain and jansson accepted. What stands under a
 * comment is not looked at. */
void duplicates_check(struct reader *reader, const char *text);

#endif
