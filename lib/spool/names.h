/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_NAMES_H
#define SPOOL_NAMES_H

#include <stdint.h>

#include "lib/id.h"
#include "lib/token.h"

/* Folders and files below the spool. */
#define NAME_QUEUE "queue"
#define NAME_NEW "queue/new"
#define NAME_RETRY "queue/retry"
#define NAME_ATTEMPTS "queue/attempts"
#define NAME_FAILED "queue/failed"
#define NAME_DAMAGED "queue/damaged"
#define NAME_SWEPT "queue/swept"
#define NAME_SCRATCH "scratch"
#define NAME_POLICIES "policies"
#define NAME_UNREACHED "unreached"
#define NAME_FAULTS "faults"
#define NAME_FAULT_SESSION "smtp-session" /* below faults */
#define NAME_FAULT_DELIVER "smtp-deliver"
#define NAME_KEY "key"
#define NAME_COUNTERS "counters"
#define NAME_SESSIONS "sessions"
#define NAME_ABLE "able"

#define NAME_DAY_SIZE sizeof("2026-11-22")
#define NAME_BUCKET_SIZE sizeof("202611221831")
#define NAME_MAIL_SIZE (ID_SIZE + TOKEN_SIZE + sizeof(".eml"))

/* The folder of mail that is stored at a time: its day (UTC). */
void name_format_day(int64_t real_ms, char ret_name[NAME_DAY_SIZE]);

/* A recipient's copy within it: <id>_<token>.eml */
void name_format_mail(const char *id, const char *token,
    char ret_name[NAME_MAIL_SIZE]);

/* The bucket of a minute (counted from 1970), named in UTC, and back. Parsing
 * returns 0, or -EBADMSG if the text is not a bucket's name. */
void name_format_bucket(int64_t minute, char ret_name[NAME_BUCKET_SIZE]);
int name_parse_bucket(const char *text, int64_t *ret_minute);

#endif
