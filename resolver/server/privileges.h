/*
 * privileges.h: from root to the configured user.
 *
 * Thread: keeper.
 */
#ifndef SERVER_PRIVILEGES_H
#define SERVER_PRIVILEGES_H

#include "settings/settings.h"
#include "store/store.h"

/* Whom the state is to be given to; *ret_gives false: nobody, for `user` is not set or the process is not root's.
 * False: logged. */
bool privileges_owner(const struct settings *settings, bool *ret_gives, struct store_owner *ret);
/* Before the control socket is opened: makes its directory and gives it to the user. Nothing to do where the state is
 * given to nobody. False: logged. */
bool privileges_prepare(const struct settings *settings);
/* Becomes the user, with its groups; CAP_NET_BIND_SERVICE stays, so that a reload may bind port 53. False: logged. */
bool privileges_drop(const struct settings *settings);

enum {
    PRIVILEGES_DOUBT_MAX = 200 /* bytes, the NUL among them */
};

/* True: `user` and who started this process do not go together; ret_text says how, as a warning. */
bool privileges_doubt(const struct settings *settings, char ret_text[PRIVILEGES_DOUBT_MAX]);

/* The group that may change things over the control socket; (gid_t)-1: none, or it has gone since the settings were
 * read. */
gid_t privileges_control_group(const struct settings *settings);

#endif
