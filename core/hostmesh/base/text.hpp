// Text of others (plugins, peers, commands, machines) made fit for a line of ours.
//
// Pure. What goes into a log line, an error or a JSON document passes through here, so that nobody can forge
// a line of ours, move a terminal's cursor, or make a document that no parser reads.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hostmesh {

// The text without the start of a UTF-8 character at its end.
std::string_view whole_characters(std::string_view text);
bool is_valid_utf8(std::string_view bytes);
// The text with each invalid byte sequence replaced by U+FFFD.
std::string valid_utf8(std::string_view bytes);
// The longest start of at most `max_bytes` that does not cut a UTF-8 character.
std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes);

// Returns the text as one line: control characters as \n, \r, \xHH; C1 characters, those that set the
// direction of writing (bidi controls), and line and paragraph separators as \uHHHH; bytes that are not UTF-8
// as \xHH. A tab and a backslash stay as they are, because the result is for people.
std::string printable(std::string_view text);
// The same, but newlines stay: for texts of ours that have several lines.
std::string printable_lines(std::string_view text);
// printable(), of at most `max_bytes` bytes of the text; a longer one ends with "... (N bytes more)".
std::string printable(std::string_view text, std::size_t max_bytes);

}  // namespace hostmesh
