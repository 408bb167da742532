/// The whole program as one function, so that a program with components of its own keeps every verb.
#pragma once

namespace plumb {

/// Runs the verb that the arguments name and returns the exit status: 0 done, 1 something failed, 2 the
/// description, the arguments or a file are wrong, 130 interrupted and saved. Prints results to standard
/// output, and errors to standard error, one line each.
///
///   int main(int argc, char** argv) {
///     plumb::models().add<MyOptions>("my_net", "what it is", make_my_net);
///     return plumb::command_line(argc, argv);
///   }
int command_line(int argc, char** argv);

}  // namespace plumb
