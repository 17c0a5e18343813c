/* SPDX-License-Identifier: ISC */

#ifndef SETTINGS_H
#define SETTINGS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#define SETTINGS_HOSTNAME_SIZE 256
#define SETTINGS_ERROR_SIZE 256
#define SETTINGS_WORKERS_MAX 1000
#define SETTINGS_SESSIONS_MAX 10000
#define SETTINGS_DKIM_KEYS_MAX 2 /* one for each algorithm */
#define SETTINGS_DKIM_SIZE 256 /* octets of a selector, a path, a domain */

enum bare_newline {
	BARE_NEWLINE_REJECT,
	BARE_NEWLINE_NORMALIZE,
};

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

/* What the environment says, or the defaults. Strings belong to environ. */
struct settings {
	char hostname[SETTINGS_HOSTNAME_SIZE];
	const char *banner;
	const char *queue_path;
	const char *tls_cert; /* NULL: STARTTLS is not offered */
	const char *tls_key;
	const char *tls_ca_file; /* NULL: the system's trust store */
	size_t dkim_count; /* 0: nothing is signed */
	struct settings_dkim dkim[SETTINGS_DKIM_KEYS_MAX];
	const char *dkim_domain; /* NULL: that of each message's author */
	const char *relayhost; /* next hops for all mail; NULL: MX hosts */
	const char *masquerade; /* other names for senders, or NULL */
	const char *routes; /* a file of rules that come before; NULL: none */
	const char *auth_file; /* credentials for them; NULL: none */
	enum bare_newline bare_newline;
	bool is_debug;
	int queue_workers;
	int destination_workers; /* of these, for one destination */
	int connection_messages; /* to a remote host, at the most */
	int remote_port;
	int mx_hosts; /* tried for a message at the most */
	enum ip_family ip_family;
	struct sockaddr_in bind_ip4; /* .sin_family 0: any address of ours */
	struct sockaddr_in6 bind_ip6;
	int command_timeout_sec;
	int data_timeout_sec;
	int remote_timeout_sec; /* the longest wait for a remote host */
	int queue_lifetime_days; /* then a message is given up */
	int delay_notice_hours; /* then its sender is told; 0: never */
	int sessions; /* of a listener, at the most */
	int sessions_per_client;
	int idle_timeout_sec; /* so long a listener stays without a session */
};

/*
 * Read the SMTP_ variables of the environment; smtpserver(7) lists them.
 *
 * Returns 0, or -EINVAL with ret_error naming the variable, what it holds and
 * what was expected; ret_settings is then unspecified.
 */
int settings_load(struct settings *ret_settings,
    char ret_error[SETTINGS_ERROR_SIZE]);

#endif
