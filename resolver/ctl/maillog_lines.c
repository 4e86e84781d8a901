/*
 * maillog_lines.c: see maillog_lines.h.
 */
#include "ctl/maillog_lines.h"

#include <string.h>

enum {
    HITS_MAX = 16 /* texts of a line that are looked at: one of a megabyte may hold thousands that mean nothing */
};

struct line {
    const char *begin, *end;
    const char *text_at, *text_end; /* the text of the table that stands in it */
};

enum finding {
    NOT_THAT,  /* the text stands there, but the line means something else */
    UNDERSTOOD /* no more is to be looked for in this line */
};

static struct view view_of(const char *begin, const char *end)
{
    return (struct view){(const uint8_t *) begin, (size_t) (end - begin)};
}

/* The last place in [begin, end) where `what` stands whole; NULL: none. */
static const char *find_last(const char *begin, const char *end, const char *what, size_t len)
{
    for (const char *at = end; (size_t) (at - begin) >= len;) {
        at = memrchr(begin, what[0], (size_t) (at - begin) - len + 1);
        if (!at)
            return NULL;
        if (memcmp(at, what, len) == 0)
            return at;
        at += len - 1; /* the next one ends before the end of this one */
    }
    return NULL;
}

/* Behind the mark of the text; NULL: it stands not where it has to. */
static const char *behind_mark(const struct line *line, const struct maillog_text *text)
{
    const char *at = text->place == MAILLOG_FIELD
                         ? memmem(line->text_end, (size_t) (line->end - line->text_end), text->mark, text->mark_len)
                         : find_last(line->begin, line->text_at, text->mark, text->mark_len);
    return at ? at + text->mark_len : NULL;
}

/* With the bracket that it is in, if it is in one: "<a@b.example>" is cut elsewhere than a bare name. */
static struct view bracketed(const struct line *line, const char *at)
{
    return view_of(at > line->begin && at[-1] == '<' ? at - 1 : at, line->end);
}

static struct view between(const char *begin, const char *end, char open)
{
    const char *at = memrchr(begin, open, (size_t) (end - begin));
    return at ? view_of(at, end) : (struct view){0};
}

/* Whether it is one of an address. */
static bool is_reverse(const char *name)
{
    static const char end[] = ".arpa.";
    size_t            len   = strlen(name);
    return len >= sizeof(end) - 1 && strcmp(name + len - (sizeof(end) - 1), end) == 0;
}

static struct view address_behind(const struct line *line)
{
    const char *at = memchr(line->text_end, '[', (size_t) (line->end - line->text_end));
    return at ? view_of(at, line->end) : (struct view){0};
}

/* ---- qmail's numbers ---- */

static bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

static uint64_t number_at(const char *at, const char *end)
{
    uint64_t number = 0;
    for (; at < end && is_digit(*at); at++)
        number = 10 * number + (uint64_t) (*at - '0');
    return number;
}

static uint64_t number_before(const char *begin, const char *end)
{
    const char *at = end;
    while (at > begin && is_digit(at[-1]))
        at--;
    return number_at(at, end);
}

/* Of the delivery that the line is about, or the process. */
static uint64_t number_of_line(const struct line *line, const struct maillog_text *text)
{
    static const char word[] = "delivery ";
    const char       *at;
    switch (text->place) {
    case MAILLOG_NEW_DELIVERY:
        return number_at(line->text_end, line->end);
    case MAILLOG_DELIVERY:
        at = find_last(line->begin, line->text_at, word, sizeof(word) - 1);
        return at ? number_at(at + sizeof(word) - 1, line->text_at) : 0;
    case MAILLOG_NEW_SESSION:
        return number_before(line->begin, line->text_at);
    default:
        at = behind_mark(line, text);
        return at ? number_before(line->begin, at - text->mark_len) : 0;
    }
}

static bool is_delivery(const struct maillog_text *text)
{
    return text->place == MAILLOG_DELIVERY || text->place == MAILLOG_NEW_DELIVERY;
}

static void remember(struct maillog_lines *lines, const struct line *line, const struct maillog_text *text)
{
    static const char to[]   = " to remote ";
    uint64_t          number = number_of_line(line, text);
    const char       *name   = line->text_end;
    char              room[NAME_TEXT_MAX];
    if (is_delivery(text)) {
        name = memmem(name, (size_t) (line->end - name), to, sizeof(to) - 1);
        name = name ? name + sizeof(to) - 1 : line->end;
    }
    lines->remembered[is_delivery(text)][number % MAILLOG_REMEMBERED].number = number;
    char *domain = lines->remembered[is_delivery(text)][number % MAILLOG_REMEMBERED].domain;
    bool  named  = maillog_names_read(bracketed(line, name), room) && strlen(room) < MAILLOG_REMEMBERED_MAX;
    strcpy(domain, named ? room : "");
}

static const char *recall(const struct maillog_lines *lines, const struct line *line, const struct maillog_text *text)
{
    uint64_t number = number_of_line(line, text);
    size_t   slot   = number % MAILLOG_REMEMBERED;
    bool     kind   = is_delivery(text);
    if (lines->remembered[kind][slot].number != number || !lines->remembered[kind][slot].domain[0])
        return NULL;
    return lines->remembered[kind][slot].domain;
}

/* ---- what a line says ---- */

/* The name that the line blames, in `room` or remembered; NULL: none. */
static const char *blamed(const struct maillog_lines *lines, const struct line *line, const struct maillog_text *text,
                          char room[NAME_TEXT_MAX])
{
    struct view piece = {0};
    switch (text->place) {
    case MAILLOG_AFTER:
        piece = bracketed(line, line->text_end);
        break;
    case MAILLOG_BEFORE:
        piece = between(line->begin, line->text_at, '<');
        break;
    case MAILLOG_MARK:
    case MAILLOG_FIELD:
        piece = bracketed(line, behind_mark(line, text));
        break;
    case MAILLOG_IP_AFTER:
        piece = address_behind(line);
        break;
    case MAILLOG_IP_BEFORE:
        piece = between(line->begin, line->text_at, '[');
        break;
    default:
        return recall(lines, line, text);
    }
    if (piece.len == 0 || !maillog_names_read(piece, room))
        return NULL;
    bool address = text->place == MAILLOG_IP_AFTER || text->place == MAILLOG_IP_BEFORE;
    return !address || is_reverse(room) ? room : NULL;
}

/* Whether it is the envelope that Postfix writes from `at` on: what it knows of it, and nothing at all before HELO. */
static bool is_envelope(const char *at, const char *end)
{
    static const char *const first[] = {" from=<", " to=<", " proto=", " helo=<"};
    for (size_t i = 0; i < ARRAY_LEN(first); i++)
        if ((size_t) (end - at) >= strlen(first[i]) && memcmp(at, first[i], strlen(first[i])) == 0)
            return true;
    return at == end;
}

/* Postfix puts its answer between the client and the envelope, or into brackets behind the status. */
static struct view postfix_reply(const struct line *line)
{
    static const char status[] = " status=", reject[] = "reject: ";
    const char       *begin = find_last(line->begin, line->text_at, status, sizeof(status) - 1), *end = line->end;
    if (begin) {
        const char *open = memchr(begin, '(', (size_t) (line->text_at - begin));
        return view_of(open ? open + 1 : begin + 1, end[-1] == ')' ? end - 1 : end);
    }
    begin          = find_last(line->begin, line->text_at, reject, sizeof(reject) - 1);
    begin          = begin ? memmem(begin, (size_t) (line->text_at - begin), "]: ", 3) : NULL;
    const char *at = line->text_end;
    while ((at = memchr(at, ';', (size_t) (end - at))) && !is_envelope(at + 1, end))
        at++;
    return view_of(begin ? begin + 3 : line->text_at, at ? at : end);
}

/* The others put theirs last, behind a colon; recordio has nothing before it. */
static struct view plain_reply(const struct line *line, const struct maillog_text *text)
{
    const char *begin = find_last(line->begin, line->text_at, ": ", 2);
    if (line->text_at[0] == '>') /* the end of an address, which the colon stands behind */
        begin = memmem(line->text_at, (size_t) (line->end - line->text_at), ": ", 2);
    return view_of(begin && text->place != MAILLOG_SESSION ? begin + 2 : line->text_at, line->end);
}

static enum finding understand(struct maillog_lines *lines, const struct line *line, const struct maillog_text *text)
{
    char                room[NAME_TEXT_MAX];
    struct maillog_said said = {.kind = text->kind};
    if (text->mark_len > 0 && !behind_mark(line, text))
        return NOT_THAT;
    if (text->place == MAILLOG_NEW_DELIVERY || text->place == MAILLOG_NEW_SESSION)
        remember(lines, line, text);
    if (text->kind == MAILLOG_NONE)
        return UNDERSTOOD;
    said.domain = blamed(lines, line, text, room);
    said.reply  = text->server[0] == 'p' ? postfix_reply(line) : plain_reply(line, text);
    if (text->kind != MAILLOG_RECIPIENT && text->kind != MAILLOG_REMOTE)
        said.envelope = maillog_envelope_read(view_of(line->begin, line->end));
    said.timed = maillog_time_read(&lines->time, view_of(line->begin, line->end), &said.when);
    lines->said(lines->context, &said);
    return UNDERSTOOD;
}

static enum finding take_hit(struct maillog_lines *lines, struct line *line, const char *at, unsigned row)
{
    line->text_at = at;
    for (; row; row = maillog_find_also(&lines->find, at, line->end, row)) {
        const struct maillog_text *text = maillog_find_text(row);
        line->text_end                  = at + text->text_len;
        if (understand(lines, line, text) == UNDERSTOOD)
            return UNDERSTOOD;
    }
    return NOT_THAT;
}

/* The line in which a text stands at `at`; returns its end. */
static const char *take_line(struct maillog_lines *lines, struct view block, const char *at, unsigned row)
{
    const char *from = (const char *) block.data, *end = from + block.len;
    const char *before = memrchr(from, '\n', (size_t) (at - from)), *behind = memchr(at, '\n', (size_t) (end - at));
    struct line line = {.begin = before ? before + 1 : from, .end = behind ? behind : end};
    if (line.end[-1] == '\r')
        line.end--;
    for (int i = 0; i < HITS_MAX && at && take_hit(lines, &line, at, row) == NOT_THAT; i++)
        at = maillog_find_next(&lines->find, at + 1, line.end, &row);
    return behind ? behind : end;
}

void maillog_lines_init(struct maillog_lines *lines, wall_t now, maillog_said_fn said, void *context)
{
    memset(lines, 0, sizeof(*lines));
    maillog_find_init(&lines->find);
    maillog_time_init(&lines->time, now);
    lines->said    = said;
    lines->context = context;
}

void maillog_lines_take(struct maillog_lines *lines, struct view block)
{
    const char *from = (const char *) block.data, *end = from + block.len, *at;
    unsigned    row;
    while ((at = maillog_find_next(&lines->find, from, end, &row)))
        from = take_line(lines, block, at, row);
}
