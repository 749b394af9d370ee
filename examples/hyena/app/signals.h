// SIGINT, SIGTERM, SIGHUP and SIGXCPU end a run in order, SIGUSR1 asks for a checkpoint, SIGPIPE is
// ignored.
#pragma once

#include <string>

namespace crocuta::hyena {

// Catches them from now on, SIGHUP unless it is ignored (nohup). The first is only noted; a second
// SIGINT or SIGTERM ends the process at once with 128 + its number. The other two come again by
// themselves, from the terminal's end and every second of time over the limit, and mean no haste.
void catch_signals();

// The number of the first signal that asked for the end, else 0.
int stop_signal();
// Whether SIGUSR1 has arrived since the last call.
bool take_save_request();
// "SIGTERM"
std::string signal_name(int signal);

// Whether the terminal's last line is unfinished: a process that ends at once completes it.
void set_line_unfinished(bool unfinished);

}  // namespace crocuta::hyena
