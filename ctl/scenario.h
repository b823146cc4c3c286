/*  scenario: `hotpath scenario COMMAND …`: the admin API of configd from a command line.
 *
 *  Exit codes: 0; 64 usage; 65 the config is not valid; 66 there is no such scenario or revision,
 *  or no such file; 69 configd or its store does not answer; 73 the scenario exists already; 75 it
 *  is not applied in time, or was changed meanwhile (--if-match): try again; 77 not allowed; 70
 *  anything else.
 */
#ifndef HOTPATH_CTL_SCENARIO_H
#define HOTPATH_CTL_SCENARIO_H

/*  argv[0] is "scenario". Returns the exit code. */
int scenario_main (int argc, char **argv);

#endif
