/* The floor: what a request costs when nothing but the kernel's own work is done for it.
 *
 * One thread, level-triggered epoll, non-blocking sockets. Counts the newlines of each read and answers
 * "+PONG\r\n" for every one of them in a single write; closes when the peer closes.
 *
 * Rule: no cleverness. No first read at accept, no socket options, no deferred accept: whoever beats the floor
 * by a trick should be seen to beat it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096   /* as Answerback listens: a short queue would measure retransmission */
#define EVENTS 256
#define READ_SIZE 65536
#define REPLY "+PONG\r\n"
#define REPLY_SIZE (sizeof(REPLY) - 1)

static char request[READ_SIZE];
static char replies[READ_SIZE * REPLY_SIZE]; /* a read may be all newlines */

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int listen_on_loopback(void) {
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) die("socket");
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one)) die("SO_REUSEADDR");
    if (bind(listener, (struct sockaddr *)&address, sizeof address)) die("bind");
    if (listen(listener, BACKLOG)) die("listen");
    if (getsockname(listener, (struct sockaddr *)&address, &size)) die("getsockname");
    printf("READY %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void watch(int poll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
}

static void accept_all(int poll, int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) watch(poll, fd);
        else if (errno == EAGAIN) return;
        else if (errno != EINTR && errno != ECONNABORTED) die("accept4");
    }
}

static void answer(int fd) {
    ssize_t got = read(fd, request, sizeof request);
    if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        close(fd); /* epoll forgets a closed descriptor by itself */
        return;
    }
    size_t owed = 0;
    for (char *end = request; (end = memchr(end, '\n', request + got - end)) != NULL; end++) owed += REPLY_SIZE;
    /* A reply that does not fit the socket at once is a client that does not read: not this bench's. */
    if (owed && write(fd, replies, owed) != (ssize_t)owed) close(fd);
}

int main(void) {
    struct epoll_event events[EVENTS];
    struct rlimit files;
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    for (size_t at = 0; at < sizeof replies; at += REPLY_SIZE) memcpy(replies + at, REPLY, REPLY_SIZE);
    int listener = listen_on_loopback();
    int poll = epoll_create1(EPOLL_CLOEXEC);
    if (poll < 0) die("epoll_create1");
    watch(poll, listener);
    for (;;) {
        int ready = epoll_wait(poll, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == listener) accept_all(poll, listener);
            else answer(events[i].data.fd);
        }
    }
}
