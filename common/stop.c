#include "common/stop.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t stop_flag;
static volatile sig_atomic_t reload_flag;

static void on_signal (int number)
{
    if (number == SIGHUP)
        reload_flag = 1;
    else
        stop_flag = 1;
}

void stop_install (void)
{
    struct sigaction action;
    memset (&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction (SIGTERM, &action, NULL);
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGHUP, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction (SIGPIPE, &action, NULL);
}

bool stop_requested (void)
{
    return stop_flag != 0;
}

bool stop_take_reload (void)
{
    if (!reload_flag)
        return false;
    reload_flag = 0;
    return true;
}
