/* SPDX-License-Identifier: ISC */

/*
 * entry.c - the path of an entry of the queue. Pure.
 */

#include "config.h"

#include <stdio.h>

#include "lib/spool/entry.h"

void
entry_format_path(const struct queue_entry *entry,
    char ret_path[ENTRY_PATH_SIZE])
{
	char bucket[NAME_BUCKET_SIZE];

	if (entry->place == QUEUE_NEW) {
		(void)snprintf(ret_path, ENTRY_PATH_SIZE, NAME_NEW "/%s",
		    entry->name);
		return;
	}
	name_format_bucket(entry->minute, bucket);
	(void)snprintf(ret_path, ENTRY_PATH_SIZE, NAME_RETRY "/%s/%s", bucket,
	    entry->name);
}
