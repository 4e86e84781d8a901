/*
 * cluster.c: the keys "cluster.…": where Redis is, and what this node is called there. What is shared is not its
 * business, and the password is read by who connects: it may have changed by then.
 */
#include "settings/endpoint.h"
#include "settings/keys.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

enum {
    QUOTE_MAX  = 80,
    USER_MAX   = 255, /* bytes */
    REDIS_PORT = 6379
};

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define REDIS_EXPECTED "\"redis://192.0.2.5:6379\" or \"unix:///run/redis/redis.sock\""

/* Whether the file says where Redis is, rightly or not. */
static bool is_on(const struct reader *reader)
{
    return json_object_get(json_object_get(reader->root, "cluster"), "redis") != NULL;
}

/* ---- redis ---- */

/* Of networks that nobody reaches from elsewhere, or that stand in examples. */
static bool is_private(const struct address *address)
{
    static const char *const blocks[] = {"127.0.0.0/8",    "10.0.0.0/8",     "172.16.0.0/12", "192.168.0.0/16",
                                         "100.64.0.0/10",  "169.254.0.0/16", "192.0.2.0/24",  "198.51.100.0/24",
                                         "203.0.113.0/24", "::1/128",        "fc00::/7",      "fe80::/10",
                                         "2001:db8::/32"};
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        struct cidr block;
        if (cidr_parse(blocks[i], &block) && cidr_contains(&block, address))
            return true;
    }
    return false;
}

/* "redis.example" or "redis.example:6379". */
static bool is_name(const char *host)
{
    size_t len = strcspn(host, ":");
    return strspn(host, LETTERS "0123456789.-_") == len && strpbrk(host, LETTERS) &&
           strpbrk(host, LETTERS) < host + len && !strchr(host + len + (host[len] == ':'), ':');
}

static void address_read(struct reader *reader, const struct place *place, const char *host)
{
    struct settings_cluster *cluster = &reader->settings->cluster;
    const char              *colon   = strchr(host, ':');
    char                     why[ENDPOINT_WHY_MAX], text[ADDRESS_TEXT_MAX];
    if (host[0] != '[' && colon && strchr(colon + 1, ':'))
        reader_error(reader, place, "an IPv6 address stands in brackets: \"redis://[2001:db8::5]:%d\"", REDIS_PORT);
    else if (host[strcspn(host, "/")] != '\0')
        reader_error(reader, place, "nothing stands behind the port: byway keeps what it shares in Redis' database 0");
    else if (is_name(host))
        reader_error(reader, place, "names are not looked up: \"%.*s\" (write Redis' address)", QUOTE_MAX, host);
    else if (endpoint_read(host, ENDPOINT_ASK, REDIS_PORT, &cluster->address, why)) {
        cluster->on = true;
        if (!is_private(&cluster->address))
            reader_warning(reader, place,
                           "%s is a public address, and Redis is spoken in clear: who is on the way reads and changes "
                           "what is shared; a private network or a tunnel keeps it out",
                           address_format(&cluster->address, text));
    } else if (why[0] != '\0')
        reader_error(reader, place, "%s", why);
    else
        reader_error(reader, place, "not an address: \"%.*s\" (expected " REDIS_EXPECTED ")", QUOTE_MAX, host);
}

static void socket_read(struct reader *reader, const struct place *place, const char *path)
{
    struct settings_cluster *cluster = &reader->settings->cluster;
    if (path[0] != '/')
        reader_error(reader, place, "not an absolute path: \"%.*s\" (expected " REDIS_EXPECTED ")", QUOTE_MAX, path);
    else if (strlen(path) >= sizeof(cluster->path))
        reader_error(reader, place, "path too long (at most %zu bytes)", sizeof(cluster->path) - 1);
    else {
        memcpy(cluster->path, path, strlen(path) + 1);
        cluster->local = true;
        cluster->on    = true;
    }
}

/* What is behind `scheme` in `text`; NULL: another scheme, or none. */
static const char *behind(const char *text, const char *scheme)
{
    size_t len = strlen(scheme);
    return strncmp(text, scheme, len) == 0 ? text + len : NULL;
}

/* Something in the section counts on Redis. */
static bool has_keys(const json_t *section)
{
    const char *key;
    json_t     *ignored;
    json_object_foreach((json_t *) section, key, ignored)
    {
        if (key[0] != '#')
            return true;
    }
    return false;
}

void read_cluster_redis(struct reader *reader, const struct place *place, const json_t *value)
{
    if (!value) {
        if (has_keys(json_object_get(reader->root, "cluster")))
            reader_warning(reader, place, "missing: nothing is shared (expected " REDIS_EXPECTED ")");
        return;
    }
    const char *text = value_text(reader, place, value, REDIS_EXPECTED);
    if (!text)
        return;
    const char *host = behind(text, "redis://"), *path = behind(text, "unix://");
    /* First, so that no password is shown. */
    if (strchr(text, '?') || (strchr(text, '@') && !(path && path[0] == '/')))
        reader_error(reader, place,
                     "user and password do not stand here, nor anything behind '?': set cluster.user and "
                     "cluster.password_file");
    else if (behind(text, "rediss://"))
        reader_error(reader, place,
                     "Redis is not spoken over TLS: reach it by its Unix socket, a private network or a tunnel "
                     "(expected " REDIS_EXPECTED ")");
    else if (host)
        address_read(reader, place, host);
    else if (path)
        socket_read(reader, place, path);
    else
        reader_error(reader, place, "not where a Redis is: \"%.*s\" (expected " REDIS_EXPECTED ")", QUOTE_MAX, text);
}

/* ---- who we are ---- */

static bool is_word(const char *text)
{
    size_t len = strlen(text);
    return strpbrk(text, LETTERS "0123456789") && len < SETTINGS_WORD_MAX &&
           strspn(text, LETTERS "0123456789._-") == len;
}

static void word_read(struct reader *reader, const struct place *place, const json_t *value,
                      char ret[SETTINGS_WORD_MAX])
{
    static const char expected[] = "1 to 63 letters, digits, '.', '_' or '-', not these three alone";
    const char       *text       = value_text(reader, place, value, expected);
    if (text && is_word(text))
        memcpy(ret, text, strlen(text) + 1);
    else if (text)
        reader_error(reader, place, "cannot be used: \"%.*s\" (expected %s)", QUOTE_MAX, text, expected);
}

void read_cluster_name(struct reader *reader, const struct place *place, const json_t *value)
{
    word_read(reader, place, value, reader->settings->cluster.name);
}

void read_cluster_vantage(struct reader *reader, const struct place *place, const json_t *value)
{
    if (value)
        word_read(reader, place, value, reader->settings->cluster.vantage);
    else if (is_on(reader))
        reader_error(reader, place,
                     "missing (expected from where this node looks, like \"cn\": nodes with the same word believe each "
                     "other)");
}

/* Two nodes with one name would overwrite what each other has seen. */
static bool is_everybodys(const char *host) { return strcmp(host, "localhost") == 0 || behind(host, "localhost."); }

void read_cluster_node(struct reader *reader, const struct place *place, const json_t *value)
{
    char own[HOST_NAME_MAX + 1] = "";
    if (value) {
        word_read(reader, place, value, reader->settings->cluster.node);
        return;
    }
    if (!is_on(reader))
        return;
    const char *host = reader->sources->host;
    if (!host && gethostname(own, sizeof(own) - 1) == 0)
        host = own;
    if (host && is_word(host) && !is_everybodys(host))
        memcpy(reader->settings->cluster.node, host, strlen(host) + 1);
    else
        reader_error(reader, place, "missing, and this machine's name \"%s\" cannot stand in for it", host ? host : "");
}

/* ---- who may ---- */

void read_cluster_user(struct reader *reader, const struct place *place, const json_t *value)
{
    const char *text = value ? value_text(reader, place, value, "the user that Redis knows") : NULL;
    size_t      len  = text ? strlen(text) : 0;
    if (text && (len == 0 || len > USER_MAX || text[strcspn(text, " \t\r\n")] != '\0'))
        reader_error(reader, place, "a user of Redis has 1 to %d bytes and no blank: \"%.*s\"", USER_MAX, QUOTE_MAX,
                     text);
    else if (text)
        reader->settings->cluster.user = reader_copy(reader, text);
}

void read_cluster_password_file(struct reader *reader, const struct place *place, const json_t *value)
{
    struct settings_cluster *cluster = &reader->settings->cluster;
    if (value)
        value_path(reader, place, value, PATH_MAX, &cluster->password_file);
    else if (cluster->user)
        reader_error(reader, place, "missing: \"user\" has a password");
}
