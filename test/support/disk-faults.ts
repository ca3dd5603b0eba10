/**
 * A disk that fails when a test says so, for programs started by the test: a library in front of libc's reads and writes (LD_PRELOAD),
 * for the files whose path begins with a given text.
 */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';

const source = String.raw`
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* The error for this kind of call on this file; 0 for none. The control file holds the kinds and the error: "rw 5". */
static int fault(int fd, char kind)
{
  const char *control = getenv("FAULT_CONTROL"), *prefix = getenv("FAULT_PREFIX");
  char link[64], name[4096], text[32] = "";
  int file;
  ssize_t length;
  if (!control || !prefix) return 0;
  file = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  length = syscall(SYS_read, file, text, sizeof text - 1);
  syscall(SYS_close, file);
  if (length <= 0 || !strchr(text, kind)) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink(link, name, sizeof name - 1);
  if (length <= 0) return 0;
  name[length] = 0;
  if (strncmp(name, prefix, strlen(prefix)) != 0) return 0;
  return atoi(strchr(text, ' ') + 1);
}

#define FAULTY(type, name, parameters, arguments, kind)                     \
  type name parameters                                                      \
  {                                                                         \
    static type(*next) parameters;                                          \
    int error = fault(fd, kind);                                            \
    if (error) return errno = error, -1;                                    \
    if (!next) next = (type(*) parameters)dlsym(RTLD_NEXT, #name);          \
    return next arguments;                                                  \
  }

FAULTY(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), 'w')
FAULTY(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at), 'w')
FAULTY(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at), 'w')
FAULTY(ssize_t, read, (int fd, void *data, size_t size), (fd, data, size), 'r')
FAULTY(ssize_t, pread, (int fd, void *data, size_t size, off_t at), (fd, data, size, at), 'r')
FAULTY(ssize_t, pread64, (int fd, void *data, size_t size, off64_t at), (fd, data, size, at), 'r')
FAULTY(int, fsync, (int fd), (fd), 's')
FAULTY(int, fdatasync, (int fd), (fd), 's')
`;

/** Errors by their numbers in Linux. */
const numbers = { EIO: 5, ENOSPC: 28, EROFS: 30 } as const;

export interface DiskFaults {
  /** What a program has to be started with. */
  readonly env: Readonly<Record<string, string>>;
  /** From now on `kinds` of calls (read, write, sync) fail so. */
  readonly begin: (error: keyof typeof numbers, kinds?: string) => void;
  readonly end: () => void;
}

/** Faults for files whose path begins with `prefix`; what it needs is written into `folder`. Needs cc(1). */
export function diskFaults(folder: string, prefix: string): DiskFaults {
  const [library, control] = [`${folder}/faults.so`, `${folder}/faults`];
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-x', 'c', '-', '-o', library, '-ldl'], { input: source });
  return {
    env: { LD_PRELOAD: library, FAULT_CONTROL: control, FAULT_PREFIX: prefix },
    begin: (error, kinds = 'ws') => {
      writeFileSync(control, `${kinds} ${numbers[error]}`);
    },
    end: () => {
      rmSync(control, { force: true });
    },
  };
}
