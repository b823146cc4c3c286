#include "common/pack.h"

static const uint8_t *take (cursor_t *self, size_t size)
{
    if (self->failed || (size_t)(self->end - self->at) < size) {
        self->failed = true;
        return NULL;
    }
    const uint8_t *bytes = self->at;
    self->at += size;
    return bytes;
}

static uint64_t take_big_endian (cursor_t *self, size_t size)
{
    const uint8_t *bytes = take (self, size);
    uint64_t value = 0;
    for (size_t i = 0; bytes && i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

static uint8_t take_tag (cursor_t *self)
{
    const uint8_t *tag = take (self, 1);
    return tag ? *tag : 0xc1; /* 0xc1 is never used by msgpack: no reader takes it */
}

static void fail (cursor_t *self)
{
    self->failed = true;
}

size_t cursor_array (cursor_t *self, size_t count_max)
{
    uint8_t tag = take_tag (self);
    size_t count = 0;
    if ((tag & 0xf0) == 0x90)
        count = tag & 0x0f;
    else if (tag == 0xdc)
        count = (size_t)take_big_endian (self, 2);
    else if (tag == 0xdd)
        count = (size_t)take_big_endian (self, 4);
    else
        fail (self);
    if (count > count_max || count > (size_t)(self->end - self->at))
        fail (self);
    return self->failed ? 0 : count;
}

/*  Reads an integer as sign and magnitude bits: *negative says that the result is an int64's bits. */
static uint64_t take_integer (cursor_t *self, bool *negative)
{
    uint8_t tag = take_tag (self);
    int64_t value = 0;
    *negative = false;
    if (tag < 0x80)
        return tag;
    if (tag >= 0xe0)
        value = (int8_t)tag;
    else if (tag >= 0xcc && tag <= 0xcf)
        return take_big_endian (self, (size_t)1 << (tag - 0xcc));
    else if (tag == 0xd0)
        value = (int8_t)take_big_endian (self, 1);
    else if (tag == 0xd1)
        value = (int16_t)take_big_endian (self, 2);
    else if (tag == 0xd2)
        value = (int32_t)take_big_endian (self, 4);
    else if (tag == 0xd3)
        value = (int64_t)take_big_endian (self, 8);
    else
        fail (self);
    *negative = value < 0;
    return (uint64_t)value;
}

uint64_t cursor_any_uint (cursor_t *self)
{
    bool negative;
    uint64_t value = take_integer (self, &negative);
    if (negative)
        fail (self);
    return self->failed ? 0 : value;
}

int64_t cursor_int (cursor_t *self)
{
    bool negative;
    uint64_t value = take_integer (self, &negative);
    if (!negative && value > INT64_MAX)
        fail (self);
    return self->failed ? 0 : (int64_t)value;
}

double cursor_double (cursor_t *self)
{
    if (take_tag (self) != 0xcb) {
        fail (self);
        return 0;
    }
    uint64_t bits = take_big_endian (self, 8);
    double value;
    memcpy (&value, &bits, sizeof value);
    return self->failed ? 0 : value;
}

bool cursor_bool (cursor_t *self)
{
    uint8_t tag = take_tag (self);
    if (tag != 0xc2 && tag != 0xc3)
        fail (self);
    return !self->failed && tag == 0xc3;
}

span_t cursor_any_span (cursor_t *self, size_t size_max)
{
    uint8_t tag = take_tag (self);
    size_t size = 0;
    if ((tag & 0xe0) == 0xa0)
        size = tag & 0x1f;
    else if (tag == 0xd9 || tag == 0xc4)
        size = (size_t)take_big_endian (self, 1);
    else if (tag == 0xda || tag == 0xc5)
        size = (size_t)take_big_endian (self, 2);
    else if (tag == 0xdb || tag == 0xc6)
        size = (size_t)take_big_endian (self, 4);
    else
        fail (self);
    if (size > size_max)
        fail (self);
    const uint8_t *bytes = take (self, size);
    return bytes ? (span_t){(const char *)bytes, size} : (span_t){NULL, 0};
}
