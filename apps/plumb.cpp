#include "plumb/command_line/command_line.hpp"

int main(int argc, char** argv) { return plumb::command_line(argc, argv); }
