/*  hotpath: the operator's program: one subcommand each for what can be done. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/settings.h"
#include "ctl/restart.h"
#include "ctl/run.h"
#include "ctl/status.h"
#include "ctl/scenario.h"
#include "ctl/validate.h"

static const struct {
    const char *name;
    int (*main) (int argc, char **argv); /* argv[0] is the subcommand */
    const char *summary;
} subcommands[] = {
    {"run", run_main, "start the whole pipeline on this machine, and supervise it"},
    {"status", status_main, "what every process does, and what is wrong"},
    {"restart", restart_main, "restart processes one after the other, each once all are ready"},
    {"scenario", scenario_main, "see and change scenarios through configd's admin API"},
    {"validate", validate_main, "check scenario documents, without anything running"},
};

enum { SUBCOMMAND_COUNT = sizeof subcommands / sizeof *subcommands };

static void print_help (void)
{
    printf (
        "usage: hotpath COMMAND [settings]\n"
        "Events in, features for recommendations out: hot items, profiles and metrics in Redis.\n\n"
        "commands (each explains itself with --help):\n");
    for (int i = 0; i < SUBCOMMAND_COUNT; i++)
        printf ("  %-10s %s\n", subcommands[i].name, subcommands[i].summary);
    printf ("  %-10s %s\n  %-10s %s\n", "--help", "this text", "--version", "the version");
}

/*  A pipe must not become one of the three that every program writes to. */
static void open_standard_files (void)
{
    int fd;
    do
        fd = open ("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close (fd);
}

int main (int argc, char **argv)
{
    open_standard_files ();
    if (argc < 2)
        settings_fail (EX_USAGE, "a command is needed, such as run (see --help)");
    if (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0) {
        print_help ();
        return EX_OK;
    }
    if (strcmp (argv[1], "--version") == 0) {
        printf ("hotpath %s\n", HOTPATH_VERSION);
        return EX_OK;
    }
    for (int i = 0; i < SUBCOMMAND_COUNT; i++) {
        if (strcmp (argv[1], subcommands[i].name) == 0)
            return subcommands[i].main (argc - 1, argv + 1);
    }
    settings_fail (EX_USAGE, "unknown command '%s' (see --help)", argv[1]);
}
