/* SPDX-License-Identifier: ISC */

#ifndef HEALTH_SETTINGS_H
#define HEALTH_SETTINGS_H

#include "lib/settings.h"

/* What smtp-health takes from the environment. */
struct health_settings {
	const char *queue_path;
	const char *queue_key_path; /* NULL: the key is in the spool */
	char hostname[SETTINGS_HOSTNAME_SIZE];
	bool is_debug;
	int free_space_mib;
};

/* Returns 0, or -EINVAL with ret_error naming the variable, its value and what
 * was expected; ret_settings is then unspecified. */
int health_settings_load(struct health_settings *ret_settings,
    char ret_error[SETTINGS_ERROR_SIZE]);

#endif
