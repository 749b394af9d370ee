// Strict JSON (RFC 8259): a parser that reports events, and the few pieces needed to write it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace crocuta::json {

// Receives a document in reading order. Every value inside an object follows its key().
class Handler {
 public:
  virtual ~Handler() = default;
  virtual void null() = 0;
  virtual void boolean(bool value) = 0;
  // The number as written, except that integers of up to 64 bits lose nothing but a leading "-0".
  virtual void number(std::string_view text) = 0;
  virtual void string(std::string text) = 0;
  // Never twice the same within one object.
  virtual void key(std::string text) = 0;
  virtual void begin_object() = 0;
  virtual void end_object() = 0;
  virtual void begin_array() = 0;
  virtual void end_array() = 0;

  // The line, from 1, of the latest key.
  int line() const { return line_; }

 private:
  friend class Events;
  int line_ = 1;
};

// Feeds `text` to `handler`. Throws FormatError, beginning with `source` and the line and column,
// for a syntax error, bad UTF-8, a NUL byte, a key given twice, nesting deeper than `max_depth`, or
// anything after the document. The decimal separator is a point in every locale.
void parse(std::string_view text, const std::string& source, int max_depth, Handler& handler);

// `text`, a decimal number as people write them (.5, 1., +1e-3, 007), as JSON writes it (0.5, 1.0,
// 1e-3, 7); "" if it is none.
std::string decimal(std::string_view text);
// `text` as a JSON string with its quotes. Throws ArgumentError if it is not UTF-8.
std::string quote(std::string_view text);
// The shortest text that reads back as the same double; "null" for NaN and infinities.
std::string number(double value);

}  // namespace crocuta::json
