/*
 * upstreams.c: see upstreams.h.
 */
#include "settings/upstreams.h"

#include "base/spelling.h"
#include "settings/endpoint.h"
#include "settings/source.h"
#include "settings/ways.h"

#include <ctype.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

enum {
    GROUP_NAME_MAX = 32, /* bytes; it stands in tables, metrics and logs */
    QUOTE_MAX      = 80
};

static bool is_unspecified(const struct address *address)
{
    if (address->any.sa_family == AF_INET)
        return address->in.sin_addr.s_addr == INADDR_ANY;
    return IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr);
}

/* A scope says something of a link-local address only. */
static bool same_host(const struct address *a, const struct address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr) &&
           (!IN6_IS_ADDR_LINKLOCAL(&a->in6.sin6_addr) || a->in6.sin6_scope_id == b->in6.sin6_scope_id);
}

/* Whether the machine has that address itself. Where it does not tell, only what every machine has is known. */
static bool is_here(const struct address *address)
{
    struct ifaddrs *list  = NULL;
    bool            found = address_is_loopback(address);
    if (found || getifaddrs(&list) != 0)
        return found;
    for (const struct ifaddrs *entry = list; entry && !found; entry = entry->ifa_next) {
        struct address own = {.len = 0};
        if (!entry->ifa_addr || entry->ifa_addr->sa_family != address->any.sa_family)
            continue;
        own.len = address->len;
        memcpy(&own.any, entry->ifa_addr, address->len);
        found = same_host(&own, address);
    }
    freeifaddrs(list);
    return found;
}

/* True if a query sent to `address` would come back to us: one of the listeners has it, or listens on all addresses of
 * its family while the machine has it. Another port is somebody else's. */
static bool is_own(const struct settings *settings, const struct address *address)
{
    for (size_t i = 0; i < settings->listen_count; i++) {
        const struct address *listen = &settings->listen[i];
        if (address_port(listen) != address_port(address))
            continue;
        if (same_host(listen, address))
            return true;
        if (is_unspecified(listen) && listen->any.sa_family == address->any.sa_family && is_here(address))
            return true;
    }
    return false;
}

/* Behind a proxy an address is one of the proxy's side, and be it loopback. */
static bool same_place(const struct way *a, const struct way *b)
{
    bool same_proxy = a->proxy.len == b->proxy.len && (a->proxy.len == 0 || address_equal(&a->proxy, &b->proxy));
    return same_proxy && address_equal(&a->address, &b->address);
}

static bool asks_itself(const struct settings *settings, const struct way *way)
{
    return way->proxy.len == 0 && is_own(settings, &way->address);
}

const char *upstreams_meant(const char *name)
{
    static const char *const words[] = {"domestic", "external"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t distance = spelling_distance(name, words[i]);
        bool   slip     = distance < 2 || (distance == 2 && tolower((unsigned char) name[0]) == words[i][0]);
        if (slip && strcmp(name, words[i]) != 0)
            return words[i];
    }
    return NULL;
}

bool upstreams_find(const struct settings *settings, const char *name, size_t *ret_group)
{
    for (size_t i = 0; i < settings->group_count; i++) {
        if (strcmp(settings->groups[i].name, name) == 0) {
            *ret_group = i;
            return true;
        }
    }
    return false;
}

static bool group_add(struct reader *reader, const char *name)
{
    struct settings *settings = reader->settings;
    char            *copy     = reader_copy(reader, name);
    if (copy)
        settings->groups[settings->group_count++].name = copy;
    return copy != NULL;
}

/* The flag under `key`, false where it is absent. False: it is none, told. */
static bool flag_read(struct reader *reader, const struct place *place, const json_t *object, const char *key,
                      bool *ret)
{
    const struct place here  = {.up = place, .key = key};
    const json_t      *value = json_object_get(object, key);
    *ret                     = json_is_true(value);
    if (!value || json_is_boolean(value))
        return true;
    reader_error(reader, &here, "expected true or false");
    return false;
}

/* Reads an upstream in either of its forms: text, or an object around it. */
static bool upstream_read(struct reader *reader, const struct place *place, const json_t *value,
                          struct upstream_setting *ret)
{
    static const char *const words[] = {"address", "trusted", "mix_case", "sni", "ca", "pins", "bind", "proxy", NULL};
    static const char        expected[] = "an upstream's address as a string, or an object with \"address\"";
    const struct place       at_address = {.up = place, .key = "address"};
    if (!json_is_object(value)) {
        const char *text = value_text(reader, place, value, expected);
        return text && way_read(reader, place, text, &ret->way);
    }
    reader_known_keys(reader, place, value, words);
    bool good = flag_read(reader, place, value, "trusted", &ret->trusted);
    good      = flag_read(reader, place, value, "mix_case", &ret->mix_case) && good;

    const json_t *address = json_object_get(value, "address");
    if (!address) {
        reader_error(reader, &at_address, "missing (expected %s)", WAY_EXPECTED);
        return false;
    }
    const char *text = value_text(reader, &at_address, address, "an address as a string");
    return text && way_read(reader, &at_address, text, &ret->way) && way_read_keys(reader, place, value, &ret->way) &&
           good;
}

static void tell_own(struct reader *reader, const struct place *place, const char *address)
{
    reader_error(reader, place, "%s is an address this server listens on: it would ask itself", address);
}

/* Tells where `upstream` clashes with us, with its own group, or with the other side of the border. */
static bool upstream_fits(struct reader *reader, const struct place *place, size_t group,
                          const struct upstream_setting *upstream)
{
    const struct settings *settings = reader->settings;
    char                   text[ADDRESS_TEXT_MAX];
    address_format(&upstream->way.address, text);
    if (asks_itself(settings, &upstream->way)) {
        tell_own(reader, place, text);
        return false;
    }
    const struct group_setting *own = &settings->groups[group];
    for (size_t i = 0; i < own->count; i++) {
        const struct way *other = &own->upstreams[i].way;
        if (other->form == upstream->way.form && same_place(other, &upstream->way)) {
            reader_error(reader, place, "%s is in this group already", text);
            return false;
        }
    }
    if (group != GROUP_EXTERNAL)
        return true;
    const struct group_setting *domestic = &settings->groups[GROUP_DOMESTIC];
    for (size_t i = 0; i < domestic->count; i++) {
        if (!same_place(&domestic->upstreams[i].way, &upstream->way))
            continue;
        if (reader->resolv_conf)
            reader_error(reader, place, "%s is a domestic upstream too, by %s: set upstreams.domestic", text,
                         reader->sources->resolv_conf);
        else
            reader_error(reader, place, "%s is a domestic upstream too: an upstream is on one side of the border",
                         text);
        return false;
    }
    return true;
}

bool upstreams_read_one(const struct settings *settings, const char *key, const json_t *value,
                        settings_report_fn report, void *context, struct upstream_setting *ret)
{
    struct reader      reader = {.settings = (struct settings *) settings, .report = report, .context = context};
    const struct place place  = {.key = key};
    char               text[ADDRESS_TEXT_MAX];
    *ret      = (struct upstream_setting){.trusted = false};
    bool good = upstream_read(&reader, &place, value, ret) && !reader.failed;
    if (good && asks_itself(settings, &ret->way)) {
        tell_own(&reader, &place, address_format(&ret->way.address, text));
        good = false;
    }
    return good;
}

bool upstreams_answer_at(const struct settings *settings, const struct address *address, char ret[UPSTREAMS_ANSWER_MAX])
{
    if (is_own(settings, address)) {
        snprintf(ret, UPSTREAMS_ANSWER_MAX, "this server listens there");
        return true;
    }
    for (size_t i = 0; i < settings->group_count; i++)
        for (size_t j = 0; j < settings->groups[i].count; j++)
            if (address_equal(&settings->groups[i].upstreams[j].way.address, address)) {
                snprintf(ret, UPSTREAMS_ANSWER_MAX, "it is in upstreams.%s", settings->groups[i].name);
                return true;
            }
    return false;
}

static bool group_reserve(struct reader *reader, size_t group)
{
    struct group_setting *setting = &reader->settings->groups[group];
    setting->upstreams            = calloc(LIMIT_GROUP, sizeof(*setting->upstreams));
    if (!setting->upstreams)
        reader_no_memory(reader);
    return setting->upstreams != NULL;
}

static void group_read(struct reader *reader, const struct place *place, const json_t *value, size_t group)
{
    struct group_setting *setting = &reader->settings->groups[group];
    if (!value_list(reader, place, value, "a list of upstreams"))
        return;
    size_t count = json_array_size(value);
    if (count == 0 || count > LIMIT_GROUP) {
        reader_error(reader, place, "%zu upstreams are out of range (1 to %d)", count, LIMIT_GROUP);
        return;
    }
    if (!group_reserve(reader, group))
        return;
    for (size_t i = 0; i < count; i++) {
        const struct place      here     = {.up = place, .index = i};
        struct upstream_setting upstream = {.trusted = false};
        if (upstream_read(reader, &here, json_array_get(value, i), &upstream) &&
            upstream_fits(reader, &here, group, &upstream))
            setting->upstreams[setting->count++] = upstream;
        else
            way_fini(&upstream.way);
    }
}

/* The text behind "nameserver" in one line of resolv.conf; NULL: it names none. Changes the line. */
static const char *nameserver_of(char *line)
{
    static const char key[] = "nameserver";
    if (strncmp(line, key, strlen(key)) != 0 || (line[strlen(key)] != ' ' && line[strlen(key)] != '\t'))
        return NULL;
    char *text                   = line + strlen(key) + strspn(line + strlen(key), " \t");
    text[strcspn(text, " \t\r")] = '\0';
    return text;
}

/* Takes a nameserver of resolv.conf into domestic; what was there already, and what is ours, is left out. True: it is
 * ours. */
static bool nameserver_take(struct reader *reader, const struct place *place, const char *text)
{
    const char             *file     = reader->sources->resolv_conf;
    struct group_setting   *domestic = &reader->settings->groups[GROUP_DOMESTIC];
    struct upstream_setting upstream = {.way = {.form = WAY_UDP}};
    char                    why[ENDPOINT_WHY_MAX];
    if (!endpoint_read(text, ENDPOINT_ASK, DNS_PORT, &upstream.way.address, why)) {
        if (why[0] == '\0')
            snprintf(why, sizeof(why), "not an address: \"%.*s\"", QUOTE_MAX, text);
        reader_warning(reader, place, "%s: %s", file, why);
        return false;
    }
    for (size_t i = 0; i < domestic->count; i++)
        if (address_equal(&domestic->upstreams[i].way.address, &upstream.way.address))
            return false;
    if (is_own(reader->settings, &upstream.way.address))
        return true;
    if (domestic->count == LIMIT_GROUP)
        reader_warning(reader, place, "%s: %s is left out, a group has %d upstreams at most", file, text, LIMIT_GROUP);
    else
        domestic->upstreams[domestic->count++] = upstream;
    return false;
}

static void resolv_conf_read(struct reader *reader, const struct place *place)
{
    const char *file = reader->sources->resolv_conf;
    char        problem[SOURCE_PROBLEM_MAX];
    size_t      len, named = 0;
    bool        own  = false;
    char       *text = source_read(file, &len, problem);
    if (!text) {
        reader_error(reader, place, "missing, and %s cannot stand in for it: %s", file, problem);
        return;
    }
    reader->resolv_conf = true;
    if (group_reserve(reader, GROUP_DOMESTIC)) {
        char *rest = text, *line;
        while ((line = source_line(&rest))) {
            const char *nameserver = nameserver_of(line);
            if (nameserver && nameserver_take(reader, place, nameserver))
                own = true;
            named += nameserver != NULL;
        }
        if (reader->settings->groups[GROUP_DOMESTIC].count == 0)
            reader_error(reader, place, "missing, and %s names %s: set upstreams.domestic", file,
                         named == 0 ? "none"
                         : own      ? "no server but this one"
                                    : "none that can be asked");
    }
    free(text);
}

static bool is_group_name(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char) name[i]) && !strchr("._-", name[i]))
            return false;
    return len > 0 && len <= GROUP_NAME_MAX && isalnum((unsigned char) name[0]);
}

static void other_read(struct reader *reader, const struct place *place, const json_t *value)
{
    const char *name = place->key;
    if (strcmp(name, "auto") == 0 || strcmp(name, "refuse") == 0)
        reader_error(reader, place, "a group cannot have this name: \"via\" gives it another meaning");
    else if (!is_group_name(name))
        reader_error(reader, place, "not a group's name (1 to %d letters, digits, '.', '_' or '-')", GROUP_NAME_MAX);
    else if (reader->settings->group_count == LIMIT_GROUPS)
        reader_error(reader, place, "too many groups (at most %d)", LIMIT_GROUPS);
    else if (group_add(reader, name))
        group_read(reader, place, value, reader->settings->group_count - 1);
}

/* Where `name` is absent and another key is a slip for it, that is told: what is then asked instead, or nothing, is not
 * what was meant. */
static bool is_misspelt(struct reader *reader, const struct place *place, const json_t *groups, const char *name)
{
    const char *key;
    json_t     *ignored;
    json_object_foreach((json_t *) groups, key, ignored)
    {
        const struct place here  = {.up = place, .key = key};
        const char        *meant = upstreams_meant(key);
        if (key[0] != '#' && meant && strcmp(meant, name) == 0) {
            reader_error(reader, &here, "did you mean \"%s\"?", name);
            return true;
        }
    }
    return false;
}

void upstreams_warn(struct reader *reader)
{
    const struct place          above = {.key = "upstreams"}, here = {.up = &above, .key = "external"};
    const struct group_setting *external = &reader->settings->groups[GROUP_EXTERNAL];
    char                        text[WAY_TEXT_MAX];
    size_t                      plain = 0;
    for (size_t i = 0; i < external->count; i++)
        if (!way_is_encrypted(&external->upstreams[i].way) && plain++ == 0)
            way_format(&external->upstreams[i].way, text);
    if (plain > 0)
        reader_warning(reader, &here,
                       "%s%s plain DNS: who stands at the border reads and forges it; tls:// or https:// keeps it out",
                       text, plain > 1 ? " and others are" : " is");
}

void upstreams_read(struct reader *reader, const struct place *place, const json_t *value)
{
    struct settings   *settings    = reader->settings;
    const struct place at_domestic = {.up = place, .key = "domestic"};
    const struct place at_external = {.up = place, .key = "external"};
    settings->groups               = calloc(LIMIT_GROUPS, sizeof(*settings->groups));
    if (!settings->groups) {
        reader_no_memory(reader);
        return;
    }
    if (!group_add(reader, at_domestic.key) || !group_add(reader, at_external.key) ||
        (value && !value_object(reader, place, value)))
        return;

    const json_t *domestic = json_object_get(value, at_domestic.key);
    if (domestic)
        group_read(reader, &at_domestic, domestic, GROUP_DOMESTIC);
    else if (!is_misspelt(reader, place, value, at_domestic.key))
        resolv_conf_read(reader, &at_domestic);

    const json_t *external = json_object_get(value, at_external.key);
    if (external)
        group_read(reader, &at_external, external, GROUP_EXTERNAL);
    else if (!is_misspelt(reader, place, value, at_external.key))
        reader_error(reader, &at_external, "missing (expected a list of upstreams beyond the border)");

    const char *name;
    json_t     *list;
    json_object_foreach((json_t *) value, name, list)
    {
        const struct place here = {.up = place, .key = name};
        if (name[0] != '#' && strcmp(name, at_domestic.key) != 0 && strcmp(name, at_external.key) != 0)
            other_read(reader, &here, list);
    }
}
