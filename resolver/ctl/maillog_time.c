/*
 * maillog_time.c: see maillog_time.h.
 */
#include "ctl/maillog_time.h"

#include <string.h>
#include <time.h>

enum {
    DAY        = 86400,
    YEARS_BACK = 8, /* from one 29 February to the one before it, over 2100 */
    TAI_DIGITS = 16
};

static const wall_t   TIME_END   = 253402300800;             /* the year 10000 */
static const uint64_t TAI64_UNIX = (UINT64_C(1) << 62) + 10; /* 1970 as daemontools counts: no leap second after it */

struct reader {
    const uint8_t *at, *end;
    bool           good;
};

static int take_digits(struct reader *reader, unsigned count)
{
    int value = 0;
    for (unsigned i = 0; i < count && reader->good; i++) {
        reader->good = reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9';
        value        = reader->good ? 10 * value + (*reader->at++ - '0') : 0;
    }
    return value;
}

static bool next_is(const struct reader *reader, char byte)
{
    return reader->at < reader->end && *reader->at == (uint8_t) byte;
}

static bool skip(struct reader *reader, char byte)
{
    if (!next_is(reader, byte))
        return false;
    reader->at++;
    return true;
}

static void take(struct reader *reader, char byte) { reader->good = skip(reader, byte) && reader->good; }

static void take_clock(struct reader *reader, struct tm *tm)
{
    tm->tm_hour = take_digits(reader, 2);
    take(reader, ':');
    tm->tm_min = take_digits(reader, 2);
    take(reader, ':');
    tm->tm_sec   = take_digits(reader, 2);
    reader->good = reader->good && tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

static bool is_day(const struct tm *tm)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int              year   = tm->tm_year + 1900;
    if (tm->tm_mon < 0 || tm->tm_mon > 11 || tm->tm_mday < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return tm->tm_mday <= days[tm->tm_mon] + (tm->tm_mon == 1 && leap);
}

/* mktime() looks the zone up each time, which costs more than all else of a line; lines of a log mostly come by the
 * minute. */
static wall_t local_time(struct maillog_time *time, const struct tm *tm)
{
    const int minute[] = {tm->tm_year, tm->tm_mon, tm->tm_mday, tm->tm_hour, tm->tm_min};
    if (memcmp(minute, time->minute, sizeof(minute)) != 0) {
        struct tm copy = *tm;
        copy.tm_sec    = 0;
        copy.tm_isdst  = -1;
        memcpy(time->minute, minute, sizeof(minute));
        time->minute_began = mktime(&copy);
    }
    return time->minute_began + tm->tm_sec;
}

/* "Nov 29 15:41:00", of a day below ten with a blank or a zero before it. */
static bool read_classic(struct maillog_time *time, struct reader *reader, wall_t *ret)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm         tm       = {.tm_mon = -1};
    for (int i = 0; i < 12 && reader->end - reader->at > 3; i++)
        if (memcmp(reader->at, months + 3 * i, 3) == 0)
            tm.tm_mon = i;
    if (tm.tm_mon < 0)
        return false;
    reader->at += 3;
    take(reader, ' ');
    tm.tm_mday = skip(reader, ' ') ? take_digits(reader, 1) : take_digits(reader, 2);
    take(reader, ' ');
    take_clock(reader, &tm);
    for (int back = 0; back <= YEARS_BACK && reader->good; back++) {
        tm.tm_year = time->year + 1 - back - 1900;
        *ret       = is_day(&tm) ? local_time(time, &tm) : WALL_NEVER;
        if (*ret <= time->now + DAY)
            return true;
    }
    return false;
}

/* What stands between the seconds and the zone, and the zone: s east of Greenwich. False: none. */
static bool take_zone(struct reader *reader, int *ret_east)
{
    struct reader begin = *reader;
    if (skip(reader, '.') || skip(reader, ','))
        while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
            reader->at++;
    *ret_east = 0;
    if (skip(reader, 'Z'))
        return true;
    skip(reader, ' '); /* Exim's */
    int sign = next_is(reader, '-') ? -1 : 1;
    if (!skip(reader, '+') && !skip(reader, '-')) {
        *reader = begin;
        return false;
    }
    int hours = take_digits(reader, 2);
    skip(reader, ':');
    int minutes = take_digits(reader, 2);
    if (!reader->good) /* what looked like a zone is not one */
        *reader = begin;
    *ret_east = sign * (hours * 3600 + minutes * 60);
    return reader->at != begin.at;
}

static bool read_iso(struct maillog_time *time, struct reader *reader, wall_t *ret)
{
    struct tm tm = {.tm_year = take_digits(reader, 4) - 1900};
    int       east;
    take(reader, '-');
    tm.tm_mon = take_digits(reader, 2) - 1;
    take(reader, '-');
    tm.tm_mday = take_digits(reader, 2);
    if (!skip(reader, 'T'))
        take(reader, ' ');
    take_clock(reader, &tm);
    if (!reader->good || !is_day(&tm))
        return false;
    *ret = take_zone(reader, &east) ? (wall_t) timegm(&tm) - east : local_time(time, &tm);
    return true;
}

static bool read_tai64n(struct reader *reader, wall_t *ret)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t          label    = 0;
    if (reader->end - reader->at < TAI_DIGITS)
        return false;
    for (int i = 0; i < TAI_DIGITS; i++) {
        const char *digit = *reader->at ? strchr(digits, *reader->at++) : NULL;
        if (!digit)
            return false;
        label = label << 4 | (uint64_t) (digit - digits);
    }
    *ret = (wall_t) (label - TAI64_UNIX);
    return true;
}

void maillog_time_init(struct maillog_time *time, wall_t now)
{
    time_t    here = (time_t) now;
    struct tm tm   = {0};
    localtime_r(&here, &tm);
    *time = (struct maillog_time){.now = now, .year = tm.tm_year + 1900, .minute = {-1}};
}

bool maillog_time_read(struct maillog_time *time, struct view line, wall_t *ret)
{
    struct reader reader = {line.data, line.data + line.len, true};
    bool          good;
    if (skip(&reader, '@'))
        good = read_tai64n(&reader, ret);
    else if (reader.at < reader.end && *reader.at >= '0' && *reader.at <= '9')
        good = read_iso(time, &reader, ret);
    else
        good = read_classic(time, &reader, ret);
    return good && *ret >= 0 && *ret < TIME_END;
}
