/* A data source that costs as little as one can: a directory, STORE, with a file for each item.
 *
 * Where NOTES names a file, each write that took effect is noted there: operation, key, and the time (CLOCK_MONOTONIC, in
 * nanoseconds). */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum end { DONE = 0, UNREACHABLE = 1, MISSING = 2, BROKEN = 70 };

/* One run at a time: nobody else writes it. */
static const char NEW[] = ".new";

static int copy(int from, int to)
{
    static char buffer[1 << 16];
    ssize_t count;

    while ((count = read(from, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, more; done < count; done += more)
            if ((more = write(to, buffer + done, (size_t)(count - done))) < 0)
                return -1;
    return (int)count;
}

static enum end failed(void)
{
    enum end end = errno == ENOENT ? MISSING : BROKEN;

    perror("source");
    return end;
}

static enum end put(const char *key)
{
    int file = open(NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (file < 0 || copy(0, file) < 0 || close(file) < 0 || rename(NEW, key) < 0)
        return failed();
    return DONE;
}

static enum end get(const char *key)
{
    int file = open(key, O_RDONLY | O_CLOEXEC);

    return file < 0 || copy(file, 1) < 0 ? failed() : DONE;
}

static enum end list(void)
{
    DIR *items = opendir(".");
    struct dirent *item;

    if (items == NULL)
        return failed();
    while ((item = readdir(items)) != NULL)
        if (item->d_name[0] != '.')
            puts(item->d_name);
    return fflush(stdout) == 0 ? DONE : BROKEN;
}

static void note(const char *operation, const char *key)
{
    const char *path = getenv("NOTES");
    struct timespec now;
    int notes;

    if (path == NULL || (notes = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    dprintf(notes, "%s %s %lld\n", operation, key, now.tv_sec * 1000000000LL + now.tv_nsec);
}

static enum end create(void)
{
    const char *key = getenv("RETCON_OPERATION_ID");
    enum end end = key == NULL ? BROKEN : put(key);

    if (end == DONE) {
        dprintf(1, "%s\n", key);
        note("create", key);
    }
    return end;
}

static enum end change(const char *operation, const char *key)
{
    enum end end;

    if (strcmp(operation, "delete") == 0)
        end = unlink(key) == 0 ? DONE : failed();
    else
        end = access(key, F_OK) == 0 ? put(key) : failed();
    if (end == DONE)
        note(operation, key);
    return end;
}

int main(int argc, char **argv)
{
    const char *store = getenv("STORE"), *operation = argc > 1 ? argv[1] : "", *key = argc > 2 ? argv[2] : NULL;

    if (store == NULL || chdir(store) < 0) {
        perror("STORE");
        return UNREACHABLE;
    }
    if (strcmp(operation, "list") == 0)
        return list();
    if (strcmp(operation, "create") == 0)
        return create();
    if (key == NULL)
        return BROKEN;
    if (strcmp(operation, "read") == 0)
        return get(key);
    if (strcmp(operation, "update") == 0 || strcmp(operation, "delete") == 0)
        return change(operation, key);
    return BROKEN;
}
