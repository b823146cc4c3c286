/*  validate: `hotpath validate FILE…`: scenario documents checked without anything running: all
 *  that is wrong, each with its place; two files of one scenario. For the CI of a repository of
 *  configs.
 *
 *  Exit codes: 0; 78 where anything is wrong; 66 where a file cannot be read; 64 usage. `hotpath
 *  validate --schema` prints the JSON Schema of realtime_compute.
 */
#ifndef HOTPATH_CTL_VALIDATE_H
#define HOTPATH_CTL_VALIDATE_H

/*  argv[0] is "validate". Returns the exit code. */
int validate_main (int argc, char **argv);

#endif
