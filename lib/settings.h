/* SPDX-License-Identifier: ISC */

#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#define SETTINGS_HOSTNAME_SIZE 256
#define SETTINGS_ERROR_SIZE 256
#define SETTINGS_NAME_SIZE 80 /* of a variable's name */
#define SETTINGS_QUEUE_PATH "./data/spool" /* the default of SMTP_QUEUE_PATH */

/* SMTP_FREE_SPACE, which all programs have: MiB. */
#define SETTINGS_FREE_SPACE "16"
#define SETTINGS_FREE_SPACE_MAX 1000000000

/*
 * The configuration: environment variables that begin with SMTP_. Each program
 * has a table of the variables that it uses, so that an invalid value stops
 * only the programs that use the variable. smtpserver(7) describes them all.
 *
 * An unset or empty variable has its initial value.
 */
enum setting_type {
	SETTING_TEXT, /* const char *, owned by environ */
	SETTING_NUMBER, /* int, from minimum to maximum */
	SETTING_FLAG, /* bool */
	SETTING_CHOICE, /* int or enum: the index of the name */
	SETTING_SECRET, /* char[PATH_MAX]: a path (lib/secret.h), or "" */
};

struct setting {
	const char *variable;
	enum setting_type type;
	size_t offset; /* of the struct member that receives it */
	const char *initial; /* as text; NULL: leave the member unchanged */
	int minimum, maximum; /* of a number */
	const char *const *names; /* of the choices; ends in NULL */
};

/*
 * Read the variables of a table into the settings struct that the table's
 * offsets refer to.
 *
 * Returns 0, or -EINVAL with ret_error naming the variable, its value and what
 * was expected; the struct is then unspecified.
 */
int settings_read(const struct setting *table, size_t count, void *ret_settings,
    char ret_error[SETTINGS_ERROR_SIZE]);

/* Return the value of a variable, or initial if it is unset or empty. */
const char *settings_get(const char *variable, const char *initial);

/* Read a host name that is a valid argument of EHLO; the default is the
 * system's host name. Returns as settings_read() does. */
int settings_read_hostname(const char *variable,
    char ret_hostname[SETTINGS_HOSTNAME_SIZE],
    char ret_error[SETTINGS_ERROR_SIZE]);

/* Format an error message. It is made printable, because it is logged. Returns
 * -EINVAL. */
int settings_fail(char ret_error[SETTINGS_ERROR_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Set ret_name to the variable that an error begins with. */
void settings_get_variable(const char *error,
    char ret_name[SETTINGS_NAME_SIZE]);

/*
 * Find the next environment variable that begins with SMTP_ and that no program
 * uses.
 *
 * position	0 for the first call; each call advances it.
 * ret_text	a warning that names the variable, and the known variable with
 *		the most similar name, if there is one.
 *
 * Returns false if there are no more such variables.
 */
bool settings_next_unknown(size_t *position,
    char ret_text[SETTINGS_ERROR_SIZE]);

#endif
