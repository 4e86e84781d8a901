/*
 * way.c: see way.h.
 */
#include "stream/way.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *way_form_word(enum way_form form)
{
    static const char *const words[WAY_FORM_COUNT] = {"udp", "tcp", "tls", "https"};
    return words[form];
}

uint16_t way_port(enum way_form form)
{
    static const uint16_t ports[WAY_FORM_COUNT] = {53, 53, 853, 443};
    return ports[form];
}

static bool same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

static bool same_address(const struct address *a, const struct address *b)
{
    return a->len == b->len && (a->len == 0 || address_equal(a, b));
}

bool way_equal(const struct way *a, const struct way *b)
{
    return a->form == b->form && same_address(&a->address, &b->address) && same_text(a->name, b->name) &&
           same_text(a->path, b->path) && same_text(a->sni, b->sni) && same_text(a->ca, b->ca) &&
           a->pin_count == b->pin_count && memcmp(a->pins, b->pins, a->pin_count * sizeof(a->pins[0])) == 0 &&
           same_address(&a->bind, &b->bind) && strcmp(a->interface, b->interface) == 0 &&
           same_address(&a->proxy, &b->proxy) && same_text(a->proxy_user, b->proxy_user) &&
           same_text(a->proxy_word, b->proxy_word);
}

enum {
    TEXTS = 6 /* that a way owns */
};

static char **texts_of(struct way *way, size_t i)
{
    char **const texts[TEXTS] = {&way->name, &way->path, &way->sni, &way->ca, &way->proxy_user, &way->proxy_word};
    return texts[i];
}

bool way_copy(struct way *ret, const struct way *from)
{
    *ret = *from;
    for (size_t i = 0; i < TEXTS; i++)
        *texts_of(ret, i) = NULL;
    for (size_t i = 0; i < TEXTS; i++) {
        const char *text = *texts_of((struct way *) from, i);
        if (text && !(*texts_of(ret, i) = strdup(text))) {
            way_fini(ret);
            return false;
        }
    }
    return true;
}

void way_fini(struct way *way)
{
    for (size_t i = 0; i < TEXTS; i++)
        free(*texts_of(way, i));
    *way = (struct way){0};
}

const char *way_format(const struct way *way, char text[WAY_TEXT_MAX])
{
    char address[ADDRESS_TEXT_MAX];
    address_format(&way->address, address);
    snprintf(text, WAY_TEXT_MAX, "%s%s%s%s%s%s", way->form == WAY_UDP ? "" : way_form_word(way->form),
             way->form == WAY_UDP ? "" : "://", address, way->path ? way->path : "", way->name ? "#" : "",
             way->name ? way->name : "");
    return text;
}
