#include "ctl/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include "common/check.h"

int signals_open (signals_t *self)
{
    sigset_t wanted;
    *self = (signals_t){0};
    sigemptyset (&wanted);
    sigaddset (&wanted, SIGTERM);
    sigaddset (&wanted, SIGINT);
    sigaddset (&wanted, SIGHUP);
    sigaddset (&wanted, SIGCHLD);
    int failed = sigprocmask (SIG_BLOCK, &wanted, &self->before);
    CHECK (!failed);
    signal (SIGPIPE, SIG_IGN);
    signal (SIGCHLD, SIG_DFL); /* ignored, as it may be inherited, would lose exit codes */
    int fd = signalfd (-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
    CHECK (fd >= 0);
    return fd;
}

void signals_take (signals_t *self, int fd)
{
    struct signalfd_siginfo info;
    while (read (fd, &info, sizeof info) == sizeof info) {
        self->stops += info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
        self->reloads += info.ssi_signo == SIGHUP;
    }
}

void signals_restore (const signals_t *self)
{
    signal (SIGPIPE, SIG_DFL);
    sigprocmask (SIG_SETMASK, &self->before, NULL);
}
