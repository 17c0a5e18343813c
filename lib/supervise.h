/* SPDX-License-Identifier: ISC */

#ifndef SUPERVISE_H
#define SUPERVISE_H

#define SUPERVISE_AGAIN 99 /* not one of sysexits.h */

/*
 * Continue in a child process, and in a new one whenever it exits with
 * SUPERVISE_AGAIN. A sandboxed process cannot reach a spool that was replaced;
 * its successor can.
 *
 * Returns in the child, with SIGTERM and SIGINT blocked until the caller is
 * ready for them. The parent passes them on and ends as its child does; the
 * child does not outlive it. Returns in this process if it cannot fork.
 */
void supervise(void);

#endif
