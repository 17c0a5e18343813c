/* SPDX-License-Identifier: ISC */

/*
 * author.c - From fields: the domain that is found in a field is valid, and is
 * found again in a plain address of that domain.
 */

#include "config.h"

#include <errno.h>

#include "smtp-deliver/content/author.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char domain[ADDRESS_DOMAIN_MAX + 1], again[ADDRESS_DOMAIN_MAX + 1];
	char address[ADDRESS_DOMAIN_MAX + 8];
	char *body = fuzz_text(data, size);
	int r = author_find_domain(body, domain);

	must(r == 0 || r == -EBADMSG);
	if (r == 0) {
		must(strnlen(domain, sizeof(domain)) < sizeof(domain));
		must(is_domain(domain, true) && *domain != '[');
		(void)snprintf(address, sizeof(address), "A <a@%s>", domain);
		must(author_find_domain(address, again) == 0);
		must(strcmp(again, domain) == 0);
	}
	free(body);
	return 0;
}
