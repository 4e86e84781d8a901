/*
 * maillog_read.c: see maillog_read.h.
 */
#include "ctl/maillog_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
    BLOCK = 512 << 10, /* it and what is looked up in it fit in a core's cache */
};

static bool wrong(char why[MAILLOG_WHY_MAX], const char *text)
{
    snprintf(why, MAILLOG_WHY_MAX, "%s", text);
    return false;
}

/* Of `have` bytes all whole lines are given away, and what is left goes to the front; returns how much. */
static size_t give_lines(char *block, size_t have, bool *cut, maillog_block_fn each, void *context)
{
    const char *last  = memrchr(block, '\n', have);
    size_t      whole = last ? (size_t) (last + 1 - block) : have == BLOCK ? have : 0;
    const char *from  = block;
    if (*cut && whole > 0) { /* what a line has beyond a block is passed over */
        const char *end = memchr(block, '\n', whole);
        from            = end ? end + 1 : block + whole;
    }
    if (whole > 0) {
        each(context, (struct view){(const uint8_t *) from, (size_t) (block + whole - from)});
        *cut = !last;
    }
    memmove(block, block + whole, have - whole);
    return have - whole;
}

static bool read_all(gzFile file, char *block, maillog_block_fn each, void *context, char why[MAILLOG_WHY_MAX])
{
    size_t have = 0;
    bool   cut  = false;
    int    got, error = Z_OK;
    while ((got = gzread(file, block + have, (unsigned) (BLOCK - have))) > 0)
        have = give_lines(block, have + (size_t) got, &cut, each, context);
    int failed = errno;
    if (have > 0 && !cut)
        each(context, (struct view){(const uint8_t *) block, have});
    gzerror(file, &error);
    if (error == Z_ERRNO)
        return wrong(why, strerror(failed));
    if (error == Z_MEM_ERROR)
        return wrong(why, "no memory to unpack it");
    if (error == Z_BUF_ERROR)
        return wrong(why, "it ends in the middle of what gzip packed: cut off, or still being written");
    return error == Z_OK || error == Z_STREAM_END ? true : wrong(why, "what gzip packed is damaged");
}

bool maillog_read(const char *path, maillog_block_fn each, void *context, char why[MAILLOG_WHY_MAX])
{
    int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    struct stat facts;
    bool        good = false;
    if (fd < 0)
        return wrong(why, strerror(errno));
    if (fstat(fd, &facts) == 0 && S_ISDIR(facts.st_mode)) {
        close(fd);
        return wrong(why, "a directory, where a log is expected");
    }
    gzFile file  = gzdopen(fd, "r");
    char  *block = malloc(BLOCK);
    if (file && block)
        good = read_all(file, block, each, context, why);
    else
        wrong(why, "no memory to read it");
    free(block);
    if (!file)
        close(fd);
    else
        gzclose(file);
    return good;
}
