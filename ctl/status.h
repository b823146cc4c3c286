/*  status: `hotpath status`: every process, what it does, what is wrong, in words; and an exit code
 *  for scripts.
 */
#ifndef HOTPATH_CTL_STATUS_H
#define HOTPATH_CTL_STATUS_H

/*  argv[0] is the subcommand. 0: all are ready; 75: some are not; 69: none is to be found; 64. */
int status_main (int argc, char **argv);

#endif
