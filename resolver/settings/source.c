/*
 * source.c: see source.h.
 */
#include "settings/source.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SOURCE_MAX = 16 << 20 /* bytes; a configuration of 100,000 zones has 5 MB */
};

/* Reads until the end or `cap` bytes. -1: errno says why. */
static ssize_t read_all(int fd, char *text, size_t cap)
{
    size_t len = 0;
    while (len < cap) {
        ssize_t got = read(fd, text + len, cap - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        len += (size_t) got;
    }
    return (ssize_t) len;
}

/* What an error of the system means here; errno stays. */
static void explain(int error, char ret_problem[SOURCE_PROBLEM_MAX])
{
    const struct passwd *user = error == EACCES ? getpwuid(geteuid()) : NULL;
    if (error == EACCES && user)
        snprintf(ret_problem, SOURCE_PROBLEM_MAX, "the user %s may not read it", user->pw_name);
    else if (error == EACCES)
        snprintf(ret_problem, SOURCE_PROBLEM_MAX, "the user %u may not read it", (unsigned) geteuid());
    else
        snprintf(ret_problem, SOURCE_PROBLEM_MAX, "%s", strerror(error));
    errno = error;
}

/* NULL, or why a file of this kind and size is not read. */
static const char *unfit(const struct stat *facts)
{
    if (S_ISDIR(facts->st_mode))
        return "a directory, where a file is expected";
    if (!S_ISREG(facts->st_mode))
        return "not a regular file";
    return facts->st_size > SOURCE_MAX ? "larger than 16 MiB" : NULL;
}

char *source_read(const char *path, size_t *ret_len, char ret_problem[SOURCE_PROBLEM_MAX])
{
    char       *text = NULL;
    const char *why  = NULL;
    struct stat facts;
    int         fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &facts) < 0) {
        explain(errno, ret_problem);
        goto out;
    }
    /* One byte more than it had, so that a file which grows meanwhile is noticed. */
    size_t cap = (size_t) facts.st_size + 1;
    why        = unfit(&facts);
    if (!why && !(text = malloc(cap + 1)))
        why = "out of memory";
    if (why)
        goto out;
    ssize_t len = read_all(fd, text, cap);
    if (len >= 0 && (size_t) len < cap) {
        text[len] = '\0';
        *ret_len  = (size_t) len;
        goto out;
    }
    if (len < 0)
        explain(errno, ret_problem);
    else
        why = "changed while it was read";
    free(text);
    text = NULL;
out:
    if (why)
        snprintf(ret_problem, SOURCE_PROBLEM_MAX, "%s", why);
    if (fd >= 0)
        close(fd);
    return text;
}

char *source_line(char **text)
{
    char *line = strsep(text, "\n");
    if (!line)
        return NULL;
    line += strspn(line, " \t\r");
    for (size_t len = strlen(line); len > 0 && strchr(" \t\r", line[len - 1]); len--)
        line[len - 1] = '\0';
    return line;
}
