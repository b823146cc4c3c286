/*  distinct: see distinct.h. Up to exact_max hashes in a small open-addressed table, beyond that
 * one byte a register. The register is picked by the hash's highest bits and its rank comes from
 * those below: the lowest decide the shard (key_hash_shard), so within a shard they are all alike.
 */
#include "common/distinct.h"

#include <math.h>

#include "common/check.h"

enum {
    SLOTS_MIN = 8,
    SPARSE_ENTRY_BYTES = 3, /* register (18 bits) and rank (6 bits) */
    HASH_BYTES = 8,
    HEAD_BYTES = 2,
    RANKS_MAX = 64,
};

/*  How the bytes go on after their head {form, register bits}. Which one is no choice: the shorter.
 */
typedef enum {
    FORM_EXACT = 0,  /* the hashes, ascending, 8 bytes each, big endian */
    FORM_SPARSE = 1, /* registers that are not 0, ascending, 3 bytes each */
    FORM_DENSE = 2,  /* all registers, 6 bits each: 4 in 3 bytes */
} form_t;

struct distinct {
    distinct_shape_t shape;
    uint32_t count;      /* exact: hashes held, that of 0 included */
    uint32_t slot_count; /* 0 or a power of two, at least twice the hashes */
    uint64_t *slots;     /* exact: 0 is an empty slot */
    bool has_zero;       /* exact: the hash 0 itself */
    uint8_t *registers;  /* NULL: exact */
};

static uint32_t register_count (const distinct_t *self)
{
    return UINT32_C (1) << self->shape.register_bits;
}

/*  The greatest rank: all bits below the register's number are 0. */
static uint8_t rank_max (const distinct_t *self)
{
    return (uint8_t)(64 - self->shape.register_bits + 1);
}

distinct_t *distinct_new (distinct_shape_t shape)
{
    CHECK (shape.register_bits >= 4 && shape.register_bits <= 18);
    distinct_t *self = memory_new (sizeof *self);
    self->shape = shape;
    return self;
}

void distinct_destroy (distinct_t **self_p)
{
    if (!*self_p)
        return;
    free ((*self_p)->slots);
    free ((*self_p)->registers);
    free (*self_p);
    *self_p = NULL;
}

void distinct_clear (distinct_t *self)
{
    free (self->slots);
    free (self->registers);
    *self = (distinct_t){.shape = self->shape};
}

static int add_register (distinct_t *self, uint64_t hash)
{
    uint32_t bits = self->shape.register_bits;
    uint64_t rest = hash << bits | UINT64_C (1) << (bits - 1); /* a one behind its last bit */
    uint8_t rank = (uint8_t)(__builtin_clzll (rest) + 1);
    uint8_t *at = &self->registers[hash >> (64 - bits)];
    if (*at >= rank)
        return 0;
    *at = rank;
    return 1;
}

/*  Its slot, or the empty one where it belongs. Fibonacci hashing, since low bits are alike. */
static uint64_t *find_slot (uint64_t *slots, uint32_t slot_count, uint64_t hash)
{
    uint32_t mask = slot_count - 1;
    uint32_t at = (uint32_t)(hash * UINT64_C (0x9e3779b97f4a7c15) >> 32) & mask;
    while (slots[at] && slots[at] != hash)
        at = (at + 1) & mask;
    return &slots[at];
}

static void grow_slots (distinct_t *self)
{
    uint32_t slot_count = self->slot_count ? self->slot_count * 2 : SLOTS_MIN;
    uint64_t *slots = memory_new_array (slot_count, sizeof *slots);
    for (uint32_t i = 0; i < self->slot_count; i++)
        if (self->slots[i])
            *find_slot (slots, slot_count, self->slots[i]) = self->slots[i];
    free (self->slots);
    self->slots = slots;
    self->slot_count = slot_count;
}

static void become_registers (distinct_t *self)
{
    self->registers = memory_new (register_count (self));
    if (self->has_zero)
        add_register (self, 0);
    for (uint32_t i = 0; i < self->slot_count; i++)
        if (self->slots[i])
            add_register (self, self->slots[i]);
    free (self->slots);
    self->slots = NULL;
    self->slot_count = 0;
    self->count = 0;
    self->has_zero = false;
}

int distinct_add (distinct_t *self, uint64_t hash)
{
    if (self->registers)
        return add_register (self, hash);
    bool room_wanted = self->count < self->shape.exact_max && self->count * 2 >= self->slot_count;
    if (room_wanted || !self->slot_count)
        grow_slots (self);
    uint64_t *slot = hash ? find_slot (self->slots, self->slot_count, hash) : NULL;
    if (slot ? *slot != 0 : self->has_zero)
        return 0;
    if (self->count == self->shape.exact_max) {
        become_registers (self);
        add_register (self, hash);
        return 1;
    }
    if (slot)
        *slot = hash;
    else
        self->has_zero = true;
    self->count++;
    return 1;
}

void distinct_prefetch (const distinct_t *self, uint64_t hash)
{
    if (self->registers)
        __builtin_prefetch (&self->registers[hash >> (64 - self->shape.register_bits)], 1);
}

void distinct_merge (distinct_t *self, const distinct_t *other)
{
    CHECK (self->shape.register_bits == other->shape.register_bits &&
           self->shape.exact_max == other->shape.exact_max);
    if (!other->registers) {
        if (other->has_zero)
            distinct_add (self, 0);
        for (uint32_t i = 0; i < other->slot_count; i++)
            if (other->slots[i])
                distinct_add (self, other->slots[i]);
        return;
    }
    if (!self->registers)
        become_registers (self);
    for (uint32_t i = 0; i < register_count (self); i++) {
        uint8_t rank = other->registers[i];
        self->registers[i] = self->registers[i] > rank ? self->registers[i] : rank;
    }
}

/*  sigma and tau: Ertl 2017, section 4.3: series that converge within the precision of a double. */
static double sigma (double x)
{
    if (x == 1)
        return INFINITY;
    double y = 1, z = x, before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static double tau (double x)
{
    if (x == 0 || x == 1)
        return 0;
    double y = 1, z = 1 - x, before;
    do {
        x = sqrt (x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

/*  Ertl 2017, algorithm 6, over the histogram of the registers. */
static uint64_t estimate (const distinct_t *self)
{
    uint32_t histogram[RANKS_MAX] = {0};
    uint32_t registers = register_count (self);
    for (uint32_t i = 0; i < registers; i++)
        histogram[self->registers[i]]++;
    double m = registers;
    uint32_t last = rank_max (self);
    double z = m * tau (1 - histogram[last] / m);
    for (uint32_t rank = last - 1; rank >= 1; rank--)
        z = 0.5 * (z + histogram[rank]);
    z += m * sigma (histogram[0] / m);
    double count = 0.5 / M_LN2 * m * m / z;
    /*  Registers that are all full come only from bytes that nobody counted. */
    return count < 0x1p63 ? (uint64_t)llround (count) : UINT64_C (1) << 63;
}

uint64_t distinct_count (const distinct_t *self)
{
    return self->registers ? estimate (self) : self->count;
}

size_t distinct_memory_bytes (const distinct_t *self)
{
    return sizeof *self + self->slot_count * sizeof *self->slots +
           (self->registers ? register_count (self) : 0);
}

static int compare_hashes (const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void put_big_endian (buffer_t *to, uint64_t value, size_t size)
{
    uint8_t bytes[HASH_BYTES];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> 8 * (size - 1 - i));
    buffer_append (to, bytes, size);
}

static uint64_t get_big_endian (const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void write_head (const distinct_t *self, buffer_t *to, form_t form, size_t body_size)
{
    uint8_t head[HEAD_BYTES] = {(uint8_t)form, self->shape.register_bits};
    msgpack_packer packer = pack_to (to);
    msgpack_pack_bin (&packer, HEAD_BYTES + body_size);
    buffer_append (to, head, sizeof head);
}

static void write_exact (const distinct_t *self, buffer_t *to)
{
    uint64_t *hashes = memory_new_array (self->count, sizeof *hashes);
    size_t count = self->has_zero ? 1 : 0; /* the zero is in place: it comes first */
    for (uint32_t i = 0; i < self->slot_count; i++)
        if (self->slots[i])
            hashes[count++] = self->slots[i];
    CHECK (count == self->count);
    qsort (hashes, count, sizeof *hashes, compare_hashes);
    write_head (self, to, FORM_EXACT, count * HASH_BYTES);
    for (size_t i = 0; i < count; i++)
        put_big_endian (to, hashes[i], HASH_BYTES);
    free (hashes);
}

static uint32_t used_registers (const distinct_t *self)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < register_count (self); i++)
        used += self->registers[i] != 0;
    return used;
}

static size_t dense_bytes (const distinct_t *self)
{
    return register_count (self) / 4 * 3;
}

void distinct_write (const distinct_t *self, buffer_t *to)
{
    if (!self->registers) {
        write_exact (self, to);
        return;
    }
    const uint8_t *registers = self->registers;
    size_t sparse_bytes = (size_t)used_registers (self) * SPARSE_ENTRY_BYTES;
    if (sparse_bytes < dense_bytes (self)) {
        write_head (self, to, FORM_SPARSE, sparse_bytes);
        for (uint32_t i = 0; i < register_count (self); i++)
            if (registers[i])
                put_big_endian (to, (uint64_t)i << 6 | registers[i], SPARSE_ENTRY_BYTES);
        return;
    }
    write_head (self, to, FORM_DENSE, dense_bytes (self));
    for (uint32_t i = 0; i < register_count (self); i += 4) {
        uint64_t four = (uint64_t)registers[i] << 18 | (uint64_t)registers[i + 1] << 12 |
                        (uint64_t)registers[i + 2] << 6 | registers[i + 3];
        put_big_endian (to, four, 3);
    }
}

static bool read_exact (distinct_t *self, const uint8_t *bytes, size_t size)
{
    if (size % HASH_BYTES || size / HASH_BYTES > self->shape.exact_max)
        return false;
    uint64_t before = 0;
    for (size_t at = 0; at < size; at += HASH_BYTES) {
        uint64_t hash = get_big_endian (bytes + at, HASH_BYTES);
        if (at && hash <= before)
            return false;
        distinct_add (self, hash);
        before = hash;
    }
    return true;
}

static bool read_sparse (distinct_t *self, const uint8_t *bytes, size_t size)
{
    if (!size || size % SPARSE_ENTRY_BYTES || size >= dense_bytes (self))
        return false;
    self->registers = memory_new (register_count (self));
    uint64_t next = 0; /* the least register that may follow */
    for (size_t at = 0; at < size; at += SPARSE_ENTRY_BYTES) {
        uint64_t entry = get_big_endian (bytes + at, SPARSE_ENTRY_BYTES);
        uint64_t index = entry >> 6;
        uint8_t rank = entry & 63;
        if (index < next || index >= register_count (self) || !rank || rank > rank_max (self))
            return false;
        self->registers[index] = rank;
        next = index + 1;
    }
    return true;
}

static bool read_dense (distinct_t *self, const uint8_t *bytes, size_t size)
{
    if (size != dense_bytes (self))
        return false;
    self->registers = memory_new (register_count (self));
    uint8_t greatest = 0;
    for (uint32_t i = 0; i < register_count (self); i++) {
        uint64_t four = get_big_endian (bytes + (size_t)i / 4 * 3, 3);
        self->registers[i] = four >> (18 - 6 * (i % 4)) & 63;
        greatest = greatest > self->registers[i] ? greatest : self->registers[i];
    }
    return greatest <= rank_max (self) &&
           (size_t)used_registers (self) * SPARSE_ENTRY_BYTES >= dense_bytes (self);
}

void distinct_read (distinct_t *self, cursor_t *cursor)
{
    distinct_clear (self);
    size_t body_max = (size_t)self->shape.exact_max * HASH_BYTES;
    if (body_max < dense_bytes (self))
        body_max = dense_bytes (self);
    span_t bin = cursor_span (cursor, HEAD_BYTES + body_max);
    const uint8_t *bytes = (const uint8_t *)bin.bytes;
    bool valid = bin.size >= HEAD_BYTES && bytes[1] == self->shape.register_bits;
    if (valid) {
        const uint8_t *body = bytes + HEAD_BYTES;
        size_t size = bin.size - HEAD_BYTES;
        valid = bytes[0] == FORM_EXACT    ? read_exact (self, body, size)
                : bytes[0] == FORM_SPARSE ? read_sparse (self, body, size)
                                          : bytes[0] == FORM_DENSE && read_dense (self, body, size);
    }
    if (valid)
        return;
    distinct_clear (self);
    cursor->failed = true;
}
