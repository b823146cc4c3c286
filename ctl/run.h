/*  run: `hotpath run`: starts the whole pipeline on this machine, restarts what dies, stops it in
 * order.
 *
 *      start   each stage of run_plan once the one before is ready
 *      run     until SIGTERM or SIGINT, or with --once until every ingestor is done; SIGHUP is
 *              passed on
 *      stop    each stage of run_plan by SIGTERM, at most RUN_STOP_MS, then by SIGKILL; a second
 *              SIGTERM or SIGINT kills at once
 *
 *  It looks after its state folder: sockets and lock that somebody removed come back; where the whole
 * folder was removed or replaced, all is killed and begins anew on a new one (with --once, or reading
 * standard input, it ends: 75).
 *
 *  Exit codes: 0; that of a part which cannot start, or which says that its input (65, 66) or its
 * settings (64, 78) are wrong; 69 / 70 where a part dies again and again; 75 where the input was
 * not read to its end although --once wanted it, where a worker could not commit, or the state
 * folder is in use.
 */
#ifndef HOTPATH_CTL_RUN_H
#define HOTPATH_CTL_RUN_H

enum { RUN_STOP_MS = 20000, RUN_HOLD_MS = 60000, RUN_TURN_MS = 100 };

/*  argv[0] is "run". Returns the exit code. */
int run_main (int argc, char **argv);

#endif
