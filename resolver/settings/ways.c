/*
 * ways.c: see ways.h. First what the form is, then each of its parts, with what is wrong and what would be right.
 */
#include "settings/ways.h"

#include "settings/endpoint.h"
#include "settings/source.h"
#include "stream/credentials.h"
#include "stream/pin.h"
#include "stream/socks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    QUOTE_MAX  = 80,
    NAME_MAX_  = 253, /* letters of a host's name */
    PATH_MAX_  = 256, /* of a URL */
    PATH_BYTES = 4096,
    SOCKS_PORT = 1080,
};

/* ---- "tls://192.0.2.1:853#dns.example.net" ---- */

/* The form that `text` begins with, and what is behind it; a scheme that byway does not know is told. */
static bool form_read(struct reader *reader, const struct place *place, const char *text, struct way *way,
                      const char **ret_rest)
{
    const char *mark = strstr(text, "://");
    way->form        = WAY_UDP;
    *ret_rest        = text;
    if (!mark)
        return true;
    *ret_rest = mark + 3;
    for (int form = WAY_TCP; form < WAY_FORM_COUNT; form++) {
        const char *word = way_form_word((enum way_form) form);
        if (strlen(word) == (size_t) (mark - text) && strncmp(text, word, strlen(word)) == 0) {
            way->form = (enum way_form) form;
            return true;
        }
    }
    reader_error(reader, place, "unknown form \"%.*s://\" in \"%.*s\" (expected %s)", (int) (mark - text), text,
                 QUOTE_MAX, text, WAY_EXPECTED);
    return false;
}

/* A host's name as certificates have it: labels of letters, digits and hyphens. */
static bool is_host_name(const char *name)
{
    size_t len = strlen(name), label = 0;
    for (size_t i = 0; i < len; i++) {
        bool letter = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
                      (name[i] >= '0' && name[i] <= '9') || name[i] == '-' || name[i] == '_';
        if (!letter && (name[i] != '.' || label == 0))
            return false;
        label = name[i] == '.' ? 0 : label + 1;
        if (label > 63)
            return false;
    }
    return len > 0 && len <= NAME_MAX_ && label > 0;
}

static bool is_path(const char *path)
{
    for (const char *at = path; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~' || strchr("\"<>\\^`{|}", *at))
            return false;
    return strlen(path) <= PATH_MAX_;
}

/* Cuts "#NAME" and "/PATH" off `rest`, which is changed. */
static bool parts_read(struct reader *reader, const struct place *place, char *rest, struct way *way)
{
    char *name = way_is_encrypted(way) ? strchr(rest, '#') : NULL;
    char *path = way->form == WAY_HTTPS ? strchr(rest, '/') : NULL;
    if (name)
        *name++ = '\0';
    if (name && path > name)
        path = NULL;
    char        ignored[sizeof(struct in6_addr)];
    const char *is_name = name && (is_host_name(name) || inet_pton(AF_INET6, name, ignored) == 1) ? name : NULL;
    if (name && !is_name) {
        reader_error(reader, place,
                     "not a name that a certificate can have: \"%.*s\" (behind '#', without a final dot)", QUOTE_MAX,
                     name);
        return false;
    }
    if (path && !is_path(path)) {
        reader_error(reader, place, "not the path of a URL: \"%.*s\" (expected one like \"/dns-query\")", QUOTE_MAX,
                     path);
        return false;
    }
    if (way->form == WAY_HTTPS && !(way->path = reader_copy(reader, path && path[1] != '\0' ? path : "/dns-query")))
        return false;
    if (path)
        *path = '\0';
    return !name || (way->name = reader_copy(reader, name));
}

/* "dns.example.net" where an address is wanted. */
static void tell_address(struct reader *reader, const struct place *place, const char *text, const char *host,
                         const struct way *way, const char *why)
{
    if (way_is_encrypted(way) && is_host_name(host) && strspn(host, "0123456789.") != strlen(host))
        reader_error(
            reader, place,
            "names are not looked up: \"%.*s\" (write the address, and behind '#' the name that it must prove: "
            "\"%s://192.0.2.1#%.*s\")",
            QUOTE_MAX, text, way_form_word(way->form), QUOTE_MAX, host);
    else if (why[0] == '\0' || strstr(host, "://"))
        reader_error(reader, place, "not an address: \"%.*s\" (expected %s)", QUOTE_MAX, text, WAY_EXPECTED);
    else
        reader_error(reader, place, "%s", why);
}

/* "tls://<address>#<name>", as the examples have it: whether it is one, which is told. */
static bool is_placeholder(struct reader *reader, const struct place *place, const char *text)
{
    const char *open = strchr(text, '<'), *close = open ? strchr(open, '>') : NULL;
    if (!close)
        return false;
    reader_error(reader, place,
                 "\"%.*s\" is a placeholder: write an upstream of your own there, like "
                 "\"tls://192.0.2.1#dns.example.net\", its address and the name that it must prove",
                 QUOTE_MAX, text);
    return true;
}

bool way_read(struct reader *reader, const struct place *place, const char *text, struct way *ret)
{
    const char *behind;
    char        why[ENDPOINT_WHY_MAX];
    if (is_placeholder(reader, place, text) || !form_read(reader, place, text, ret, &behind))
        return false;
    char *rest = reader_copy(reader, behind);
    bool  good = rest && parts_read(reader, place, rest, ret);
    if (good && !(good = endpoint_read(rest, ENDPOINT_ASK, way_port(ret->form), &ret->address, why)))
        tell_address(reader, place, text, rest, ret, why);
    else if (good && why[0] != '\0')
        reader_warning(reader, place, "%s", why);
    free(rest);
    return good;
}

/* ---- what stands beside it ---- */

static bool sni_read(struct reader *reader, const struct place *place, const json_t *value, struct way *way)
{
    const char *text = value_text(reader, place, value, "\"off\", or a name to send in place of the verified one");
    if (!text)
        return false;
    bool off = strcmp(text, "off") == 0;
    if (!off && !is_host_name(text)) {
        reader_error(reader, place, "not a host's name: \"%.*s\" (or \"off\")", QUOTE_MAX, text);
        return false;
    }
    way->sni = reader_copy(reader, off ? "" : text);
    return way->sni != NULL;
}

/* The text of the file that `value` names. NULL: told. */
static char *file_read(struct reader *reader, const struct place *place, const json_t *value, char **ret_path)
{
    char   problem[SOURCE_PROBLEM_MAX];
    size_t len;
    if (!value_path(reader, place, value, PATH_BYTES, ret_path))
        return NULL;
    char *text = source_read(*ret_path, &len, problem);
    if (!text)
        reader_error(reader, place, "%s: %s", *ret_path, problem);
    return text;
}

static bool ca_read(struct reader *reader, const struct place *place, const json_t *value, struct way *way)
{
    char *path = NULL;
    way->ca    = file_read(reader, place, value, &path);
    bool good  = way->ca != NULL;
    if (good && credentials_count_ca(way->ca) == 0) {
        reader_error(reader, place, "%s: no certificates in PEM, or something else among them", path);
        good = false;
    }
    free(path);
    return good;
}

static bool pins_read(struct reader *reader, const struct place *place, const json_t *value, struct way *way)
{
    if (!value_list(reader, place, value, "a list of pins, \"sha256/…\""))
        return false;
    size_t count = json_array_size(value);
    if (count == 0 || count > WAY_PINS) {
        reader_error(reader, place, "%zu pins are out of range (1 to %d)", count, WAY_PINS);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct place here = {.up = place, .index = i};
        const char        *text = value_text(reader, &here, json_array_get(value, i), "a pin, \"sha256/…\"");
        if (!text)
            return false;
        if (!pin_parse(text, way->pins[way->pin_count])) {
            reader_error(reader, &here,
                         "not a pin: \"%.*s\" (expected \"sha256/\" and 44 letters of base64, the last of them '=': "
                         "the hash of the server's SubjectPublicKeyInfo)",
                         QUOTE_MAX, text);
            return false;
        }
        way->pin_count++;
    }
    return true;
}

static bool bind_read(struct reader *reader, const struct place *place, const json_t *value, struct way *way)
{
    const char *text = value_text(reader, place, value, "a source address, or an interface's name");
    if (!text)
        return false;
    if (address_parse(text, 1, &way->bind)) {
        bool v4 = way->bind.any.sa_family == AF_INET;
        if (address_port(&way->bind) != 1)
            reader_error(reader, place, "a source address has no port: \"%.*s\"", QUOTE_MAX, text);
        else if (way->bind.any.sa_family != way_dials(way)->any.sa_family)
            reader_error(reader, place, "\"%.*s\" and what is asked are not both IPv%d", QUOTE_MAX, text, v4 ? 4 : 6);
        else {
            way->bind.in.sin_port = 0; /* sin6_port is the same bytes */
            return true;
        }
        return false;
    }
    if (strlen(text) >= IF_NAMESIZE || text[0] == '\0' || text[strcspn(text, "/: \t")] != '\0') {
        reader_error(reader, place, "neither an address nor an interface's name: \"%.*s\"", QUOTE_MAX, text);
        return false;
    }
    if (if_nametoindex(text) == 0)
        reader_warning(reader, place, "there is no interface \"%s\" now; nothing is asked until there is", text);
    memcpy(way->interface, text, strlen(text) + 1);
    return true;
}

/* ---- the proxy ---- */

static bool socks_read(struct reader *reader, const struct place *place, const json_t *value, struct way *way)
{
    static const char socks[] = "socks5://";
    const char       *text    = value_text(reader, place, value, "a proxy, \"socks5://192.0.2.9:1080\"");
    char              why[ENDPOINT_WHY_MAX];
    if (!text)
        return false;
    if (strncmp(text, socks, strlen(socks)) != 0) {
        reader_error(reader, place, "not a proxy: \"%.*s\" (expected one like \"socks5://192.0.2.9:1080\")", QUOTE_MAX,
                     text);
        return false;
    }
    if (!endpoint_read(text + strlen(socks), ENDPOINT_ASK, SOCKS_PORT, &way->proxy, why)) {
        if (why[0] != '\0')
            reader_error(reader, place, "%s", why);
        else
            reader_error(reader, place,
                         "not a proxy's address: \"%.*s\" (expected one like \"socks5://192.0.2.9:1080\")", QUOTE_MAX,
                         text);
        return false;
    }
    return true;
}

static bool word_fits(struct reader *reader, const struct place *place, const char *word, const char *what)
{
    size_t len = strlen(word);
    if (len > 0 && len <= SOCKS_WORD_MAX)
        return true;
    reader_error(reader, place, "a proxy's %s has 1 to %d bytes, this one has %zu", what, SOCKS_WORD_MAX, len);
    return false;
}

/* The first line of the file. */
static bool password_read(struct reader *reader, const struct place *place, const json_t *value, struct way *way)
{
    char       *path = NULL;
    struct stat status;
    char       *text = file_read(reader, place, value, &path);
    bool        good = text != NULL;
    if (good) {
        text[strcspn(text, "\r\n")] = '\0';
        good = word_fits(reader, place, text, "password") && (way->proxy_word = reader_copy(reader, text));
    }
    if (good && stat(path, &status) == 0 && (status.st_mode & S_IRWXO) != 0)
        reader_warning(reader, place, "%s can be read by everybody", path);
    free(text);
    free(path);
    return good;
}

static bool user_read(struct reader *reader, const struct place *place, const json_t *object, struct way *way)
{
    const struct place at_user = {.up = place, .key = "user"}, at_file = {.up = place, .key = "password_file"};
    const json_t      *user = json_object_get(object, "user"), *file = json_object_get(object, "password_file");
    if (!user && !file)
        return true;
    if (!user || !file) {
        reader_error(reader, user ? &at_file : &at_user, "missing: \"user\" and \"password_file\" go together");
        return false;
    }
    const char *text = value_text(reader, &at_user, user, "the user that the proxy knows");
    return text && word_fits(reader, &at_user, text, "user") && (way->proxy_user = reader_copy(reader, text)) &&
           password_read(reader, &at_file, file, way);
}

static bool proxy_read(struct reader *reader, const struct place *place, const json_t *value, struct way *way)
{
    static const char *const words[]    = {"address", "user", "password_file", NULL};
    const struct place       at_address = {.up = place, .key = "address"};
    if (way->form == WAY_UDP) {
        reader_error(reader, place, "a proxy carries TCP alone: write the upstream as tcp://, tls:// or https://");
        return false;
    }
    if (!json_is_object(value))
        return socks_read(reader, place, value, way);
    reader_known_keys(reader, place, value, words);
    const json_t *address = json_object_get(value, "address");
    if (!address) {
        reader_error(reader, &at_address, "missing (expected a proxy, \"socks5://192.0.2.9:1080\")");
        return false;
    }
    return socks_read(reader, &at_address, address, way) && user_read(reader, place, value, way);
}

/* ---- all of them ---- */

bool way_read_keys(struct reader *reader, const struct place *place, const json_t *object, struct way *way)
{
    static const struct {
        const char *key;
        bool        encrypted; /* for TLS alone */
        bool (*read)(struct reader *reader, const struct place *place, const json_t *value, struct way *way);
    } keys[] = {
        {"sni", true, sni_read},      {"ca", true, ca_read},      {"pins", true, pins_read},
        {"proxy", false, proxy_read}, {"bind", false, bind_read}, /* behind the proxy: its address is what is dialed */
    };
    bool good = true;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct place here  = {.up = place, .key = keys[i].key};
        const json_t      *value = json_object_get(object, keys[i].key);
        if (!value)
            continue;
        if (keys[i].encrypted && !way_is_encrypted(way)) {
            reader_error(reader, &here, "is for a tls:// or https:// upstream");
            good = false;
            continue;
        }
        good = keys[i].read(reader, &here, value, way) && good;
    }
    const struct place at_pins = {.up = place, .key = "pins"};
    if (good && way->pin_count == 1 && !way->ca)
        reader_warning(reader, &at_pins,
                       "one pin alone: the day the server changes its key nothing is answered; add the next key's");
    return good;
}
