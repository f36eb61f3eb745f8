#include "hostmesh/process/lines.hpp"

#include <algorithm>
#include <utility>

namespace hostmesh {

LineSplitter::LineSplitter(std::size_t max_line) : max_line_(std::max<std::size_t>(max_line, 4)) {}

void LineSplitter::feed(ByteView chunk, const Sink& sink) {
  std::string_view rest(reinterpret_cast<const char*>(chunk.data()), chunk.size());
  while (!rest.empty()) {
    const std::size_t newline = rest.find('\n');
    const bool whole = newline != std::string_view::npos;
    std::string_view part = rest.substr(0, newline);
    rest.remove_prefix(whole ? newline + 1 : rest.size());
    if (pending_.empty() && whole && part.size() <= max_line_) {
      goes_on_ = false;
      sink({.text = part, .continued = false});  // the common case, without a copy
      continue;
    }
    while (!part.empty()) {
      // One byte more than a line may have shows that it goes on.
      const std::size_t taken = std::min(part.size(), max_line_ + 1 - pending_.size());
      pending_.append(part.substr(0, taken));
      part.remove_prefix(taken);
      if (pending_.size() > max_line_) give_piece(sink);
    }
    if (whole) {
      goes_on_ = false;
      const std::string line = std::exchange(pending_, std::string());
      sink({.text = line, .continued = false});
    }
  }
}

void LineSplitter::give_piece(const Sink& sink) {
  std::string all = std::exchange(pending_, std::string());
  const std::string_view piece = utf8_prefix(all, max_line_);
  pending_ = all.substr(piece.size());
  goes_on_ = true;
  sink({.text = piece, .continued = true});
}

void LineSplitter::give_held(const Sink& sink) {
  const std::string all = std::exchange(pending_, std::string());
  const std::string_view piece = whole_characters(all);
  pending_ = all.substr(piece.size());
  if (piece.empty()) return;
  goes_on_ = true;
  sink({.text = piece, .continued = true});
}

void LineSplitter::finish(const Sink& sink) {
  if (!std::exchange(goes_on_, false) && pending_.empty()) return;
  const std::string line = std::exchange(pending_, std::string());
  sink({.text = line, .continued = false});
}

LineTail::LineTail(std::size_t max_lines) : max_lines_(max_lines), splitter_(kMaxLineBytes) {}

void LineTail::feed(ByteView chunk) {
  splitter_.feed(chunk, [this](const Line& piece) { add(piece); });
}

void LineTail::add(const Line& piece) {
  if (current_size_ == 0) current_ = piece.text;
  current_size_ += piece.text.size();
  if (piece.continued) return;
  std::string line = std::exchange(current_, std::string());
  const std::size_t cut = std::exchange(current_size_, 0) - line.size();
  if (std::string text = readable(line, cut); !text.empty()) lines_.push_back(std::move(text));
  if (lines_.size() > max_lines_) lines_.pop_front();
}

std::string LineTail::readable(std::string_view line, std::size_t cut) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
    line.remove_suffix(1);
  std::string text = valid_utf8(line);
  const std::string_view kept = utf8_prefix(text, kMaxLineBytes);
  cut += text.size() - kept.size();
  text.resize(kept.size());
  if (cut > 0) text += "... (" + std::to_string(cut) + " bytes more)";
  return text;
}

std::vector<std::string> LineTail::lines() const {
  LineTail whole = *this;
  whole.splitter_.finish([&whole](const Line& piece) { whole.add(piece); });
  return {whole.lines_.begin(), whole.lines_.end()};
}

}  // namespace hostmesh
