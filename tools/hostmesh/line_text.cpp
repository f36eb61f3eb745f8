#include "line_text.hpp"

namespace hostmesh::cli {

std::string LineText::add(Rank rank, Stream stream, const Line& line) {
  const std::pair source(rank, stream);
  std::string text;
  if (!is_open_ || source_ != source) {
    text += close();
    is_labelled_ = false;
    needs_label_ = true;
  }
  const auto label = [&] {
    if (labels_ == Labels::kRank) text += "[" + std::to_string(rank) + "] ";
    is_labelled_ = true;
    needs_label_ = false;
  };
  for (std::string_view rest = line.text; !rest.empty();) {
    const std::string_view part = rest.substr(0, rest.find('\r'));
    if (!part.empty() && needs_label_) label();
    text += part;
    rest.remove_prefix(part.size());
    if (rest.empty()) break;
    text += '\r';
    rest.remove_prefix(1);
    needs_label_ = true;
  }
  is_open_ = line.continued;
  source_ = source;
  if (is_open_) return text;
  if (!is_labelled_) label();  // an empty line
  text += '\n';
  return text;
}

std::string_view LineText::close() {
  return std::exchange(is_open_, false) ? "\n" : "";
}

}  // namespace hostmesh::cli
