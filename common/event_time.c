/*  event_time: see event_time.h. */
#include "common/event_time.h"

#include <math.h>
#include <stdbool.h>

typedef struct {
    const char *at, *end;
    bool failed;
} scan_t;

/*  The next `count` digits as a number in least .. most. */
static int64_t scan_digits (scan_t *self, int count, int64_t least, int64_t most)
{
    int64_t number = 0;
    if (self->failed || self->end - self->at < count) {
        self->failed = true;
        return 0;
    }
    for (int i = 0; i < count; i++) {
        char byte = *self->at++;
        if (byte < '0' || byte > '9') {
            self->failed = true;
            return 0;
        }
        number = number * 10 + (byte - '0');
    }
    if (number < least || number > most)
        self->failed = true;
    return number;
}

static void scan_char (scan_t *self, char wanted, char alternative)
{
    if (self->failed || self->at == self->end || (*self->at != wanted && *self->at != alternative))
        self->failed = true;
    else
        self->at++;
}

/*  One or more digits: the first three count, the rest only has to be digits. */
static int64_t scan_fraction_ms (scan_t *self)
{
    int64_t scale = 100, ms = 0;
    const char *begin = self->at;
    while (self->at < self->end && *self->at >= '0' && *self->at <= '9') {
        ms += (*self->at++ - '0') * scale;
        scale /= 10;
    }
    if (self->at == begin)
        self->failed = true;
    return ms;
}

/*  Days from 1970-01-01 to a date of the proleptic Gregorian calendar (Howard Hinnant,
 *  "chrono-compatible low-level date algorithms": years begin in March, eras have 400 years).
 */
static int64_t days_from_date (int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int64_t days_of_month (int64_t year, int64_t month)
{
    static const int8_t DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : DAYS[month - 1];
}

int event_time_from_text (span_t text, int64_t *time_ms)
{
    scan_t scan = {text.bytes, text.bytes + text.size,
                   text.size < sizeof ("YYYY-MM-DDTHH:MM:SS") - 1};
    int64_t year = scan_digits (&scan, 4, 0, 9999);
    scan_char (&scan, '-', '-');
    int64_t month = scan_digits (&scan, 2, 1, 12);
    scan_char (&scan, '-', '-');
    int64_t day = scan_digits (&scan, 2, 1, 31);
    scan_char (&scan, 'T', ' ');
    int64_t hour = scan_digits (&scan, 2, 0, 23);
    scan_char (&scan, ':', ':');
    int64_t minute = scan_digits (&scan, 2, 0, 59);
    scan_char (&scan, ':', ':');
    int64_t second = scan_digits (&scan, 2, 0, 59);
    if (scan.failed || day > days_of_month (year, month))
        return -1;

    int64_t ms = 0, ahead_minutes = 0;
    if (scan.at < scan.end && *scan.at == '.') {
        scan.at++;
        ms = scan_fraction_ms (&scan);
    }
    if (scan.at < scan.end && *scan.at == 'Z')
        scan.at++;
    else if (scan.at < scan.end) {
        int64_t sign = *scan.at == '-' ? -1 : 1;
        scan_char (&scan, '+', '-');
        ahead_minutes = sign * 60 * scan_digits (&scan, 2, 0, 23);
        scan_char (&scan, ':', ':');
        ahead_minutes += sign * scan_digits (&scan, 2, 0, 59);
    }
    if (scan.failed || scan.at != scan.end)
        return -1;

    int64_t minutes = (days_from_date (year, month, day) * 24 + hour) * 60 + minute - ahead_minutes;
    int64_t time = (minutes * 60 + second) * 1000 + ms;
    if (time < 0 || time > EVENT_TIME_MS_MAX)
        return -1;
    *time_ms = time;
    return 0;
}

int event_time_from_integer (int64_t number, int64_t *time_ms)
{
    if (number < 0 || number > EVENT_TIME_MS_MAX)
        return -1;
    *time_ms = number < EVENT_TIME_SECONDS_BELOW ? number * 1000 : number;
    return 0;
}

int event_time_from_real (double number, int64_t *time_ms)
{
    /* written so that NaN fails too */
    if (!(number >= 0 && number <= (double)EVENT_TIME_MS_MAX) || floor (number) != number)
        return -1;
    return event_time_from_integer ((int64_t)number, time_ms);
}
