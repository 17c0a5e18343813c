/* SPDX-License-Identifier: ISC */

/*
 * abi.c - preloaded: pretend that Landlock has version LANDLOCK_ABI.
 */

#include <sys/syscall.h>

#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

long
syscall(long number, ...)
{
	long (*next)(long, ...) =
	    (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	const char *abi = getenv("LANDLOCK_ABI");
	va_list args;
	long a[6];

	va_start(args, number);
	for (size_t i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (abi != NULL && number == SYS_landlock_create_ruleset && a[0] == 0)
		return strtol(abi, NULL, 10);
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
