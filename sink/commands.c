/*  commands: see commands.h. */
#include "sink/commands.h"

#include <stdio.h>

enum { LENGTH_BYTES_MAX = 24, DOUBLE_BYTES_MAX = 40 };

/*  Decimal digits of a number before `end`; returns where they begin. */
static char *write_digits (char *end, uint64_t number)
{
    do {
        *--end = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return end;
}

static void append_length (buffer_t *to, char mark, size_t length)
{
    char text[LENGTH_BYTES_MAX];
    char *end = text + sizeof text;
    *--end = '\n';
    *--end = '\r';
    char *at = write_digits (end, length);
    *--at = mark;
    buffer_append (to, at, (size_t)(text + sizeof text - at));
}

void command_begin (command_t *self, const char *name)
{
    buffer_clear (&self->arguments);
    self->count = 0;
    command_add_text (self, name);
}

void command_add (command_t *self, span_t argument)
{
    append_length (&self->arguments, '$', argument.size);
    buffer_append (&self->arguments, argument.bytes, argument.size);
    buffer_append (&self->arguments, "\r\n", 2);
    self->count++;
}

void command_add_text (command_t *self, const char *argument)
{
    command_add (self, span_of (argument));
}

void command_add_int (command_t *self, int64_t value)
{
    char text[LENGTH_BYTES_MAX], *end = text + sizeof text;
    char *at = write_digits (end, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
    if (value < 0)
        *--at = '-';
    command_add (self, (span_t){at, (size_t)(end - at)});
}

void command_add_uint (command_t *self, uint64_t value)
{
    char text[LENGTH_BYTES_MAX], *end = text + sizeof text;
    char *at = write_digits (end, value);
    command_add (self, (span_t){at, (size_t)(end - at)});
}

void command_add_double (command_t *self, double value)
{
    char text[DOUBLE_BYTES_MAX];
    snprintf (text, sizeof text, "%.17g", value);
    command_add_text (self, text);
}

void command_add_from (command_t *self, const command_t *other, size_t from, size_t to,
                       uint32_t count)
{
    buffer_append (&self->arguments, other->arguments.bytes + from, to - from);
    self->count += count;
}

void command_free (command_t *self)
{
    buffer_free (&self->arguments);
    self->count = 0;
}

void commands_append (commands_t *self, const command_t *command)
{
    append_length (&self->bytes, '*', command->count);
    buffer_append (&self->bytes, command->arguments.bytes, command->arguments.size);
    self->count++;
}

void commands_append_words (commands_t *self, const char *const *words)
{
    command_t command = {0};
    command_begin (&command, words[0]);
    for (size_t i = 1; words[i]; i++)
        command_add_text (&command, words[i]);
    commands_append (self, &command);
    command_free (&command);
}

void commands_join (commands_t *self, const commands_t *other)
{
    buffer_append (&self->bytes, other->bytes.bytes, other->bytes.size);
    self->count += other->count;
}

/*  The length behind a mark ('*' or '$'), and where what follows it begins; NULL: there is none. */
static const char *read_length (const char *at, const char *end, char mark, size_t *length)
{
    *length = 0;
    if (at >= end || *at++ != mark)
        return NULL;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        *length = *length * 10 + (size_t)(*at - '0');
    return end - at >= 2 ? at + 2 : NULL;
}

static const char *read_argument (const char *at, const char *end, span_t *argument)
{
    size_t size;
    at = read_length (at, end, '$', &size);
    if (!at || (size_t)(end - at) < size + 2)
        return NULL;
    *argument = (span_t){at, size};
    return at + size + 2;
}

bool commands_name (span_t commands, uint32_t index, span_t *name, span_t *argument)
{
    const char *at = commands.bytes, *end = at + commands.size;
    for (uint32_t i = 0;; i++) {
        size_t count;
        span_t skipped;
        at = read_length (at, end, '*', &count);
        *name = *argument = (span_t){0};
        for (size_t j = 0; at && j < count; j++)
            at = read_argument (at, end, j == 0 ? name : j == 1 ? argument : &skipped);
        if (!at)
            return false;
        if (i == index)
            return true;
    }
}

void commands_clear (commands_t *self)
{
    buffer_clear (&self->bytes);
    self->count = 0;
}

void commands_free (commands_t *self)
{
    buffer_free (&self->bytes);
    self->count = 0;
}
