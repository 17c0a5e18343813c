/* SPDX-License-Identifier: ISC */

#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#define SETTINGS_HOSTNAME_SIZE 256
#define SETTINGS_ERROR_SIZE 256
#define SETTINGS_NAME_SIZE 80 /* of a variable's name */
#define SETTINGS_QUEUE_PATH "./data/spool" /* where SMTP_QUEUE_PATH is unset */

/* SMTP_FREE_SPACE, which all programs have: MiB. */
#define SETTINGS_FREE_SPACE "16"
#define SETTINGS_FREE_SPACE_MAX 1000000000

/*
 * The configuration: variables of the environment that begin with SMTP_. Each
 * program has a table of those that it uses, so that a mistake in one stops the
 * programs that use it and no other. smtpserver(7) describes them all.
 *
 * A variable that is unset or empty has its initial value.
 */
enum setting_type {
	SETTING_TEXT, /* const char *, which belongs to environ */
	SETTING_NUMBER, /* int, from minimum to maximum */
	SETTING_FLAG, /* bool */
	SETTING_CHOICE, /* int or enum: the index of the name */
};

struct setting {
	const char *variable;
	enum setting_type type;
	size_t offset; /* of the member that it is stored in */
	const char *initial; /* as text; NULL: the member stays as it is */
	int minimum, maximum; /* of a number */
	const char *const *names; /* of choices; NULL at the end */
};

/*
 * Read the variables of a table into the struct that it is about.
 *
 * Returns 0, or -EINVAL with ret_error naming the variable, its value and what
 * was expected; the struct is then unspecified.
 */
int settings_read(const struct setting *table, size_t count, void *ret_settings,
    char ret_error[SETTINGS_ERROR_SIZE]);

/* The value of a variable, or initial if it is unset or empty. */
const char *settings_get(const char *variable, const char *initial);

/* Read a host name as it may stand after EHLO; the default is the system's.
 * Returns what settings_read() does. */
int settings_read_hostname(const char *variable,
    char ret_hostname[SETTINGS_HOSTNAME_SIZE],
    char ret_error[SETTINGS_ERROR_SIZE]);

/* Format an error. Control characters become "?", because it is logged.
 * Returns -EINVAL. */
int settings_fail(char ret_error[SETTINGS_ERROR_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Set ret_name to the variable that an error begins with. */
void settings_get_variable(const char *error,
    char ret_name[SETTINGS_NAME_SIZE]);

/*
 * Find the next variable of the environment that begins with SMTP_ and that no
 * program has.
 *
 * position	0 at first, then as it was left.
 * ret_text	says so, with the nearest name that there is.
 *
 * Returns false if there is no other.
 */
bool settings_next_unknown(size_t *position,
    char ret_text[SETTINGS_ERROR_SIZE]);

#endif
