/*
 * upstreams.h: the key "upstreams": groups, their upstreams, and the domestic ones that resolv.conf names.
 *
 * Thread: keeper.
 */
#ifndef SETTINGS_UPSTREAMS_H
#define SETTINGS_UPSTREAMS_H

#include "settings/reader.h"

enum {
    UPSTREAMS_ANSWER_MAX = 96 /* bytes, the NUL among them */
};

/* Fills settings.groups. `value` NULL: the key is absent. settings.listen is known already. A group is entered by its
 * name even when its list is bad, so that `zones` does not complain of it a second time. */
void upstreams_read(struct reader *reader, const struct place *place, const json_t *value);

/* One upstream that is in no configuration, text or object, told under `key`; `settings`: those in force. False: told.
 * *ret is to be freed by way_fini(), whatever is returned. */
bool upstreams_read_one(const struct settings *settings, const char *key, const json_t *value,
                        settings_report_fn report, void *context, struct upstream_setting *ret);

/* How somebody answers at that address as far as the configuration says: "this server listens there", "it is in
 * upstreams.external"; false: nobody does. Written to `ret`. */
bool upstreams_answer_at(const struct settings *settings, const struct address *address,
                         char ret[UPSTREAMS_ANSWER_MAX]);

/* Of what crosses the border in plain text. */
void upstreams_warn(struct reader *reader);

/* "domestic" or "external", where `name` is a slip for it; NULL: it is neither's, or is one of them. */
const char *upstreams_meant(const char *name);

/* The group of that name; false: there is none. */
bool upstreams_find(const struct settings *settings, const char *name, size_t *ret_group);

#endif
