/*
 * Kills a program at the n-th of its calls that write: strike N REPORT PROGRAM [ARGUMENT...]
 * The program is this process itself, so its number is the one that was started; a child of it traces it. Calls of all its
 * threads count together, those of the programs that it starts do not. It is killed before the call is carried out.
 * REPORT gets a line: `struck CALL TARGET: DATA`, or `untouched COUNT` when the program ended by itself.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct { long number; const char *name; } calls[] = {
    {SYS_write, "write"},   {SYS_writev, "writev"},     {SYS_pwrite64, "pwrite64"}, {SYS_pwritev, "pwritev"},
    {SYS_sendto, "sendto"}, {SYS_sendmsg, "sendmsg"},   {SYS_sendmmsg, "sendmmsg"}, {SYS_fsync, "fsync"},
    {SYS_fdatasync, "fdatasync"},
};

static const char *report;

static void fail(const char *what)
{
    fprintf(stderr, "strike: cannot %s: %s\n", what, strerror(errno));
    _exit(125);
}

static const char *name_of(long number)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].number == number)
            return calls[i].name;
    return NULL;
}

/* Copies from the memory of the traced program; gives how much there was. */
static ssize_t peek(pid_t pid, uint64_t from, void *to, size_t size)
{
    struct iovec local = {to, size}, remote = {(void *)(unsigned long)from, size};
    ssize_t count = process_vm_readv(pid, &local, 1, &remote, 1, 0);
    return count < 0 ? 0 : count;
}

/* Says what would have been written, and where. */
static void describe(pid_t pid, const struct __ptrace_syscall_info *info)
{
    const uint64_t *arguments = info->entry.args;
    const char *name = name_of((long)info->entry.nr);
    char link[64], target[256], data[97] = "";
    struct iovec part = {NULL, 0};
    snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, (int)arguments[0]);
    ssize_t length = readlink(link, target, sizeof target - 1);
    target[length < 0 ? 0 : length] = 0;
    if (strcmp(name, "write") == 0 || strcmp(name, "pwrite64") == 0 || strcmp(name, "sendto") == 0) {
        part = (struct iovec){(void *)(unsigned long)arguments[1], (size_t)arguments[2]};
    } else if (strcmp(name, "writev") == 0 || strcmp(name, "pwritev") == 0) {
        peek(pid, arguments[1], &part, sizeof part);
    } else if (strcmp(name, "sendmsg") == 0) {
        struct msghdr message = {0};
        peek(pid, arguments[1], &message, sizeof message);
        peek(pid, (unsigned long)message.msg_iov, &part, sizeof part);
    }
    size_t wanted = part.iov_len < sizeof data - 1 ? part.iov_len : sizeof data - 1;
    ssize_t count = peek(pid, (unsigned long)part.iov_base, data, wanted);
    ssize_t shown = 0;
    for (ssize_t i = 0; i < count; i++)
        if (isprint((unsigned char)data[i]))
            data[shown++] = data[i];
        else if (shown == 0 || data[shown - 1] != ' ')
            data[shown++] = ' ';
    data[shown] = 0;
    FILE *file = fopen(report, "w");
    if (!file || fprintf(file, "struck %s %s: %s\n", name, target, data) < 0 || fclose(file) != 0)
        fail("write the report");
}

/* Follows the program's threads to its end. */
static void trace(pid_t program, long strike_at)
{
    long count = 0;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        long deliver = 0;
        if (!WIFSTOPPED(status)) {
            if (pid == program)
                break;
            continue;
        }
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            struct __ptrace_syscall_info info;
            if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY
                && name_of((long)info.entry.nr) && ++count == strike_at) {
                describe(pid, &info);
                kill(program, SIGKILL);
            }
        } else if (status >> 16 == 0) {
            deliver = WSTOPSIG(status);
        }
        ptrace(PTRACE_SYSCALL, pid, 0, deliver);
    }
    if (count < strike_at || strike_at == 0) {
        FILE *file = fopen(report, "w");
        if (!file || fprintf(file, "untouched %ld\n", count) < 0 || fclose(file) != 0)
            fail("write the report");
    }
}

int main(int argc, char **argv)
{
    int ready[2], go[2];
    char byte = 0;
    if (argc < 4 || pipe2(ready, O_CLOEXEC) != 0 || pipe2(go, O_CLOEXEC) != 0)
        fail("begin");
    report = argv[2];
    pid_t program = getpid(), tracer = fork();
    if (tracer < 0)
        fail("fork");
    if (tracer != 0) {
        close(go[1]);
        prctl(PR_SET_PTRACER, tracer, 0, 0, 0);
        if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
            fail("be traced");
        execv(argv[3], argv + 3);
        fail(argv[3]);
    }
    close(go[0]);
    setsid();
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    if (read(ready[0], &byte, 1) != 1 || ptrace(PTRACE_SEIZE, program, 0, options) != 0
        || ptrace(PTRACE_INTERRUPT, program, 0, 0) != 0 || waitpid(program, NULL, __WALL) != program
        || ptrace(PTRACE_SYSCALL, program, 0, 0) != 0 || write(go[1], &byte, 1) != 1)
        fail("trace");
    trace(program, atol(argv[1]));
    return 0;
}
