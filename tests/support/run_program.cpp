#include "tests/support/run_program.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Makes `descriptor` write to a new file; for the child, which may only make system calls.
void redirect(int descriptor, const char* path) {
  const int file = ::open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0 || ::dup2(file, descriptor) < 0) ::_exit(126);
}

// Gives up root for good, also as the user that a program could go back to.
void become_nobody() {
  constexpr unsigned kNobody = 65534;
  if (::geteuid() != 0) return;
  if (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) {
    ::_exit(126);
  }
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& arguments, As user) {
  const TemporaryDirectory directory;
  const std::string out = directory.path("out"), err = directory.path("err");
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    redirect(STDOUT_FILENO, out.c_str());
    redirect(STDERR_FILENO, err.c_str());
    if (user == As::nobody) {
      // Opened by whom may: nobody need not be let into the folder of the programs.
      const int program = ::open(argv[0], O_PATH | O_CLOEXEC);
      become_nobody();
      ::fexecve(program, argv.data(), environ);
      ::_exit(127);
    }
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) throw std::runtime_error("cannot wait");
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), contents(out),
          contents(err)};
}

std::string device_argument() {
  const char* device = std::getenv("CROCUTA_TEST_DEVICE");
  return device ? device : "cpu";
}

}  // namespace crocuta::test
