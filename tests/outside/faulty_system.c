/* Preloaded: one call of the system fails, with one number, for the files whose path has a word in it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(const char *call, const char *path) {
  const char *faulty = getenv("FAULTY_CALL"), *word = getenv("FAULTY_PATH"), *number = getenv("FAULTY_ERRNO");
  if (!faulty || !word || !number || strcmp(faulty, call) || !path || !strstr(path, word)) return 0;
  errno = atoi(number);
  return 1;
}

static int fails_at(const char *call, int file) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return fails(call, path);
}

#define REAL(result, name, ...) ((result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

#define OPENS(name)                                                          \
  int name(const char *path, int flags, ...) {                               \
    va_list more;                                                            \
    va_start(more, flags);                                                   \
    mode_t mode = va_arg(more, mode_t);                                      \
    va_end(more);                                                            \
    if (fails("open", path)) return -1;                                      \
    return REAL(int, #name, const char *, int, mode_t)(path, flags, mode);   \
  }
OPENS(open)
OPENS(open64)

ssize_t read(int file, void *buffer, size_t size) {
  if (fails_at("read", file)) return -1;
  return REAL(ssize_t, "read", int, void *, size_t)(file, buffer, size);
}

#define PREADS(name)                                                                        \
  ssize_t name(int file, void *buffer, size_t size, off_t place) {                          \
    if (fails_at("read", file)) return -1;                                                  \
    return REAL(ssize_t, #name, int, void *, size_t, off_t)(file, buffer, size, place);     \
  }
PREADS(pread)
PREADS(pread64)

#define STATS(name, type)                                                    \
  int name(const char *path, struct type *found) {                           \
    if (fails("stat", path)) return -1;                                      \
    return REAL(int, #name, const char *, struct type *)(path, found);       \
  }
STATS(stat, stat)
STATS(stat64, stat64)

/* As on a network file system without a lock daemon. */
int flock(int file, int operation) {
  if (fails_at("flock", file)) return -1;
  return REAL(int, "flock", int, int)(file, operation);
}
