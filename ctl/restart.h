/*  restart: `hotpath restart`: one process after the other is told to end, and the next one's turn comes
 *  when its successor, and all others, are ready. Whoever started them starts them again: `hotpath
 *  run`, or a service manager.
 */
#ifndef HOTPATH_CTL_RESTART_H
#define HOTPATH_CTL_RESTART_H

/*  argv[0] is the subcommand, operands are names as `hotpath status` shows them (none: all). 0; 75: one was
 *  not ready in time, and those after it were left alone; 69: none is to be found; 64. */
int restart_main (int argc, char **argv);

#endif
