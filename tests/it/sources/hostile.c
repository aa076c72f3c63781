/*
 * A program that does what no data source should: hostile MODE [ARGUMENT]
 * Every process it is made of adds its number to the file named by PIDS, if that is set.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) < 0)
        _exit(71);
}

static void enter(void)
{
    char line[32];
    const char *path = getenv("PIDS");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    snprintf(line, sizeof line, "%d\n", (int)getpid());
    if (fd >= 0) {
        say(fd, line);
        close(fd);
    }
}

static void forever(void)
{
    for (;;)
        pause();
}

static void flood(int fd)
{
    static char block[65536];
    memset(block, 'x', sizeof block);
    while (write(fd, block, sizeof block) > 0)
        ;
}

/* Starts a process that lives on; returns in the one that it was started from, once the other is on record. */
static void leave(int own_session, int hold_pipes)
{
    int ready[2];
    char byte;
    if (pipe(ready) != 0)
        _exit(72);
    if (fork() == 0) {
        if (own_session) {
            setsid();
            if (fork() != 0)
                _exit(0);
        }
        enter();
        if (!hold_pipes) {
            int null = open("/dev/null", O_RDWR);
            for (int fd = 0; fd < 3; fd++)
                dup2(null, fd);
        }
        signal(SIGTERM, SIG_IGN);
        close(ready[0]);
        close(ready[1]);
        forever();
    }
    close(ready[1]);
    while (read(ready[0], &byte, 1) > 0)
        ;
    close(ready[0]);
}

static void list_descriptors(void)
{
    struct dirent *entry;
    DIR *all = opendir("/proc/self/fd");
    while (all && (entry = readdir(all)))
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(all))
            printf("%s\n", entry->d_name);
}

static void list_signals(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "SigBlk", 6) == 0 || strncmp(line, "SigIgn", 6) == 0)
            fputs(line, stdout);
}

/* Prints its answer after the process that was asked has gone. */
static void answer_late(const char *answer)
{
    pid_t leader = getpid();
    if (fork() == 0) {
        enter();
        while (getppid() == leader)
            usleep(1000);
        say(1, answer);
        _exit(0);
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    const char *argument = argc > 2 ? argv[2] : "";
    enter();
    if (strcmp(mode, "hang") == 0) {
        forever();
    } else if (strcmp(mode, "stubborn") == 0) {
        signal(SIGTERM, SIG_IGN);
        say(1, "ready\n");
        forever();
    } else if (strcmp(mode, "stop") == 0) {
        raise(SIGSTOP);
    } else if (strcmp(mode, "close-all-and-hang") == 0) {
        close(0), close(1), close(2);
        forever();
    } else if (strcmp(mode, "close-stdin") == 0) {
        close(0);
        say(1, argument);
    } else if (strcmp(mode, "deaf") == 0) {
        say(1, argument);
    } else if (strcmp(mode, "read-last") == 0) {
        /* Fills its stdout before it reads its stdin. */
        static char block[1 << 20];
        memset(block, 'y', sizeof block);
        block[sizeof block - 1] = 0;
        say(1, block);
        while (read(0, block, sizeof block) > 0)
            ;
        say(1, "z");
    } else if (strcmp(mode, "flood-stdout") == 0) {
        flood(1);
        forever();
    } else if (strcmp(mode, "flood-stderr") == 0) {
        flood(2);
    } else if (strcmp(mode, "talk") == 0) {
        static char block[1024];
        memset(block, 'x', sizeof block - 1);
        for (int i = 0; i < 1024; i++)
            say(2, block);
        say(2, "last words\n");
        say(1, argument);
    } else if (strcmp(mode, "grandchild") == 0) {
        leave(0, 1);
        say(1, argument);
    } else if (strcmp(mode, "grandchild-and-hang") == 0) {
        leave(0, 1);
        forever();
    } else if (strcmp(mode, "session") == 0) {
        leave(1, 1);
        say(1, argument);
    } else if (strcmp(mode, "daemon") == 0) {
        leave(1, 0);
        say(1, argument);
    } else if (strcmp(mode, "late") == 0) {
        answer_late(argument);
    } else if (strcmp(mode, "descriptors") == 0) {
        list_descriptors();
    } else if (strcmp(mode, "signals") == 0) {
        list_signals();
    } else if (strcmp(mode, "crash") == 0) {
        raise(atoi(argument));
    } else {
        return 70;
    }
    return 0;
}
