#include "tests/support/run_on_terminal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

namespace crocuta::test {

ProgramResult run_on_terminal(const std::vector<std::string>& arguments, int columns,
                              const Typing& typing) {
  const int user = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (user < 0 || ::grantpt(user) != 0 || ::unlockpt(user) != 0) {
    throw std::runtime_error("no terminal to be had");
  }
  const std::string name = ::ptsname(user);
  winsize size{};
  size.ws_row = 24;
  size.ws_col = static_cast<unsigned short>(columns);
  ::ioctl(user, TIOCSWINSZ, &size);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    ::setsid();  // the first terminal that is opened becomes this session's own
    const int terminal = ::open(name.c_str(), O_RDWR);
    for (const int stream : {0, 1, 2}) {
      if (terminal < 0 || ::dup2(terminal, stream) < 0) ::_exit(126);
    }
    ::close(terminal);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ProgramResult result;
  std::array<char, 4096> chunk;
  ssize_t got;  // an error means that nobody has the terminal open any more
  while ((got = ::read(user, chunk.data(), chunk.size())) > 0) {
    result.out.append(chunk.data(), static_cast<std::size_t>(got));
    const std::string keys = typing ? typing(result.out) : "";
    if (::write(user, keys.data(), keys.size()) < 0) break;
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) throw std::runtime_error("cannot wait");
  ::close(user);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace crocuta::test
