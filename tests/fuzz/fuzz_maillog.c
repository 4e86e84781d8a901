/*
 * A log of a mail server, plain or packed, as a file: what is found in it is the same line by line, and every domain is
 * a name, every reply a piece of its line, every time one that can be shown, and what explain is asked of it is JSON.
 */
#include "base/units.h"
#include "ctl/maillog_explain.h"
#include "ctl/maillog_read.h"
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOW 1796083200

struct hearing {
    struct maillog_lines   *lines;
    struct maillog_domains *domains;
    struct view             block;
    unsigned                count;
};

static void check_domain(const char *domain)
{
    struct name name;
    char        text[NAME_TEXT_MAX];
    CHECK(name_parse(domain, &name) && name.len > 1);
    CHECK(strcmp(name_format(name_view(&name), text), domain) == 0);
}

static void hear(void *context, const struct maillog_said *said)
{
    struct hearing *hearing = context;
    char            text[TIME_TEXT_MAX];
    wall_t          again;
    CHECK(said->kind > MAILLOG_NONE && said->kind < MAILLOG_KINDS);
    if (said->domain)
        check_domain(said->domain);
    CHECK(said->reply.data >= hearing->block.data &&
          said->reply.data + said->reply.len <= hearing->block.data + hearing->block.len);
    CHECK(!memchr(said->reply.data, '\n', said->reply.len));
    if (said->timed)
        CHECK(time_parse(time_format(said->when, text), &again) && again == said->when);
    hearing->count++;
    maillog_domains_add(hearing->domains, said);
}

static void take(void *context, struct view block)
{
    struct hearing *hearing = context;
    hearing->block          = block;
    maillog_lines_take(hearing->lines, block);
}

static void begin(struct hearing *hearing)
{
    static struct maillog_lines lines;
    maillog_lines_init(&lines, NOW, hear, hearing);
    *hearing = (struct hearing){.lines = &lines, .domains = maillog_domains_create()};
}

static json_t *end(struct hearing *hearing)
{
    json_t    *list  = maillog_domains_list(hearing->domains), *entry;
    json_int_t count = (json_int_t) maillog_domains_nameless(hearing->domains);
    size_t     i;
    CHECK(list);
    json_array_foreach(list, i, entry)
    {
        struct maillog_envelope envelope = maillog_domains_envelope(hearing->domains, i);
        json_t *params = maillog_explain_params(json_string_value(json_object_get(entry, "domain")), &envelope);
        CHECK(params);
        json_decref(params);
        count += json_integer_value(json_object_get(entry, "count"));
    }
    CHECK(count == (json_int_t) hearing->count);
    maillog_domains_destroy(hearing->domains);
    return list;
}

static json_t *read_file(const uint8_t *data, size_t size)
{
    static int     fd = -1;
    static char    path[32];
    struct hearing hearing;
    char           why[MAILLOG_WHY_MAX] = "";
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    CHECK(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t) size);
    begin(&hearing);
    CHECK(maillog_read(path, take, &hearing, why) == (why[0] == 0));
    return end(&hearing);
}

static json_t *read_lines(const uint8_t *data, size_t size)
{
    struct hearing hearing;
    begin(&hearing);
    for (size_t at = 0; at < size;) {
        const uint8_t *lf  = memchr(data + at, '\n', size - at);
        size_t         len = lf ? (size_t) (lf + 1 - data) - at : size - at;
        take(&hearing, (struct view){data + at, len});
        at += len;
    }
    return end(&hearing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *whole = read_file(data, size), *lines = read_lines(data, size);
    bool    packed = size > 0 && data[0] == 0x1f;
    CHECK(packed || json_equal(whole, lines));
    json_decref(whole);
    json_decref(lines);
    return 0;
}
