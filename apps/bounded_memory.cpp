// OpenBLAS asks the system for its working memory until it gets it: under a limit (`ulimit -v`) for ever, in
// some versions before main. It does so through mmap, which is found here before the C library's.
#if defined(__linux__) && defined(__LP64__) && !defined(__SANITIZE_ADDRESS__)

#include <cerrno>
#include <cstdio>
#include <ctime>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

/// What a thread asked for in vain, again and again.
struct VainRequests {
  size_t bytes = 0;
  int count = 0;
  time_t since = 0;
};

constinit thread_local VainRequests vain;

time_t seconds_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

/// Another thread may give memory back, so some patience is in order.
void give_up_after_a_while(size_t bytes) {
  constexpr int tries = 100;
  constexpr time_t patience = 3;  // seconds
  if (vain.count == 0 || vain.bytes != bytes) vain = {bytes, 0, seconds_now()};
  if (++vain.count < tries || seconds_now() - vain.since < patience) return;
  char message[200];
  const int length = std::snprintf(message, sizeof message,
                                   "plumb: out of memory: the system does not give %zu MB of address space "
                                   "to matrix products; is there a limit (ulimit -v)?\n",
                                   bytes / 1000000);
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, message, static_cast<size_t>(length));
  ::_exit(1);
}

}  // namespace

extern "C" void* mmap(void* address, size_t bytes, int protection, int flags, int file,
                      off_t offset) noexcept {
  const long result = ::syscall(SYS_mmap, address, bytes, protection, flags, file, offset);
  if (result != -1) {
    vain.count = 0;
  } else if (errno == ENOMEM) {
    give_up_after_a_while(bytes);
    errno = ENOMEM;
  }
  return reinterpret_cast<void*>(result);
}

#endif
