/*
 * A data source by docs/data-sources.md alone: a directory, one file an item. plain DIRECTORY OPERATION [KEY]
 * A file `refuse` in the directory has it refuse every change, a file `rekey` has it change the key at every update, and a
 * file `remember` has it make one item only of creates with the same RETCON_OPERATION_ID.
 * Its stderr says what it does.
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *directory, *operation;

static void end(int status, const char *message, const char *key)
{
    fprintf(stderr, "plain.c: %s%s\n", message, key);
    exit(status);
}

static const char *path(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    int used = snprintf(buffer, size, "%s/", directory);
    va_start(arguments, format);
    vsnprintf(buffer + used, size - used, format, arguments);
    va_end(arguments);
    return buffer;
}

static int exists(const char *name)
{
    char buffer[4096];
    return access(path(buffer, sizeof buffer, "%s", name), F_OK) == 0;
}

static void copy(FILE *from, FILE *to)
{
    char buffer[65536];
    size_t n;
    while ((n = fread(buffer, 1, sizeof buffer, from)) > 0)
        if (fwrite(buffer, 1, n, to) != n)
            end(70, "cannot write", "");
}

/* Gives the number in a file; 0 if there is no such file. */
static int load(const char *name)
{
    char buffer[4096];
    int number = 0;
    FILE *file = fopen(path(buffer, sizeof buffer, "%s", name), "r");
    if (file) {
        if (fscanf(file, "%d", &number) != 1)
            end(70, "cannot read ", buffer);
        fclose(file);
    }
    return number;
}

static void save(const char *name, int number)
{
    char buffer[4096], fresh[4096];
    FILE *file = fopen(path(fresh, sizeof fresh, "%s.new", name), "w");
    path(buffer, sizeof buffer, "%s", name);
    if (!file || fprintf(file, "%d", number) < 0 || fclose(file) != 0 || rename(fresh, buffer) != 0)
        end(70, "cannot write ", buffer);
}

static int new_key(void)
{
    int next = load("next");
    int number = next ? next : 1;
    save("next", number + 1);
    return number;
}

/* The key of what this operation creates, or has created. */
static int key_of_create(void)
{
    char name[128];
    int number;
    if (!exists("remember"))
        return new_key();
    snprintf(name, sizeof name, "created-%s", getenv("RETCON_OPERATION_ID"));
    number = load(name);
    if (!number)
        save(name, number = new_key());
    return number;
}

static void refusing(void)
{
    if (exists("refuse"))
        end(3, operation, " refused");
}

static void store(const char *item)
{
    char fresh[8192];
    FILE *file;
    snprintf(fresh, sizeof fresh, "%s.new", item);
    file = fopen(fresh, "w+");
    if (!file)
        end(70, "cannot open ", fresh);
    copy(stdin, file);
    /* Whoever died in the middle of a document did not want it stored. */
    if (fseek(file, -1, SEEK_END) != 0 || fgetc(file) != '\n')
        end(3, "no whole document", "");
    if (fclose(file) != 0 || rename(fresh, item) != 0)
        end(70, "cannot store ", item);
}

static void list(void)
{
    char buffer[4096];
    struct dirent *entry;
    DIR *items = opendir(path(buffer, sizeof buffer, "items"));
    while (items && (entry = readdir(items))) {
        size_t length = strlen(entry->d_name);
        if (length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0)
            printf("%.*s\n", (int)(length - 5), entry->d_name);
    }
}

int main(int argc, char **argv)
{
    char item[4096], moved[4096];
    const char *key = argc > 3 ? argv[3] : "";
    directory = argv[1];
    operation = argv[2];
    if (!exists("items"))
        end(1, "nobody at home", "");
    path(item, sizeof item, "items/%s.json", key);
    if (argc > 3 && access(item, F_OK) != 0)
        end(2, "no item ", key);
    fprintf(stderr, "plain.c: %s\n", operation);
    if (strcmp(operation, "create") == 0) {
        refusing();
        int number = key_of_create();
        store(path(item, sizeof item, "items/c-%d.json", number));
        printf("c-%d\n", number);
    } else if (strcmp(operation, "read") == 0) {
        FILE *file = fopen(item, "r");
        if (!file)
            end(70, "cannot open ", item);
        copy(file, stdout);
    } else if (strcmp(operation, "update") == 0) {
        refusing();
        store(item);
        if (exists("rekey")) {
            int number = new_key();
            if (rename(item, path(moved, sizeof moved, "items/c-%d.json", number)) != 0)
                end(70, "cannot move ", item);
            printf("c-%d\n", number);
        }
    } else if (strcmp(operation, "delete") == 0) {
        refusing();
        if (unlink(item) != 0)
            end(70, "cannot delete ", item);
    } else if (strcmp(operation, "list") == 0) {
        list();
    }
    return fflush(stdout) == 0 ? 0 : 70;
}
