/*
 * registry.h: from settings to the setup that the path of a query reads; and the upstreams, which outlive setups so
 * that their health survives a reload.
 *
 * Thread: keeper, but for the destruction of setups, which any thread may cause.
 */
#ifndef SERVER_REGISTRY_H
#define SERVER_REGISTRY_H

#include "core/setup.h"
#include "settings/settings.h"

struct registry;

struct registry *registry_create(void);
/* No setup made by it is left. */
void registry_destroy(struct registry *registry);

/* A setup with one reference. It keeps what it needs of `settings`. NULL: no memory. */
struct setup *registry_setup(struct registry *registry, const struct settings *settings);

enum {
    REGISTRY_DOUBT_MAX = WAY_TEXT_MAX + 200 /* bytes, the NUL among them */
};

/* True: an encrypted upstream relies on the system's certificate authorities, and there are none that this process can
 * read; ret_text says which, as a warning. Takes some 30 ms where one relies on them. Thread: any that is alone. */
bool registry_doubt(const struct settings *settings, char ret_text[REGISTRY_DOUBT_MAX]);

#endif
