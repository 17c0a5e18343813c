/* SPDX-License-Identifier: ISC */

#ifndef SESSION_SETTINGS_H
#define SESSION_SETTINGS_H

#include <limits.h>

#include "lib/settings.h"

#define SETTINGS_SESSIONS_MAX 10000

enum bare_newline {
	BARE_NEWLINE_REJECT,
	BARE_NEWLINE_NORMALIZE,
};

/* Credentials of clients. */
enum auth {
	AUTH_NONE, /* AUTH is not offered */
	AUTH_ANY, /* accepted and ignored */
};

/* The settings that smtp-session reads from the environment. */
struct session_settings {
	char hostname[SETTINGS_HOSTNAME_SIZE];
	/* The domain of addresses that come without one. */
	char origin[SETTINGS_HOSTNAME_SIZE];
	const char *banner;
	const char *queue_path;
	const char *queue_key_path; /* NULL: the key is in the spool */
	char tls_cert[PATH_MAX]; /* "": STARTTLS is not offered */
	char tls_key[PATH_MAX];
	enum bare_newline bare_newline;
	enum auth auth;
	bool is_debug;
	bool shows_submitter; /* to recipients, in Received */
	int command_timeout_sec;
	int data_timeout_sec;
	int message_size_bytes;
	int recipients; /* of a message */
	int free_space_mib;
	int sessions; /* a listener's limit of concurrent sessions */
	int sessions_per_client;
	int idle_timeout_sec; /* until a listener without sessions exits */
};

/* Returns 0, or -EINVAL with ret_error naming the variable, its value and what
 * was expected; ret_settings is then unspecified. */
int session_settings_load(struct session_settings *ret_settings,
    char ret_error[SETTINGS_ERROR_SIZE]);

#endif
