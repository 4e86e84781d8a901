/*
 * home.c: see home.h. Two locks, both of which the kernel frees however the process ends. The directory's (flock) works
 * on a file system that is read-only, too: two that start there would else meet when it can be written again. The
 * record lock on `lock` (fcntl) names the holder, and is the one that counts where directories cannot be locked (NFS).
 */
#include "store/home.h"

#include "store/disk.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DIRECTORY_MODE = 0750,
    LOCK_MODE      = 0640,
    USER_TEXT_MAX  = 40,
};

#define LOCK "lock"

/* ---- why not ---- */

static int say(char *ret_why, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int say(char *ret_why, int error, const char *format, ...)
{
    va_list arguments;

    if (ret_why) {
        va_start(arguments, format);
        vsnprintf(ret_why, STORE_WHY_MAX, format, arguments);
        va_end(arguments);
    }
    return -error;
}

static const char *user_text(uid_t user, char text[USER_TEXT_MAX])
{
    const struct passwd *entry = getpwuid(user);
    if (entry)
        snprintf(text, USER_TEXT_MAX, "%s", entry->pw_name);
    else
        snprintf(text, USER_TEXT_MAX, "user %u", (unsigned) user);
    return text;
}

int home_explain(int directory, const char *path, const char *name, int error, char *ret_why)
{
    const char *slash = name ? "/" : "", *file = name ? name : "";
    char        owner[USER_TEXT_MAX], ours[USER_TEXT_MAX];
    struct stat status;
    bool        known =
        ret_why != NULL && (name ? fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) : stat(path, &status)) == 0;
    if (known && (error == EACCES || error == EPERM) && status.st_uid != geteuid())
        return say(ret_why, error, "%s%s%s belongs to %s, and bywayd runs as %s: chown it", path, slash, file,
                   user_text(status.st_uid, owner), user_text(geteuid(), ours));
    if (known && name && !S_ISREG(status.st_mode))
        return say(ret_why, error, "%s/%s is no regular file", path, name);
    return say(ret_why, error, "cannot use %s%s%s: %s", path, slash, file, strerror(error));
}

/* ---- whose files are there ---- */

static bool is_set_aside(const char *name, const char *of)
{
    static const char mark[] = ".bad-";
    size_t            len    = strlen(of);
    return strncmp(name, of, len) == 0 && strncmp(name + len, mark, strlen(mark)) == 0 &&
           isdigit((unsigned char) name[len + strlen(mark)]);
}

/* Ours, or what a file system has of its own. */
static bool is_expected(const char *name)
{
    static const char *const names[]   = {".",  "..",         "lost+found",         DISK_SNAPSHOT,
                                          LOCK, DISK_JOURNAL, DISK_SNAPSHOT ".tmp", DISK_JOURNAL ".tmp"};
    static const char        removed[] = ".nfs"; /* what NFS makes of a file that was removed while it was open */
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return is_set_aside(name, DISK_SNAPSHOT) || is_set_aside(name, DISK_JOURNAL) ||
           strncmp(name, removed, strlen(removed)) == 0;
}

static DIR *open_list(int directory)
{
    int  copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy >= 0 ? fdopendir(copy) : NULL;

    if (!list && copy >= 0)
        close(copy);
    return list;
}

/* A directory that was named by mistake must not be taken over. */
static int refuse_strangers(int directory, const char *path, char *ret_why)
{
    DIR           *list = open_list(directory);
    struct dirent *entry;
    int            error = 0;

    if (!list)
        return home_explain(directory, path, NULL, errno, ret_why);
    while (error == 0 && (entry = readdir(list)))
        if (!is_expected(entry->d_name))
            error = say(ret_why, ENOTEMPTY, "%s has files of others (%s): it must be a directory for bywayd alone",
                        path, entry->d_name);
    closedir(list);
    return error;
}

/* What cannot be given is found when it is used. */
static void give_open(int file, const struct store_owner *owner)
{
    int failed = fchownat(file, "", owner->user, owner->group, AT_EMPTY_PATH);
    (void) failed;
}

/* By the open file, which nobody can exchange meanwhile; one that has another name elsewhere may be somebody's. */
static void give_file(int directory, const char *name, const struct store_owner *owner)
{
    int         file = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (file < 0)
        return;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == 0 && status.st_nlink == 1)
        give_open(file, owner);
    close(file);
}

/* What root has made, when an earlier start was root's or just now. A directory behind a symbolic link may be anybody's,
 * and stays his. */
static void give(int directory, const char *path, const struct store_owner *owner)
{
    DIR           *list = open_list(directory);
    struct dirent *entry;
    struct stat    status, link;

    if (fstat(directory, &status) == 0 && lstat(path, &link) == 0 && S_ISDIR(link.st_mode) && status.st_uid == 0 &&
        (status.st_mode & S_IWOTH) == 0)
        give_open(directory, owner);
    while (list && (entry = readdir(list)))
        if (strcmp(entry->d_name, "lost+found") != 0)
            give_file(directory, entry->d_name, owner);
    if (list)
        closedir(list);
}

/* ---- the locks ---- */

static int take_record(int file, short type)
{
    struct flock wanted = {.l_type = type, .l_whence = SEEK_SET};
    if (fcntl(file, F_SETLK, &wanted) == 0)
        return 0;
    return errno == EAGAIN || errno == EACCES ? -EWOULDBLOCK : -errno;
}

static int say_held(int directory, const char *path, char *ret_why)
{
    struct flock held  = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int          file  = openat(directory, LOCK, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool         known = file >= 0 && fcntl(file, F_GETLK, &held) == 0 && held.l_type != F_UNLCK && held.l_pid > 0;
    if (file >= 0)
        close(file);
    if (known)
        return say(ret_why, EWOULDBLOCK, "another bywayd (process %d) uses %s", (int) held.l_pid, path);
    return say(ret_why, EWOULDBLOCK, "another bywayd uses %s", path);
}

/* `alone`: nobody else has the directory, so one of another user, from before, can be replaced. */
static int open_lock(int directory, bool alone, int *ret_lock)
{
    static const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    int              error;
    *ret_lock = openat(directory, LOCK, flags, LOCK_MODE);
    error     = *ret_lock < 0 ? -errno : 0;
    if (error == -EACCES && alone && unlinkat(directory, LOCK, 0) == 0) {
        *ret_lock = openat(directory, LOCK, flags | O_EXCL, LOCK_MODE);
        error     = *ret_lock < 0 ? -errno : 0;
    }
    return error;
}

/* *ret_lock is -1 where there is none, and none can be made. */
static int take_lock(int directory, bool alone, int *ret_lock)
{
    short type  = F_WRLCK;
    int   error = open_lock(directory, alone, ret_lock);

    if (error == -EROFS) { /* what is there must still be read */
        type      = F_RDLCK;
        *ret_lock = openat(directory, LOCK, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        error     = *ret_lock < 0 && errno != ENOENT ? -errno : 0;
    }
    if (error == 0 && *ret_lock >= 0)
        error = take_record(*ret_lock, type);
    if (error < 0 && *ret_lock >= 0)
        close(*ret_lock);
    return error;
}

/* ---- the directory ---- */

static int take(int directory, const char *path, char *ret_why, int *ret_lock)
{
    bool alone = flock(directory, LOCK_EX | LOCK_NB) == 0;
    int  error;
    if (!alone && errno == EWOULDBLOCK)
        return say_held(directory, path, ret_why);
    error = refuse_strangers(directory, path, ret_why);
    if (error < 0)
        return error;
    error = take_lock(directory, alone, ret_lock);
    if (error == -EWOULDBLOCK)
        return say_held(directory, path, ret_why);
    if (error < 0)
        return home_explain(directory, path, faccessat(directory, LOCK, F_OK, 0) == 0 ? LOCK : NULL, -error, ret_why);
    return 0;
}

static int open_both(const char *path, const struct store_owner *owner, char *ret_why, int *ret_directory,
                     int *ret_lock)
{
    int directory, error;
    if (mkdir(path, DIRECTORY_MODE) < 0 && errno != EEXIST && errno != EROFS)
        return say(ret_why, errno, "cannot make %s: %s", path, strerror(errno));
    directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return home_explain(-1, path, NULL, errno, ret_why);
    error = take(directory, path, ret_why, ret_lock);
    if (error < 0) {
        close(directory);
        return error;
    }
    if (owner)
        give(directory, path, owner);
    *ret_directory = directory;
    return 0;
}

int home_open(const char *path, const struct store_owner *owner, char *ret_why, struct home **ret)
{
    size_t       size = strlen(path) + 1;
    struct home *home = malloc(sizeof(*home) + size);
    int          error;
    if (!home)
        return say(ret_why, ENOMEM, "out of memory");
    memcpy(home->path, path, size);
    error = open_both(path, owner, ret_why, &home->directory, &home->lock);
    if (error < 0)
        free(home);
    else
        *ret = home;
    return error;
}

static bool is_file(int file, const struct stat *status)
{
    struct stat ours;
    return fstat(file, &ours) == 0 && ours.st_dev == status->st_dev && ours.st_ino == status->st_ino;
}

int home_check(const struct home *home, char *ret_why)
{
    struct stat status;
    if (stat(home->path, &status) < 0 ||
        (faccessat(home->directory, ".", R_OK | W_OK | X_OK, AT_EACCESS) < 0 && errno != EROFS))
        return home_explain(home->directory, home->path, NULL, errno, ret_why);
    return 0;
}

static void close_both(const struct home *home)
{
    close(home->directory);
    if (home->lock >= 0)
        close(home->lock);
}

int home_find(struct home *home, bool *ret_moved)
{
    struct stat status;
    int         directory = -1, lock = -1, error;
    *ret_moved = false;
    if (stat(home->path, &status) == 0 && is_file(home->directory, &status))
        return 0;
    error = open_both(home->path, NULL, NULL, &directory, &lock);
    if (error < 0)
        return error;
    close_both(home);
    home->directory = directory;
    home->lock      = lock;
    *ret_moved      = true;
    return 0;
}

bool home_has(const struct home *home, const char *name, int file)
{
    struct stat status;
    char        path[PATH_MAX];
    return snprintf(path, sizeof(path), "%s/%s", home->path, name) < (int) sizeof(path) && stat(path, &status) == 0 &&
           is_file(file, &status);
}

void home_close(struct home *home)
{
    close_both(home);
    free(home);
}
