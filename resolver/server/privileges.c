/*
 * privileges.c: see privileges.h.
 */
#include "server/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool wanted(const struct settings *settings) { return settings->user && geteuid() == 0; }

static const struct passwd *account(const struct settings *settings)
{
    const struct passwd *user = getpwnam(settings->user);
    if (!user)
        log_error("user: there is no user \"%s\"", settings->user);
    return user;
}

static bool fail(const char *what, const char *path)
{
    log_error("user: cannot %s %s: %s", what, path, strerror(errno));
    return false;
}

/* A directory that is there already belongs to whoever made it; so does one that was put in its place meanwhile. */
static bool make_directory(const char *path, mode_t mode, const struct passwd *user)
{
    if (mkdir(path, mode) != 0)
        return errno == EEXIST || fail("make", path);
    int         directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    bool        good = directory >= 0 && fstat(directory, &status) == 0 &&
                (status.st_uid != 0 || fchown(directory, user->pw_uid, user->pw_gid) == 0);
    if (!good)
        fail("give away", path);
    if (directory >= 0)
        close(directory);
    return good;
}

bool privileges_owner(const struct settings *settings, bool *ret_gives, struct store_owner *ret)
{
    *ret_gives = wanted(settings);
    if (!*ret_gives)
        return true;
    const struct passwd *user = account(settings);
    if (user)
        *ret = (struct store_owner){.user = user->pw_uid, .group = user->pw_gid};
    return user != NULL;
}

bool privileges_prepare(const struct settings *settings)
{
    if (!wanted(settings))
        return true;
    const struct passwd *user = account(settings);
    if (!user)
        return false;
    char  parent[4096];
    char *slash;
    snprintf(parent, sizeof(parent), "%s", settings->control_socket);
    slash = strrchr(parent, '/');
    if (slash && slash != parent) {
        *slash = '\0';
        if (!make_directory(parent, 0755, user))
            return false;
    }
    return true;
}

bool privileges_drop(const struct settings *settings)
{
    if (!wanted(settings))
        return true;
    const struct passwd *user = account(settings);
    if (!user)
        return false;
    if (initgroups(user->pw_name, user->pw_gid) != 0)
        return fail("take the groups of", settings->user);
    capng_clear(CAPNG_SELECT_BOTH);
    capng_update(CAPNG_ADD, (capng_type_t) (CAPNG_EFFECTIVE | CAPNG_PERMITTED), CAP_NET_BIND_SERVICE);
    int result = capng_change_id((int) user->pw_uid, (int) user->pw_gid, CAPNG_NO_FLAG);
    if (result == 0)
        return true;
    log_error("user: cannot become %s (capng_change_id: %d)", settings->user, result);
    return false;
}

gid_t privileges_control_group(const struct settings *settings)
{
    const struct group *group = settings->control_group ? getgrnam(settings->control_group) : NULL;
    return group ? group->gr_gid : (gid_t) -1;
}

bool privileges_doubt(const struct settings *settings, char ret_text[PRIVILEGES_DOUBT_MAX])
{
    uid_t                uid  = geteuid();
    const struct passwd *user = settings->user ? getpwnam(settings->user) : NULL;
    if (uid == 0 && !settings->user)
        snprintf(ret_text, PRIVILEGES_DOUBT_MAX,
                 "user: not set: started by root, as now, bywayd stays root (User= in its systemd unit is as good)");
    else if (uid != 0 && user && user->pw_uid != uid)
        snprintf(ret_text, PRIVILEGES_DOUBT_MAX,
                 "user: only root can become %.64s: started by another user, as now, bywayd stays that user",
                 settings->user);
    else
        return false;
    return true;
}
