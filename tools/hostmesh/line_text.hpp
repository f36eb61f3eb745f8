// LineText: how the lines of many commands become one text, with the rank before each line. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "commands.hpp"
#include "hostmesh/base/ids.hpp"
#include "hostmesh/process/lines.hpp"
#include "hostmesh/process/stdio.hpp"

namespace hostmesh::cli {

// The text so far may end within a line. Then the next piece of the same line goes on there, and anything
// else begins a new line. A carriage return takes a terminal back to the first column, so the label is
// repeated behind it: a progress bar keeps its label, and nothing of what a command wrote is changed.
class LineText {
 public:
  explicit LineText(Labels labels) : labels_(labels) {}

  // The text for one line, or for a piece of one.
  std::string add(Rank rank, Stream stream, const Line& line);
  // The text that ends the line under way, if there is one.
  std::string_view close();

 private:
  const Labels labels_;
  bool is_open_ = false;  // the text ends within a line
  std::pair<Rank, Stream> source_;
  bool is_labelled_ = false;  // that line has a label
  bool needs_label_ = false;  // the next character stands in the first column
};

}  // namespace hostmesh::cli
