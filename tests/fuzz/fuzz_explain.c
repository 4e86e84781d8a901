/*
 * What is explained of a domain where domestic, external, the canary and the zone's own servers say whatever they like,
 * and how it is presented. The first line is DOMAIN IP HELO SELECTOR SENDER, "-" for what is not given; what is behind
 * it draws each reply (lib/whims.h): silence, failures, records, rubbish. lib/hearing.h checks what is asked, and what
 * comes of it.
 */
#include "fuzz.h"
#include "lib/whims.h"
#include "methods/explained.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum {
    WORD = 128 /* bytes */
};

/* The next word of the line; "" for "-", and where there is none. */
static void next_word(struct view *line, char ret[WORD])
{
    size_t len = 0;
    for (; line->len > 0 && *line->data != ' '; line->data++, line->len--)
        if (len < WORD - 1)
            ret[len++] = *line->data ? (char) *line->data : '0';
    ret[len] = '\0';
    if (line->len > 0)
        *line = (struct view){line->data + 1, line->len - 1};
    if (strcmp(ret, "-") == 0)
        ret[0] = '\0';
}

/* As methods/explain.c takes it. False: it would not. */
static bool read_request(struct view line, struct explain_request *ret)
{
    char word[WORD], key[2 * WORD];
    *ret = (struct explain_request){.ip = {.len = 0}};
    next_word(&line, word);
    if (!name_parse(*word ? word : "x.example", &ret->domain))
        return false;
    next_word(&line, word);
    if (*word && !address_parse(word, 0, &ret->ip))
        return false;
    next_word(&line, word);
    memcpy(ret->helo, word, strlen(word) + 1);
    if (*word && *word != '[' && !name_parse(word, &ret->helo_name))
        return false;
    next_word(&line, word);
    snprintf(key, sizeof(key), "%s._domainkey.x.example", word);
    if (*word && !name_parse(key, &ret->dkim))
        return false;
    next_word(&line, word);
    memcpy(ret->sender, word, strlen(word) + 1);
    return true;
}

/* Valid JSON, with everything in it. */
static void check_presented(const struct hearing *hearing)
{
    static struct daemon daemon;
    daemon.setup  = hearing->explanation->inquest->env->setup;
    daemon.shared = hearing->shared;
    json_t *json  = explained_present(hearing->explanation, &daemon, hearing->now - HEARING_BEGIN);
    CHECK(json != NULL);
    CHECK(json_array_size(json_object_get(json, "findings")) == hearing->explanation->finding_count);
    CHECK(json_array_size(json_object_get(json, "zones")) == hearing->explanation->zone_count);
    CHECK(json_array_size(json_object_get(json, "replies")) == hearing->explanation->reply_count);
    char *text = json_dumps(json, 0);
    CHECK(text != NULL);
    free(text);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hearing  hearing;
    static bool            is_registered;
    const uint8_t         *end   = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t                 line  = end ? (size_t) (end - data) : size;
    struct whims           whims = {.bytes = {data + line + (end != NULL), size - line - (end != NULL)}};
    struct explain_request request;
    if (!read_request((struct view){data, line}, &request))
        return 0;
    if (!is_registered)
        table_reader_register();
    is_registered = true;
    hearing_open(&hearing, whims_rules, WHIMS_RULES, whims_play, &whims);
    CHECK(hearing_explain(&hearing, &request));
    check_presented(&hearing);
    hearing_close(&hearing);
    return 0;
}
