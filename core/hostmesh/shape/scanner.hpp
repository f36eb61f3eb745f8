// Scanner: reads the text forms of this folder from left to right, and says where it stopped understanding.
//
// All of them share a grammar of labels and numbers, which lives here alone. Texts come from people and from
// peers, so nothing here trusts them: numbers that do not fit, unknown escapes and endless labels are errors,
// never a crash.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hostmesh/base/result.hpp"

namespace hostmesh {

// A label as it is written: bare when it is letters, digits and underscores, else in double quotes with \"
// \\ \n \r \t.
std::string label_text(std::string_view label);

// A value made for one parse. Spaces and tabs between tokens are skipped.
class Scanner {
 public:
  // `what` names the thing in errors ("a point"). Both views must outlive the scanner.
  Scanner(std::string_view what, std::string_view text) : what_(what), text_(text) {}

  bool at_end();
  // Consumes `c` if it comes next.
  bool accept(char c);
  Result<> expect(char c);
  Result<> expect_end();
  // The inverse of label_text; an empty label is an error.
  Result<std::string> label();
  // Decimal digits that fit 64 bits.
  Result<std::uint64_t> number();
  // The number, when digits and then `c` come next; both are consumed. Otherwise nothing is, and it is an
  // error.
  Result<std::uint64_t> number_before(char c);

  // "'<text>' is not <what>: expected <expected> at character <n>".
  Error error(std::string_view expected) const;

 private:
  void skip_spaces();
  Result<std::string> quoted();

  std::string_view what_;
  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace hostmesh
