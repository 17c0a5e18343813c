/* SPDX-License-Identifier: ISC */

/*
 * channel.c - jobs from the run to a worker, and reports back.
 */

#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "smtp-deliver/worker/channel.h"

#define TRY_AGAIN_MS 10

/* Room for a descriptor that is sent with a packet. */
union control {
	struct cmsghdr header;
	char octets[CMSG_SPACE(sizeof(int))];
};

/* Open the message again, for reading only: the lock that is its claim belongs
 * to the run's descriptor. Without /proc the worker gets that one. */
static int
open_to_read(int fd)
{
	char path[sizeof("/proc/self/fd/2147483647")];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void
attach(struct msghdr *packet, union control *control, int fd)
{
	memset(control, 0, sizeof(*control));
	packet->msg_control = control->octets;
	packet->msg_controllen = sizeof(control->octets);
	control->header = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	};
	memcpy(CMSG_DATA(&control->header), &fd, sizeof(fd));
}

/* Wait until a call that failed is worth another try; a little, if the kernel
 * lacks something just now. Returns false if it never will be. */
static bool
wait_to_retry(int error)
{
	switch (error) {
	case EINTR:
		return true;
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		(void)poll(NULL, 0, TRY_AGAIN_MS);
		return true;
	default:
		return false;
	}
}

int
channel_send_job(int socket_fd, const struct job *job)
{
	int fd = job->message->fd, read_fd = open_to_read(fd);
	struct iovec recipients = {
		.iov_base = job->recipients,
		.iov_len = job->recipient_count * sizeof(*job->recipients),
	};
	struct msghdr packet = { .msg_iov = &recipients, .msg_iovlen = 1 };
	union control control;
	ssize_t n;
	int r = 0;

	attach(&packet, &control, read_fd >= 0 ? read_fd : fd);
	do
		n = sendmsg(socket_fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n == -1 && errno != EAGAIN && wait_to_retry(errno));
	if (n == -1)
		r = -errno;
	if (read_fd >= 0)
		close(read_fd);
	return r;
}

/* Return the descriptor that came with a packet, or -EPROTO. */
static int
attached(struct msghdr *packet)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(packet);
	int fd;

	if (header == NULL || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* Make a job of the message and of the recipients that came with it. */
static int
fill_job(const struct message *message, const size_t *recipients, size_t count,
    struct job *ret_job)
{
	int r;

	for (size_t i = 0; i < count; i++)
		if (recipients[i] >= message->envelope.recipient_count)
			return -EBADMSG;
	if ((r = job_init(ret_job, message, count)) < 0)
		return r;
	memcpy(ret_job->recipients, recipients, count * sizeof(*recipients));
	return 0;
}

/* The descriptor becomes the message's, or is closed. */
static int
open_job(int fd, const size_t *recipients, size_t count,
    struct message *ret_message, struct job *ret_job)
{
	int r;

	if ((r = message_open(fd, ret_message)) < 0) {
		close(fd);
		return r;
	}
	if ((r = fill_job(ret_message, recipients, count, ret_job)) < 0)
		message_close(ret_message);
	return r;
}

int
channel_receive_job(int socket_fd, struct message *ret_message,
    struct job *ret_job)
{
	size_t recipients[ENVELOPE_RECIPIENTS_MAX];
	struct iovec octets = { recipients, sizeof(recipients) };
	union control control;
	struct msghdr packet = {
		.msg_iov = &octets,
		.msg_iovlen = 1,
		.msg_control = control.octets,
		.msg_controllen = sizeof(control.octets),
	};
	ssize_t n;
	int fd, r;

	do
		n = recvmsg(socket_fd, &packet, MSG_CMSG_CLOEXEC);
	while (n == -1 && wait_to_retry(errno));
	if (n <= 0)
		return n == 0 ? 0 : -errno;
	if ((fd = attached(&packet)) < 0)
		return fd;
	r = open_job(fd, recipients, (size_t)n / sizeof(*recipients),
	    ret_message, ret_job);
	return r < 0 ? r : 1;
}

int
channel_send_report(int socket_fd, const struct report *report)
{
	ssize_t n;

	do
		n = send(socket_fd, report, sizeof(*report), MSG_NOSIGNAL);
	while (n == -1 && wait_to_retry(errno));
	if (n == -1)
		return -errno;
	return n == sizeof(*report) ? 0 : -EIO;
}

int
channel_send_go(int socket_fd)
{
	ssize_t n;

	do
		n = send(socket_fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n == -1 && errno != EAGAIN && wait_to_retry(errno));
	return n == -1 ? -errno : 0;
}

int
channel_wait_go(int socket_fd)
{
	char octet;
	ssize_t n;

	do
		n = recv(socket_fd, &octet, 1, 0);
	while (n == -1 && wait_to_retry(errno));
	if (n == -1)
		return -errno;
	return n == 1 ? 0 : -EPIPE;
}

void
channel_stop(int socket_fd)
{
	(void)shutdown(socket_fd, SHUT_WR);
}

bool
channel_is_stopped(int socket_fd)
{
	char octet;
	ssize_t n;

	do
		n = recv(socket_fd, &octet, 1, MSG_DONTWAIT | MSG_PEEK);
	while (n == -1 && errno == EINTR);
	/* There is nothing to receive from a run that waits. */
	return n != -1 || errno != EAGAIN;
}

int
channel_receive_report(int socket_fd, struct report *ret_report)
{
	ssize_t n =
	    recv(socket_fd, ret_report, sizeof(*ret_report), MSG_DONTWAIT);

	if (n == -1 &&
	    (errno == EAGAIN || errno == EINTR || errno == ENOMEM ||
		errno == ENOBUFS))
		return 0;
	if (n <= 0)
		return n == 0 ? -EPIPE : -errno;
	return n == sizeof(*ret_report) ? 1 : -EBADMSG;
}
