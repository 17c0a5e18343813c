/* SPDX-License-Identifier: ISC */

#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

/* Where the variables of this process come from. */
enum environment_origin {
	ENVIRONMENT_CALLER, /* the caller alone */
	ENVIRONMENT_UNITS, /* those of the units, where the caller has none */
};

/*
 * Give an installed program that is run by hand or by inetd the environment of
 * the units: the variables of their file, /etc/smtpserver/environment, that
 * begin with SMTP_, the installed spool, and the folder of the units'
 * credentials. Variables that are set already stay.
 *
 * That is done where SMTP_QUEUE_PATH is not set, as it is in the units, and
 * the program is where it was installed: one in a build tree has nothing to do
 * with what this host has installed. Where the variable is set, but empty, it
 * gets its default, the installed spool, and that is all.
 *
 * Returns 0, or a negative errno if the file exists and cannot be read:
 * -EBADMSG it is not UTF-8, -EFBIG it has over 1 MiB. The spool is set all the
 * same.
 */
int environment_load(enum environment_origin *ret_origin);

/* Return the path of the units' file. */
const char *environment_path(void);

/*
 * Parse the text of such a file as systemd does (systemd.exec(5),
 * EnvironmentFile=).
 *
 * see		called for each valid assignment in the order of the text: of
 *		several with a name the last one counts.
 *
 * Returns 0, -EBADMSG if the text is not UTF-8, or -ENOMEM.
 */
typedef void environment_see(void *context, const char *name,
    const char *value);
int environment_parse(const char *text, environment_see *see, void *context);

#endif
