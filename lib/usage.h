/* SPDX-License-Identifier: ISC */

#ifndef USAGE_H
#define USAGE_H

/*
 * Answer --help or --version, if one of the arguments before "--" is that:
 * print the usage, or the program's name with the version, on standard output.
 *
 * program	its name
 * usage	its usage: "usage: ..." and further lines, each with its newline
 *
 * Returns 1 if it was answered, 0 if it was not asked for, or the negative
 * errno of standard output.
 */
int usage_answer(int argc, char *const argv[], const char *program,
    const char *usage);

#endif
