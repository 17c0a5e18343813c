/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_ENTRY_H
#define SPOOL_ENTRY_H

#include <limits.h>
#include <stdint.h>

#include "lib/spool/names.h"

enum queue_place {
	QUEUE_NEW, /* accepted, not yet tried */
	QUEUE_RETRY, /* retried not before its minute */
};

/* A name in the queue. Claiming it shows whether it is a message. */
struct queue_entry {
	enum queue_place place;
	int64_t minute; /* of QUEUE_RETRY: counted from 1970 */
	char name[NAME_MAX + 1]; /* a message's id unless damaged; "" stands
				  * for the folder itself */
};

#define ENTRY_PATH_SIZE (sizeof(NAME_RETRY) + NAME_BUCKET_SIZE + NAME_MAX + 2)

/* The entry's path below the spool. */
void entry_format_path(const struct queue_entry *entry,
    char ret_path[ENTRY_PATH_SIZE]);

#endif
