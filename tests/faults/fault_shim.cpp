// Loaded into a program by LD_PRELOAD: makes its system calls on files fail, fall short, wait or be the last
// ones, and makes a process misbehave at its start. Used by tests and by scripts/campaign; told by the
// environment:
//
//   FAULT_VERB    the process's first argument must be this ("train", "run"); without it, every process is
//   meant FAULT_BELOW   only calls on paths that contain this text; of FAULT_START, processes with such an
//   argument FAULT_CALL    open close read write fsync ftruncate rename mkdir unlink flock, or any of them:
//   "any" FAULT_AT      the number of the call that is hit, counted from 1; "odd": the first, third, ...;
//   without it,
//                 none is, and FAULT_LOG gets a line for each
//   FAULT_ACTION  what happens to it: the number of an error; KILL; SHORT (half is written, the next write
//   fails
//                 for want of space); WAIT (until the file FAULT_UNTIL exists, for at most half a minute)
//   FAULT_STICKY  set: all calls of the kind after it are hit, too
//   FAULT_LOG     a file that is told of what was hit
//   FAULT_ALARM   microseconds between signals that interrupt whatever the process waits in
//   FAULT_START   what processes do instead of working, "WORD@TEXT WORD@TEXT ...": those with an argument
//   that
//                 contains TEXT do WORD: exit (with status 7), abort, kill (themselves, signal 9), close
//                 (their pipe, and exit a second later), mute (the same, half a minute later), half (say half
//                 a line of progress, and exit), garbage (say what is no progress, and exit), chatter (say
//                 much, for a second, and exit)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace {

struct Plan {
  bool active = false;
  const char *below = nullptr, *call = nullptr, *at = nullptr, *action = nullptr, *log = nullptr;
};

Plan plan;
long counted = 0;
int full = -1;  // the descriptor of a file that found no more space

// The real calls, past our own functions.
int raw_open(const char* path, int flags) {
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, 0644));
}
void raw_close(int descriptor) { ::syscall(SYS_close, descriptor); }

void note(const char* word, const char* call, const char* path) {
  if (plan.log == nullptr) return;
  char line[4300];
  const int length = std::snprintf(line, sizeof line, "%s %ld %s %s\n", word, counted, call, path);
  const int log = raw_open(plan.log, O_WRONLY | O_CREAT | O_APPEND);
  ::syscall(SYS_write, log, line, length);
  raw_close(log);
}

bool is_hit() {
  if (plan.at == nullptr) return false;
  if (std::strcmp(plan.at, "odd") == 0) return counted % 2 == 1;
  const long at = std::atol(plan.at);
  return counted == at || (counted > at && std::getenv("FAULT_STICKY") != nullptr);
}

void wait_for_file(const char* path) {
  for (int i = 0; path != nullptr && i < 3000 && ::syscall(SYS_access, path, F_OK) != 0; ++i) ::usleep(10000);
}

enum class Fate { as_usual, fails, falls_short };

Fate fate_of(const char* call, const char* path) {
  if (!plan.active || plan.call == nullptr || path == nullptr) return Fate::as_usual;
  if (std::strcmp(plan.call, "any") != 0 && std::strcmp(plan.call, call) != 0) return Fate::as_usual;
  if (plan.below != nullptr && std::strstr(path, plan.below) == nullptr) return Fate::as_usual;
  ++counted;
  if (plan.at == nullptr) note("call", call, path);
  if (!is_hit()) return Fate::as_usual;
  note("hit", call, path);
  if (std::strcmp(plan.action, "KILL") == 0) ::kill(::getpid(), SIGKILL);
  if (std::strcmp(plan.action, "WAIT") == 0) wait_for_file(std::getenv("FAULT_UNTIL"));
  if (std::strcmp(plan.action, "SHORT") == 0) return Fate::falls_short;
  const int error = std::atoi(plan.action);
  if (error == 0) return Fate::as_usual;
  errno = error;
  return Fate::fails;
}

Fate fate_of(const char* call, int descriptor) {
  if (!plan.active || plan.call == nullptr) return Fate::as_usual;
  char link[64], path[4200];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const long length = ::syscall(SYS_readlink, link, path, sizeof path - 1);
  if (length < 0) return Fate::as_usual;
  path[length] = '\0';
  return fate_of(call, path);
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

void misbehave(const char* how) {
  constexpr int pipe = 3;
  const auto say = [](const char* text) { ::syscall(SYS_write, pipe, text, std::strlen(text)); };
  const auto is = [&](const char* word) { return std::strcmp(how, word) == 0; };
  if (is("abort")) {
    std::fputs("the last words\n", stderr);
    std::fflush(stderr);
    std::abort();
  }
  if (is("kill")) ::kill(::getpid(), SIGKILL);
  if (is("close") || is("mute")) {
    raw_close(pipe);
    ::sleep(is("mute") ? 30 : 1);
  }
  if (is("half")) say("{\"step\": 3, \"epo");
  if (is("garbage"))
    say("\xff\xfe\n[1,2\n{\"step\": \"many\"}\n{\"error\": 5}\n{\"error\": null}\nnull\n{\"step\": "
        "1e999}\n\n");
  if (is("chatter"))
    for (int i = 0; i < 1000; ++i) {
      for (int line = 0; line < 20; ++line) say("0123456789012345678901234567890123456789");
      ::usleep(1000);
    }
  ::_exit(7);
}

/// The arguments of this process, each followed by a zero byte.
struct Arguments {
  char bytes[1 << 16];
  long length = 0;

  Arguments() {
    const int file = raw_open("/proc/self/cmdline", O_RDONLY);
    length = ::syscall(SYS_read, file, bytes, sizeof bytes - 1);
    raw_close(file);
    bytes[length > 0 ? length : 0] = '\0';
  }
  const char* verb() const {
    const char* first = bytes + std::strlen(bytes) + 1;
    return first < bytes + length ? first : "";
  }
  bool contain(const char* text) const {
    for (const char* word = bytes; word < bytes + length; word += std::strlen(word) + 1)
      if (std::strstr(word, text) != nullptr) return true;
    return false;
  }
};

void misbehave_if_told(const Arguments& arguments) {
  const char* told = std::getenv("FAULT_START");
  char copy[1000] = "";
  if (told != nullptr) std::snprintf(copy, sizeof copy, "%s", told);
  for (char* word = std::strtok(copy, " "); word != nullptr; word = std::strtok(nullptr, " ")) {
    char* at = std::strchr(word, '@');
    if (at == nullptr) continue;
    *at = '\0';
    if (arguments.contain(at + 1)) misbehave(word);
  }
}

void ignore_alarm(int) {}

__attribute__((constructor)) void read_plan() {
  plan.below = std::getenv("FAULT_BELOW");
  plan.call = std::getenv("FAULT_CALL");
  plan.at = std::getenv("FAULT_AT");
  plan.action = std::getenv("FAULT_ACTION");
  plan.log = std::getenv("FAULT_LOG");
  static const Arguments arguments;
  const char* verb = std::getenv("FAULT_VERB");
  if (verb != nullptr && std::strcmp(arguments.verb(), verb) != 0) return;
  misbehave_if_told(arguments);
  if (plan.action == nullptr) plan.at = nullptr;
  plan.active = true;
  if (const char* alarm = std::getenv("FAULT_ALARM")) {
    struct sigaction action {};
    action.sa_handler = ignore_alarm;  // and without SA_RESTART
    ::sigaction(SIGALRM, &action, nullptr);
    const itimerval often{{0, std::atol(alarm)}, {0, std::atol(alarm)}};
    ::setitimer(ITIMER_REAL, &often, nullptr);
  }
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  static const auto real = next<int(const char*, int, ...)>("open");
  return fate_of("open", path) == Fate::fails ? -1 : real(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  static const auto real = next<int(const char*, int, ...)>("open64");
  return fate_of("open", path) == Fate::fails ? -1 : real(path, flags, mode);
}

FILE* fopen(const char* path, const char* mode) {
  static const auto real = next<FILE*(const char*, const char*)>("fopen");
  return fate_of("open", path) == Fate::fails ? nullptr : real(path, mode);
}

FILE* fopen64(const char* path, const char* mode) {
  static const auto real = next<FILE*(const char*, const char*)>("fopen64");
  return fate_of("open", path) == Fate::fails ? nullptr : real(path, mode);
}

int close(int descriptor) {
  static const auto real = next<int(int)>("close");
  if (descriptor == full) full = -1;
  const bool fails = fate_of("close", descriptor) == Fate::fails;
  const int error = errno;
  const int result = real(descriptor);  // the descriptor is gone in any case
  if (!fails) return result;
  errno = error;
  return -1;
}

ssize_t read(int descriptor, void* bytes, size_t count) {
  static const auto real = next<ssize_t(int, void*, size_t)>("read");
  return fate_of("read", descriptor) == Fate::fails ? -1 : real(descriptor, bytes, count);
}

ssize_t write(int descriptor, const void* bytes, size_t count) {
  static const auto real = next<ssize_t(int, const void*, size_t)>("write");
  if (descriptor == full) {
    errno = ENOSPC;
    return -1;
  }
  const Fate fate = fate_of("write", descriptor);
  if (fate == Fate::fails) return -1;
  if (fate == Fate::as_usual) return real(descriptor, bytes, count);
  full = descriptor;
  return real(descriptor, bytes, count / 2);
}

int fsync(int descriptor) {
  static const auto real = next<int(int)>("fsync");
  return fate_of("fsync", descriptor) == Fate::fails ? -1 : real(descriptor);
}

int ftruncate(int descriptor, off_t length) {
  static const auto real = next<int(int, off_t)>("ftruncate");
  return fate_of("ftruncate", descriptor) == Fate::fails ? -1 : real(descriptor, length);
}

int flock(int descriptor, int operation) {
  static const auto real = next<int(int, int)>("flock");
  return fate_of("flock", descriptor) == Fate::fails ? -1 : real(descriptor, operation);
}

int rename(const char* from, const char* to) {
  static const auto real = next<int(const char*, const char*)>("rename");
  return fate_of("rename", to) == Fate::fails ? -1 : real(from, to);
}

int mkdir(const char* path, mode_t mode) {
  static const auto real = next<int(const char*, mode_t)>("mkdir");
  return fate_of("mkdir", path) == Fate::fails ? -1 : real(path, mode);
}

int unlink(const char* path) {
  static const auto real = next<int(const char*)>("unlink");
  return fate_of("unlink", path) == Fate::fails ? -1 : real(path);
}

int remove(const char* path) {
  static const auto real = next<int(const char*)>("remove");
  return fate_of("unlink", path) == Fate::fails ? -1 : real(path);
}

}  // extern "C"
