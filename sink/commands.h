/*  commands: Redis commands as bytes on the wire (RESP arrays of bulk strings), ready to be
 * pipelined.
 *
 *  A command is built argument by argument, since the count of its members is often known only at
 * the end. Pure: it sends nothing and knows no key or command of its own.
 */
#ifndef HOTPATH_SINK_COMMANDS_H
#define HOTPATH_SINK_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buffer.h"
#include "common/span.h"

/*  One command in the making. Zeroed is empty; freed with command_free. */
typedef struct {
    buffer_t arguments;
    uint32_t count;
} command_t;

/*  Finished commands, in order. Zeroed is empty; freed with commands_free. */
typedef struct {
    buffer_t bytes;
    uint32_t count;
} commands_t;

/*  Begins a command, forgetting what was in it. */
void command_begin (command_t *self, const char *name);
void command_add (command_t *self, span_t argument);
void command_add_text (command_t *self, const char *argument);
void command_add_int (command_t *self, int64_t value);
void command_add_uint (command_t *self, uint64_t value);
/*  As %.17g: reads back as the same double. */
void command_add_double (command_t *self, double value);
/*  Appends arguments that another command_t holds from byte `from` up to `to`, `count` of them. */
void command_add_from (command_t *self, const command_t *other, size_t from, size_t to,
                       uint32_t count);
void command_free (command_t *self);

/*  Appends the command; it may go on to be used for the next one. */
void commands_append (commands_t *self, const command_t *command);
/*  Appends one command of NUL-terminated words; NULL ends them. */
void commands_append_words (commands_t *self, const char *const *words);
/*  Appends all commands of another list. */
void commands_join (commands_t *self, const commands_t *other);
/*  Name and first argument (bytes NULL: it has none) of the command at `index` in finished commands;
 *  borrowed from them. False: there are not so many. */
bool commands_name (span_t commands, uint32_t index, span_t *name, span_t *argument);
void commands_clear (commands_t *self);
void commands_free (commands_t *self);

#endif
