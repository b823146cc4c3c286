#include "common/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed (const char *condition, const char *file, int line)
{
    fprintf (stderr, "level=error msg=\"a bug in hotpath: please report it\" check=\"%s\" at=%s:%d\n",
             condition, file, line);
    abort ();
}
