/*  commands: see commands.h. */
#include "sink/commands.h"

#include <inttypes.h>
#include <stdio.h>

static void append_length (buffer_t *to, char mark, size_t length)
{
    char text[32];
    int size = snprintf (text, sizeof text, "%c%zu\r\n", mark, length);
    buffer_append (to, text, (size_t)size);
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
    char text[32];
    snprintf (text, sizeof text, "%" PRId64, value);
    command_add_text (self, text);
}

void command_add_uint (command_t *self, uint64_t value)
{
    char text[32];
    snprintf (text, sizeof text, "%" PRIu64, value);
    command_add_text (self, text);
}

void command_add_double (command_t *self, double value)
{
    char text[40];
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
