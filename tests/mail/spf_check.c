/*
 * spf_check.c: an SPF evaluation that somebody else looks things up for, in lines of text, so that a test in another
 * language can play the DNS. Bytes are hexadecimal, an empty string is "-".
 *
 *     it reads    begin CLIENT HELO SENDER     the address as text, the others as bytes
 *     it writes   ask TYPE NAME                the name on the wire
 *     it reads    reply MESSAGE | fail
 *     it writes   result WORD EXPLANATION TROUBLE
 */
#include "mail/spf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_MAX_BYTES = 2 * 65535 + 32
};

static char line[LINE_MAX_BYTES];

static bool read_line(void)
{
    if (!fgets(line, sizeof(line), stdin))
        return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

static void refuse(void)
{
    fprintf(stderr, "spf_check: not understood: %.200s\n", line);
    exit(2);
}

static size_t from_hex(const char *hex, uint8_t *out, size_t cap)
{
    size_t len = 0;
    for (unsigned byte; strcmp(hex, "-") != 0 && *hex != '\0'; hex += 2) {
        if (len == cap || sscanf(hex, "%2x", &byte) != 1 || hex[1] == '\0')
            refuse();
        out[len++] = (uint8_t) byte;
    }
    return len;
}

static void write_hex(const void *bytes, size_t len)
{
    putchar(' ');
    for (size_t i = 0; i < len; i++)
        printf("%02x", ((const uint8_t *) bytes)[i]);
    if (len == 0)
        putchar('-');
}

static void tell(struct spf *spf)
{
    static uint8_t bytes[65535];
    struct message message;
    if (strcmp(line, "fail") == 0) {
        spf_on_failure(spf, OUTCOME_TIMEOUT, NULL);
        return;
    }
    if (strncmp(line, "reply ", 6) != 0)
        refuse();
    if (!message_parse((struct view){bytes, from_hex(line + 6, bytes, sizeof(bytes))}, &message))
        refuse();
    spf_on_reply(spf, &message);
}

static void begin(struct spf *spf)
{
    char               client[80], helo[1024], sender[1024], text[2][512] = {"", ""};
    struct spf_request request = {.helo = text[0], .sender = text[1], .now = 1000000000};
    if (sscanf(line, "begin %79s %1023s %1023s", client, helo, sender) != 3 ||
        !address_parse(client, 0, &request.client))
        refuse();
    from_hex(helo, (uint8_t *) text[0], sizeof(text[0]) - 1);
    from_hex(sender, (uint8_t *) text[1], sizeof(text[1]) - 1);
    if (!spf_begin(spf, &request))
        refuse();
}

int main(void)
{
    static struct spf        spf;
    const struct spf_lookup *lookup;
    while (read_line()) {
        begin(&spf);
        while ((lookup = spf_lookup(&spf)) != NULL) {
            printf("ask %u", lookup->type);
            write_hex(lookup->name.wire, lookup->name.len);
            printf("\n");
            fflush(stdout);
            if (!read_line())
                refuse();
            tell(&spf);
        }
        printf("result %s", spf_result_word(spf.result));
        write_hex(spf.explanation, strlen(spf.explanation));
        printf(" %d\n", spf.problem.trouble);
        fflush(stdout);
    }
    return 0;
}
