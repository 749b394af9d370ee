// What a run says while it works, on standard output: a line that is written over on a terminal,
// plain lines elsewhere and under a launcher.
#pragma once

#include <chrono>
#include <string>

namespace crocuta::hyena {

class Console {
 public:
  // A silent one says nothing: all ranks but the first.
  explicit Console(bool silent);
  ~Console() { clear(); }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // A line that stays. It is broken where the terminal ends, or after 80 columns, unless it begins
  // with a blank: tables, samples and commands stay whole.
  void line(const std::string& text);
  // The state of things: replaces the last one on a terminal, where it may come as often as you
  // like. `keep` makes a plain line of it elsewhere.
  void progress(const std::string& text, bool keep);
  // Removes the progress line, before something else writes to the terminal.
  void clear();

  // Whether something could not be written, other than to a reader that has gone away. The first
  // time an error says so; the work goes on.
  bool failed() const { return failed_; }

 private:
  void put(const std::string& text);

  bool silent_, terminal_;
  bool shown_ = false, failed_ = false;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace crocuta::hyena
