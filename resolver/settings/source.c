/*
 * source.c: see source.h.
 */
#include "settings/source.h"

#include <errno.h>
#include <fcntl.h>
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

char *source_read(const char *path, size_t *ret_len, const char **ret_problem)
{
    char       *text = NULL;
    struct stat facts;
    int         fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &facts) < 0) {
        *ret_problem = strerror(errno);
        goto out;
    }
    if (!S_ISREG(facts.st_mode)) {
        *ret_problem = "not a regular file";
        goto out;
    }
    if (facts.st_size > SOURCE_MAX) {
        *ret_problem = "larger than 16 MiB";
        goto out;
    }
    /* One byte more than it had, so that a file which grows meanwhile is noticed. */
    size_t cap = (size_t) facts.st_size + 1;
    text       = malloc(cap + 1);
    if (!text) {
        *ret_problem = "out of memory";
        goto out;
    }
    ssize_t len  = read_all(fd, text, cap);
    *ret_problem = len < 0 ? strerror(errno) : (size_t) len == cap ? "changed while it was read" : NULL;
    if (*ret_problem) {
        free(text);
        text = NULL;
        goto out;
    }
    text[len] = '\0';
    *ret_len  = (size_t) len;
out:
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
