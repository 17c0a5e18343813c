/* SPDX-License-Identifier: ISC */

/*
 * sandbox.c - the sandboxes of a run, its workers and their processes.
 */

#include "config.h"

#include <string.h>

#include "lib/pathstate.h"
#include "lib/module.h"
#include "lib/sandbox.h"
#include "lib/spool/sandbox.h"
#include "smtp-deliver/policy/https.h"
#include "smtp-deliver/sandbox.h"

#define DNS_PORT 53
#define HTTPS_PORT 443

/* Files that glibc's resolver, its modules, and GnuTLS with the system's trust
 * store read. Not all of /etc, because it contains private keys. Symbolic links
 * are followed. */
static const char *const readable[] = {
	/* libraries, modules, zones, tables */
	"/usr",
	"/lib",
	"/lib64",
	"/etc/ld.so.cache",
	"/etc/localtime",
	/* the resolver */
	"/etc/gai.conf",
	"/etc/host.conf",
	"/etc/hosts",
	"/etc/nsswitch.conf",
	"/etc/protocols",
	"/etc/resolv.conf",
	"/etc/services",
	"/run/NetworkManager",
	"/run/resolvconf",
	"/run/systemd/resolve",
	/* trust anchors and cipher policies */
	"/etc/ca-certificates",
	"/etc/crypto-policies",
	"/etc/gnutls",
	"/etc/pkcs11",
	"/etc/pki",
	"/etc/ssl/cert.pem",
	"/etc/ssl/certs",
	"/var/lib/ca-certificates",
	"/dev/null",
	"/dev/urandom",
};

/* Allow the ports of remote hosts, or of relays. */
static void
allow_remote_ports(struct sandbox *sandbox,
    const struct deliver_settings *settings, const struct sandbox_ports *ports)
{
	for (size_t i = 0; i < ports->count; i++)
		sandbox_allow_port(sandbox,
		    ports->ports[i] != 0 ? ports->ports[i]
					 : (uint16_t)settings->remote_port);
}

static void
allow_network(struct sandbox *sandbox, const struct deliver_settings *settings)
{
	for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
		sandbox_allow_path(sandbox, readable[i],
		    SANDBOX_READ | SANDBOX_LIST);
	if (settings->tls_ca_file != NULL)
		sandbox_allow_path(sandbox, settings->tls_ca_file,
		    SANDBOX_READ);
	if (settings->bind_ip4.sin_family != 0 ||
	    settings->bind_ip6.sin6_family != 0)
		sandbox_allow_bind(sandbox);
	sandbox_allow_port(sandbox, DNS_PORT);
}

/* Allow the module that contains libcurl, and the port that it connects to. */
static void
allow_fetching(struct sandbox *sandbox)
{
	char path[PATH_MAX];

	module_find(HTTPS_MODULE, path);
	sandbox_allow_path(sandbox, path, SANDBOX_READ);
	sandbox_allow_port(sandbox, HTTPS_PORT);
}

int
sandbox_enter_run(struct spool *spool, const struct deliver_settings *settings,
    const struct sandbox_ports *ports, unsigned *ret_missing)
{
	struct sandbox sandbox;
	int r;

	sandbox_begin(&sandbox, SANDBOX_DELIVERY);
	if ((r = sandbox_allow_delivery(spool, &sandbox)) < 0)
		return r;
	allow_network(&sandbox, settings);
	allow_fetching(&sandbox);
	allow_remote_ports(&sandbox, settings, ports);
	*ret_missing = sandbox_enter(&sandbox);
	return 0;
}

uint64_t
sandbox_get_pathstate(const struct deliver_settings *settings)
{
	uint64_t identity = spool_get_folders_pathstate(settings->queue_path);

	for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
		identity = pathstate_add(identity, readable[i]);
	if (settings->tls_ca_file != NULL)
		identity =
		    pathstate_add_contents(identity, settings->tls_ca_file);
	if (settings->routes != NULL)
		identity = pathstate_add_contents(identity, settings->routes);
	/* A credential does not change while its service runs. */
	for (size_t i = 0; i < settings->dkim_count; i++)
		if (strchr(settings->dkim[i].key_path, '/') != NULL)
			identity = pathstate_add_contents(identity,
			    settings->dkim[i].key_path);
	if (settings->auth_file != NULL &&
	    strchr(settings->auth_file, '/') != NULL)
		identity =
		    pathstate_add_contents(identity, settings->auth_file);
	return identity;
}

void
sandbox_enter_worker(const struct deliver_settings *settings,
    const struct sandbox_ports *ports)
{
	struct sandbox sandbox;

	sandbox_begin(&sandbox, SANDBOX_WORKER);
	allow_network(&sandbox, settings);
	allow_remote_ports(&sandbox, settings, ports);
	(void)sandbox_enter(&sandbox);
}

void
sandbox_enter_stsfetch(const struct deliver_settings *settings, int policies_fd)
{
	struct sandbox sandbox;

	sandbox_begin(&sandbox, SANDBOX_STSFETCH);
	allow_network(&sandbox, settings);
	allow_fetching(&sandbox);
	if (policies_fd >= 0)
		sandbox_allow(&sandbox, policies_fd,
		    SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE |
			SANDBOX_REMOVE);
	(void)sandbox_enter(&sandbox);
}
