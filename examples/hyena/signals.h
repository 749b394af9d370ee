// SIGINT and SIGTERM end a run in order, SIGUSR1 asks for a checkpoint, SIGPIPE is ignored.
#pragma once

namespace crocuta::hyena {

// Catches them from now on. The first SIGINT or SIGTERM is only noted; a second one ends the
// process at once with 128 + its number.
void catch_signals();

// SIGINT or SIGTERM if one has arrived, else 0.
int stop_signal();
// Whether SIGUSR1 has arrived since the last call.
bool take_save_request();

}  // namespace crocuta::hyena
