#include "plumb/command_line/interruption.hpp"

#include <csignal>

namespace plumb {
namespace {

std::atomic<bool> interruption_arrived{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // or a signal handler could not write it

void note_interruption(int) { interruption_arrived = true; }

}  // namespace

const std::atomic<bool>& interruption() {
  static const bool installed = [] {
    struct sigaction action {};
    action.sa_handler = note_interruption;
    // The second Ctrl-C ends the program at once; what was saved last stays. Input and output go on after the
    // first: other people's code does not expect to be interrupted.
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    return true;
  }();
  static_cast<void>(installed);
  return interruption_arrived;
}

void interrupt() { interruption_arrived = true; }

}  // namespace plumb
