/*
 * neighbours.c: see neighbours.h.
 */
#include "server/neighbours.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    STAYS          = 5,   /* ms between a first look and the second; the time doubles, for a thread may have to wait */
    STAYS_LOOKS    = 4,   /* for a processor while it closes */
    LINE_MAX_BYTES = 512, /* of /proc/net; they have some 180 */
    STATE_LISTENS  = 10,  /* TCP_LISTEN */
    STATE_OPEN     = 7,   /* TCP_CLOSE, which is also that of a UDP socket without a peer */
};

struct inodes { /* of sockets, sorted */
    unsigned long *list;
    size_t         count;
};

struct row { /* a socket in /proc/net */
    struct address local;
    unsigned       state, uid;
    unsigned long  inode;
};

/* The scope of a link-local address is left out: /proc does not show it. */
static bool overlap(const struct address *a, const struct address *b)
{
    if (a->any.sa_family != b->any.sa_family || address_port(a) != address_port(b))
        return false;
    if (address_is_wildcard(a) || address_is_wildcard(b))
        return true;
    if (a->any.sa_family == AF_INET)
        return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0;
}

/* ---- sockets and the processes that have them ---- */

/* The inode of the socket that is the entry of a directory /proc/PID/fd; 0: it is none. */
static unsigned long inode_of(DIR *descriptors, const struct dirent *entry)
{
    char          link[64];
    unsigned long inode;
    ssize_t       len       = readlinkat(dirfd(descriptors), entry->d_name, link, sizeof(link) - 1);
    link[len > 0 ? len : 0] = '\0';
    return sscanf(link, "socket:[%lu]", &inode) == 1 ? inode : 0;
}

static DIR *open_descriptors(const char *process)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%.16s/fd", process);
    return opendir(path);
}

static int compare(const void *a, const void *b)
{
    unsigned long one = *(const unsigned long *) a, other = *(const unsigned long *) b;
    return one < other ? -1 : one > other;
}

/* Our own sockets. Their links are read, for other threads open and close them meanwhile. False: no memory, no /proc.
 */
static bool find_ours(struct inodes *ret)
{
    DIR           *descriptors = open_descriptors("self");
    struct dirent *entry;
    size_t         cap  = 0;
    bool           good = descriptors != NULL;
    *ret                = (struct inodes){0};
    while (good && (entry = readdir(descriptors))) {
        unsigned long inode = inode_of(descriptors, entry);
        if (inode == 0)
            continue;
        if (ret->count == cap) {
            unsigned long *more = realloc(ret->list, (cap = 2 * cap + 64) * sizeof(*more));
            good                = more != NULL;
            ret->list           = good ? more : ret->list;
        }
        if (good)
            ret->list[ret->count++] = inode;
    }
    if (descriptors)
        closedir(descriptors);
    if (good && ret->count > 0)
        qsort(ret->list, ret->count, sizeof(*ret->list), compare);
    return good;
}

static bool has(const struct inodes *inodes, unsigned long inode)
{
    return inodes->count > 0 && bsearch(&inode, inodes->list, inodes->count, sizeof(inode), compare);
}

static bool process_has(const char *process, unsigned long inode)
{
    DIR           *descriptors = open_descriptors(process);
    struct dirent *entry;
    bool           found = false;
    while (descriptors && !found && (entry = readdir(descriptors)))
        found = inode_of(descriptors, entry) == inode;
    if (descriptors)
        closedir(descriptors);
    return found;
}

/* ---- the kernel's table ---- */

/* Addresses are printed as 32-bit words in the order of this machine. */
static bool read_host(const char *text, struct address *ret)
{
    size_t len = strlen(text), at = 0;
    *ret          = (struct address){.len = len == 8 ? sizeof(ret->in) : sizeof(ret->in6)};
    uint8_t *host = len == 8 ? (uint8_t *) &ret->in.sin_addr : ret->in6.sin6_addr.s6_addr;
    if (len != 8 && len != 32)
        return false;
    ret->any.sa_family = len == 8 ? AF_INET : AF_INET6;
    for (unsigned word; at < len && sscanf(text + at, "%8x", &word) == 1; at += 8)
        memcpy(host + at / 2, &word, sizeof(word));
    return at == len;
}

static bool read_row(const char *line, struct row *ret)
{
    char     host[33];
    unsigned port;
    if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %u %*s %lu", host, &port, &ret->state,
               &ret->uid, &ret->inode) != 5 ||
        !read_host(host, &ret->local))
        return false;
    *(ret->local.any.sa_family == AF_INET ? &ret->local.in.sin_port : &ret->local.in6.sin6_port) =
        htons((uint16_t) port);
    return true;
}

static void read_name(const char *process, char ret[static 32])
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%.16s/comm", process);
    FILE *file = fopen(path, "re");
    strcpy(ret, "?");
    if (file && fgets(ret, 32, file))
        ret[strcspn(ret, "\n")] = '\0';
    if (file)
        fclose(file);
}

/* Only root sees the descriptors of others. */
static void describe(const struct row *row, char ret_who[NEIGHBOUR_MAX])
{
    DIR           *processes = opendir("/proc");
    struct dirent *entry;
    char           name[32];
    snprintf(ret_who, NEIGHBOUR_MAX, "a process of user %u", row->uid);
    while (processes && (entry = readdir(processes))) {
        if (!isdigit((unsigned char) entry->d_name[0]) || !process_has(entry->d_name, row->inode))
            continue;
        read_name(entry->d_name, name);
        snprintf(ret_who, NEIGHBOUR_MAX, "%s, process %.16s", name, entry->d_name);
        break;
    }
    if (processes)
        closedir(processes);
}

static bool serves(const struct row *row, int type)
{
    return row->state == (type == SOCK_STREAM ? STATE_LISTENS : STATE_OPEN);
}

static enum neighbours read_table(FILE *table, const struct inodes *ours, const struct address *address, int type,
                                  struct row *ret)
{
    char            line[LINE_MAX_BYTES];
    enum neighbours found = NEIGHBOURS_NONE;
    while (found != NEIGHBOURS_ANOTHER && fgets(line, sizeof(line), table)) {
        if (!read_row(line, ret) || !overlap(&ret->local, address))
            continue;
        if (has(ours, ret->inode))
            found = NEIGHBOURS_OURS;
        else if (serves(ret, type))
            found = NEIGHBOURS_ANOTHER;
    }
    return found;
}

static enum neighbours look(const struct address *address, int type, struct row *ret)
{
    char            path[32];
    enum neighbours found = NEIGHBOURS_NONE;
    struct inodes   ours;
    snprintf(path, sizeof(path), "/proc/net/%s%s", type == SOCK_STREAM ? "tcp" : "udp",
             address->any.sa_family == AF_INET6 ? "6" : "");
    FILE *table = fopen(path, "re");
    if (find_ours(&ours) && table)
        found = read_table(table, &ours, address, type, ret);
    free(ours.list);
    if (table)
        fclose(table);
    return found;
}

/* A socket that another thread of ours is closing, or has just opened, is in the kernel's table and not among ours: a
 * stranger's stays there. */
enum neighbours neighbours_look(const struct address *address, int type, char ret_who[NEIGHBOUR_MAX])
{
    struct timespec moment = {.tv_nsec = STAYS * 1000000};
    struct row      row, again;
    enum neighbours found = look(address, type, &row);
    for (unsigned i = 0; found == NEIGHBOURS_ANOTHER && i < STAYS_LOOKS; i++, moment.tv_nsec *= 2) {
        nanosleep(&moment, NULL);
        found = look(address, type, &again);
        if (found == NEIGHBOURS_ANOTHER && again.inode != row.inode)
            return NEIGHBOURS_OURS;
    }
    if (found == NEIGHBOURS_ANOTHER)
        describe(&row, ret_who);
    return found;
}
