/* SPDX-License-Identifier: ISC */

#ifndef DELIVERY_H
#define DELIVERY_H

#include <stdbool.h>

#include "smtp-deliver/policy/stsfetch.h"
#include "smtp-deliver/worker/channel.h"
#include "smtp-deliver/worker/job.h"
#include "smtp-deliver/worker/process.h"

/*
 * Delivery to one destination, message by message: its route, what is required
 * of its hosts, and a connection that may serve several messages.
 *
 *	delivery_begin(delivery, job);
 *	while (delivery_connect(delivery))
 *		delivery_send(delivery);
 *	reach = delivery_end(delivery);
 */
struct delivery;

/* The arguments are used as long as the delivery is, as in worker.h. Returns
 * NULL without memory. */
struct delivery *delivery_new(const struct worker_config *config,
    const char *destination, bool is_tls_optional, struct stsfetch *stsfetch);
void delivery_free(struct delivery *delivery); /* NULL is fine */

/* Begin to deliver a message. The job's verdicts are set from now on; it is
 * used until delivery_end(). */
void delivery_begin(struct delivery *delivery, struct job *job);

/*
 * Connect to the next host, or to the next address of one, that may get the
 * message and can take it. The connection that served the message before comes
 * first; then hosts in the order of the route, each with all its addresses.
 * Hosts and addresses that are not used are logged.
 *
 * Returns whether there is a connection: true, and a recipient is open, or
 * false if no other host may be tried now.
 */
bool delivery_connect(struct delivery *delivery);

/* Send the message to the open recipients over that connection, and set their
 * verdicts. Those that are deferred stay open: another host may do better.
 * Returns whether another host may be tried now for any. */
bool delivery_send(struct delivery *delivery);

/* Set the verdicts that are left. Returns how far the message got. */
enum reach delivery_end(struct delivery *delivery);

#endif
