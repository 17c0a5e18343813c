/* SPDX-License-Identifier: ISC */

#ifndef SUPERVISE_H
#define SUPERVISE_H

#define SUPERVISE_AGAIN 99 /* none of sysexits.h */

/*
 * For a program that is to go on when its spool was made anew: go on in a child
 * process, and in another one whenever that exits with SUPERVISE_AGAIN. A
 * process behind a wall cannot reach a spool that was made anew; its successor
 * can.
 *
 * Returns in the child, with SIGTERM and SIGINT blocked: they come once they
 * are expected. The parent passes them on, and ends as its child does; a child
 * does not outlive it. Where there can be no child it returns all the same.
 */
void supervise(void);

#endif
