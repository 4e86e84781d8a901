/*
 * neighbours.c: see neighbours.h.
 */
#include "server/neighbours.h"

#include "net/socket.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 512, /* of /proc/net; they have some 180 */
    STATE_LISTENS  = 10,  /* TCP_LISTEN */
    STATE_OPEN     = 7,   /* TCP_CLOSE, which is also that of a UDP socket without a peer */
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

/* ---- this process ---- */

static bool is_there(int fd, const struct address *address, int type)
{
    struct address bound;
    int            own;
    socklen_t      len = sizeof(own);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &own, &len) < 0 || own != type || !socket_address(fd, &bound))
        return false;
    return (bound.any.sa_family == AF_INET || bound.any.sa_family == AF_INET6) && overlap(&bound, address);
}

static bool has_inode(int fd, unsigned long inode)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) && status.st_ino == inode;
}

/* Some descriptor of this process is a socket at `address`, or, where that is NULL, has the inode. */
static bool we_have(const struct address *address, int type, unsigned long inode)
{
    DIR           *descriptors = opendir("/proc/self/fd");
    struct dirent *entry;
    bool           found = false;
    while (descriptors && !found && (entry = readdir(descriptors))) {
        int fd = isdigit((unsigned char) entry->d_name[0]) ? atoi(entry->d_name) : -1;
        found  = fd >= 0 && (address ? is_there(fd, address, type) : has_inode(fd, inode));
    }
    if (descriptors)
        closedir(descriptors);
    return found;
}

bool neighbours_ours(const struct address *address, int type) { return we_have(address, type, 0); }

/* ---- the others ---- */

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

static bool has_socket(const char *process, unsigned long inode)
{
    char path[64], wanted[64], link[64];
    snprintf(path, sizeof(path), "/proc/%.16s/fd", process);
    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    DIR           *descriptors = opendir(path);
    struct dirent *entry;
    bool           found = false;
    while (descriptors && !found && (entry = readdir(descriptors))) {
        ssize_t len = readlinkat(dirfd(descriptors), entry->d_name, link, sizeof(link) - 1);
        found       = len > 0 && (size_t) len == strlen(wanted) && memcmp(link, wanted, (size_t) len) == 0;
    }
    if (descriptors)
        closedir(descriptors);
    return found;
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
        if (!isdigit((unsigned char) entry->d_name[0]) || !has_socket(entry->d_name, row->inode))
            continue;
        read_name(entry->d_name, name);
        snprintf(ret_who, NEIGHBOUR_MAX, "%s, process %.16s", name, entry->d_name);
        break;
    }
    if (processes)
        closedir(processes);
}

static bool is_neighbour(const struct row *row, const struct address *address, int type)
{
    return row->state == (type == SOCK_STREAM ? STATE_LISTENS : STATE_OPEN) && overlap(&row->local, address) &&
           !we_have(NULL, type, row->inode);
}

bool neighbours_find(const struct address *address, int type, char ret_who[NEIGHBOUR_MAX])
{
    char        path[32], line[LINE_MAX_BYTES];
    const char *kind  = type == SOCK_STREAM ? "tcp" : "udp";
    bool        found = false;
    struct row  row;
    snprintf(path, sizeof(path), "/proc/net/%s%s", kind, address->any.sa_family == AF_INET6 ? "6" : "");
    FILE *table = fopen(path, "re");
    while (table && !found && fgets(line, sizeof(line), table))
        found = read_row(line, &row) && is_neighbour(&row, address, type);
    if (table)
        fclose(table);
    if (found)
        describe(&row, ret_who);
    return found;
}
