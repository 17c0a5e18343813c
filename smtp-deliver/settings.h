/* SPDX-License-Identifier: ISC */

#ifndef DELIVER_SETTINGS_H
#define DELIVER_SETTINGS_H

#include <netinet/in.h>

#include "lib/settings.h"

#define SETTINGS_WORKERS_MAX 1000
#define SETTINGS_DKIM_KEYS_MAX 2 /* one for each algorithm */
#define SETTINGS_DKIM_SIZE 256 /* octets of a selector, a path, a domain */

/* Addresses of remote hosts: which are used, and which first. */
enum ip_family {
	IP_ANY, /* the system's choice (RFC 6724) first */
	IP_V4,
	IP_V6,
	IP_PREFER_V4,
	IP_PREFER_V6,
};

/* Where the public half of a key is published, and where the private one is. */
struct settings_dkim {
	char selector[SETTINGS_DKIM_SIZE];
	char key_path[SETTINGS_DKIM_SIZE];
};

/* What smtp-deliver takes from the environment. */
struct deliver_settings {
	char hostname[SETTINGS_HOSTNAME_SIZE];
	const char *queue_path;
	const char *queue_key_path; /* NULL: the key is in the spool */
	int free_space_mib;
	const char *tls_ca_file; /* NULL: the system's trust store */
	size_t dkim_count; /* 0: nothing is signed */
	struct settings_dkim dkim[SETTINGS_DKIM_KEYS_MAX];
	const char *dkim_domain; /* NULL: that of each message's author */
	const char *relayhost; /* next hops for all mail; NULL: MX hosts */
	const char *masquerade; /* other names for senders, or NULL */
	const char *routes; /* a file of rules, or NULL; go before relayhost */
	const char *auth_file; /* credentials for relays, or NULL */
	bool is_debug;
	int queue_workers;
	int destination_workers; /* of these, for one destination */
	int destination_recipients; /* in one transaction, at most */
	int connection_messages; /* over one connection, at most */
	int remote_port;
	int mx_hosts; /* tried for a message at most */
	bool is_private_allowed; /* MX hosts may have private addresses */
	enum ip_family ip_family;
	struct sockaddr_in bind_ip4; /* .sin_family 0: any address of ours */
	struct sockaddr_in6 bind_ip6;
	int remote_timeout_sec; /* the longest wait for a remote host */
	int queue_lifetime_days; /* then a message expires */
	int delay_notice_hours; /* then the sender gets a DSN; 0: never */
};

/* Returns 0, or -EINVAL with ret_error naming the variable, its value and what
 * was expected; ret_settings is then unspecified. */
int deliver_settings_load(struct deliver_settings *ret_settings,
    char ret_error[SETTINGS_ERROR_SIZE]);

#endif
