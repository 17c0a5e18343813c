/* SPDX-License-Identifier: ISC */

/*
 * nothing.c - an empty program that is linked with libc and libsystemd: the
 * base cost of a program, with which t/bench/instructions compares.
 */

#include "config.h"

#include <systemd/sd-daemon.h>

int
main(int argc, char *argv[])
{
	(void)argv;
	/* Never true, but keeps the linker from dropping libsystemd. */
	return argc > 1 ? sd_booted() : 0;
}
