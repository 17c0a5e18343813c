/* SPDX-License-Identifier: ISC */

/*
 * sts.c - MTA-STS records and policies: ids and names are text, a policy
 * matches each of its own hosts, and is unchanged after it is written and read
 * again.
 */

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>

#include "smtp-deliver/policy/sts.h"
#include "t/fuzz/fuzz.h"

static void
check_record(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), id[STS_ID_SIZE];
	int r = sts_parse_record(text, id);

	must(r == 0 || r == -EBADMSG);
	if (r == 0) {
		size_t length = strnlen(id, sizeof(id));

		must(length > 0 && length < sizeof(id));
		for (size_t i = 0; i < length; i++)
			must(isalnum((unsigned char)id[i]));
	}
	free(text);
}

static void
check_host(const struct sts_policy *policy, const char *mx)
{
	char host[DNS_NAME_SIZE + 1];
	size_t length = strnlen(mx, DNS_NAME_SIZE);

	must(length > 0 && length < DNS_NAME_SIZE);
	must(fuzz_is_printable(mx, length) && strchr(mx, ' ') == NULL);
	(void)snprintf(host, sizeof(host), "%s", mx);
	if (*host == '*')
		*host = 'x';
	must(sts_has_host(policy, host));
	for (char *p = host; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	must(sts_has_host(policy, host));
}

/* Write the policy as a domain publishes it; the caller frees it. */
static char *
write_policy(const struct sts_policy *policy, size_t *ret_length)
{
	static const char *const modes[] = { "none", "testing", "enforce" };
	char *text = NULL;
	FILE *file = open_memstream(&text, ret_length);

	must(file != NULL);
	(void)fprintf(file,
	    "version: STSv1\r\nmode: %s\r\nmax_age: %" PRId64 "\r\n",
	    modes[policy->mode], policy->max_age_sec);
	for (size_t i = 0; i < policy->mx_count; i++)
		(void)fprintf(file, "mx: %s\r\n", policy->mx[i]);
	/* The policy may have named only invalid hosts. */
	if (policy->mx_count == 0 && policy->mode != STS_NONE)
		(void)fprintf(file, "mx:\r\n");
	must(fclose(file) == 0);
	return text;
}

static void
check_again(const struct sts_policy *policy)
{
	static struct sts_policy again;
	size_t length;
	char *text = write_policy(policy, &length);

	must(sts_parse_policy(text, length, &again) == 0);
	must(again.mode == policy->mode &&
	    again.max_age_sec == policy->max_age_sec &&
	    again.mx_count == policy->mx_count);
	for (size_t i = 0; i < policy->mx_count; i++)
		must(strcmp(again.mx[i], policy->mx[i]) == 0);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sts_policy policy;
	char *text = fuzz_copy(data, size);
	int r = sts_parse_policy(text, size, &policy);

	must(r == 0 || r == -EBADMSG);
	if (r == 0) {
		must(policy.mode >= STS_NONE && policy.mode <= STS_ENFORCE);
		must(policy.max_age_sec >= 0 &&
		    policy.max_age_sec <= STS_AGE_MAX_SEC);
		must(policy.mx_count <= STS_MX_MAX);
		for (size_t i = 0; i < policy.mx_count; i++)
			check_host(&policy, policy.mx[i]);
		must(!sts_has_host(&policy, ""));
		check_again(&policy);
	}
	free(text);
	check_record(data, size);
	return 0;
}
