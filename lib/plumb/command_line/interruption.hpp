/// Ctrl-C and its kin: a wish to save and stop.
#pragma once

#include <atomic>

namespace plumb {

/// True once SIGINT or SIGTERM arrived. The first call installs the handlers: what comes before it ends the
/// process, and so does the second signal of a kind.
const std::atomic<bool>& interruption();

/// As if SIGTERM had arrived.
void interrupt();

}  // namespace plumb
