#include "common/share_plan.h"

uint32_t share_plan (uint32_t shard_count, const share_member_t *members, uint32_t count, uint32_t self)
{
    uint32_t shards = shard_count, live = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool counts = members[i].live || i == self;
        live += counts;
        if (!counts)
            shards -= members[i].held < shards ? members[i].held : shards;
    }
    uint32_t least = shards / live, rest = shards % live;
    /* Who has more than the least keeps one of it, the first `rest` of them; what is then left
     * of the rest goes to the first of the others. */
    bool self_rich = members[self].held > least;
    uint32_t rich = 0, rich_before = 0, poor_before = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!members[i].live && i != self)
            continue;
        bool is_rich = members[i].held > least;
        rich += is_rich;
        rich_before += is_rich && i < self;
        poor_before += !is_rich && i < self;
    }
    bool more = self_rich ? rich_before < rest : rich < rest && poor_before < rest - rich;
    return least + more;
}
