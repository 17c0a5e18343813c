/* SPDX-License-Identifier: ISC */

/*
 * settings.c - the variables that smtp-health uses.
 */

#include "config.h"

#include "smtp-health/settings.h"

#define AT(member) offsetof(struct health_settings, member)

static const struct setting table[] = {
	{ "SMTP_QUEUE_PATH", SETTING_TEXT, AT(queue_path),
	    SETTINGS_QUEUE_PATH },
	{ "SMTP_QUEUE_KEY_PATH", SETTING_TEXT, AT(queue_key_path) },
	{ "SMTP_DEBUG", SETTING_FLAG, AT(is_debug), "0" },
	{ "SMTP_FREE_SPACE", SETTING_NUMBER, AT(free_space_mib),
	    SETTINGS_FREE_SPACE, 1, SETTINGS_FREE_SPACE_MAX },
};

int
health_settings_load(struct health_settings *ret_settings,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	int r;

	*ret_settings = (struct health_settings){ .queue_path = NULL };
	r = settings_read(table, sizeof(table) / sizeof(table[0]), ret_settings,
	    ret_error);
	if (r < 0)
		return r;
	return settings_read_hostname("SMTP_HOSTNAME", ret_settings->hostname,
	    ret_error);
}
