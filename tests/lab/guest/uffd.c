/* LD_PRELOAD for QEMU: asks for user-mode-only userfaultfd, which needs neither root nor
 * vm.unprivileged_userfaultfd=1, so that post-copy works on a machine where it is not allowed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

long syscall(long n, ...)
{
    static long (*real)(long, ...);
    va_list ap;
    long a[6];
    va_start(ap, n);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    if (!real)
        real = dlsym(RTLD_NEXT, "syscall");
    if (n == SYS_userfaultfd)
        a[0] |= 1; /* UFFD_USER_MODE_ONLY */
    return real(n, a[0], a[1], a[2], a[3], a[4], a[5]);
}
