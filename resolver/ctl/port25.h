/*
 * port25.h: whether the MX hosts that a result of explain names take mail from this machine. Most networks for homes and
 * many for servers let nobody out to port 25, which is told from their silence by nothing.
 *
 * Thread: main.
 */
#ifndef CTL_PORT25_H
#define CTL_PORT25_H

#include <jansson.h>

enum {
    PORT25_HOSTS_MAX = 8
};

/* What became of each address that was tried, as docs/man/bywayctl.1 has it; the caller's. Takes up to 10 s;
 * `on_second` is told of each that has passed. */
json_t *port25_try(json_t *result, void (*on_second)(unsigned seconds));
/* Puts `connect` into the result, and the finding that follows from it: as the cause where no host answers and there is
 * no other. Takes `connect`. */
void port25_add(json_t *result, json_t *connect);

#endif
