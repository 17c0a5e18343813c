/* SPDX-License-Identifier: ISC */

/*
 * nothing.c - does nothing, linked with libc and libsystemd: what a program
 * costs before it begins, for t/bench/instructions to compare with.
 */

#include "config.h"

#include <systemd/sd-daemon.h>

int
main(int argc, char *argv[])
{
	(void)argv;
	/* Not called with arguments, but the linker does not know that. */
	return argc > 1 ? sd_booted() : 0;
}
