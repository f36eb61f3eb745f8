#include "hosts.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace hostmesh_ssh {

namespace {

constexpr std::uint64_t kMostHosts = 100'000;

// Shows what cannot be seen, and would end the text of an exception.
std::string visible(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte < 0x7f) {
      shown += c;
    } else {
      shown.append("\\x").append({kDigits[byte >> 4U], kDigits[byte & 15U]});
    }
  }
  return shown;
}

[[noreturn]] void refuse(std::string_view item, const std::string& why) {
  throw std::invalid_argument("'" + visible(item) + "' is no host: " + why);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kRoom = " \t\r";
  const std::size_t begin = text.find_first_not_of(kRoom);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kRoom) - begin + 1);
}

// At each of these that is not inside brackets.
std::vector<std::string_view> split_outside_brackets(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  bool inside = false;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '[') inside = true;
    if (i < text.size() && text[i] == ']') inside = false;
    if (i < text.size() && (inside || separators.find(text[i]) == std::string_view::npos)) continue;
    if (const auto part = trimmed(text.substr(begin, i - begin)); !part.empty()) parts.push_back(part);
    begin = i + 1;
  }
  return parts;
}

std::uint64_t number(std::string_view item, std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failure != std::errc() || end != digits.data() + digits.size())
    refuse(item, "'" + visible(digits) + "' is no number");
  return value;
}

// "01-03,7" -> 01, 02, 03, 7: as wide as the first number was written.
std::vector<std::string> expand_range(std::string_view item, std::string_view range) {
  std::vector<std::string> texts;
  for (const std::string_view part : split_outside_brackets(range, ",")) {
    const std::size_t dash = std::min(part.find('-'), part.size());
    const std::string_view low_text = part.substr(0, dash);
    const std::uint64_t low = number(item, low_text);
    const std::uint64_t high = dash == part.size() ? low : number(item, part.substr(dash + 1));
    if (high < low) refuse(item, "the range " + std::string(part) + " goes backwards");
    if (high - low >= kMostHosts) refuse(item, "the range " + std::string(part) + " is too long");
    for (std::uint64_t above = 0; above <= high - low; ++above) {
      std::string digits = std::to_string(low + above);
      if (digits.size() < low_text.size()) digits.insert(0, low_text.size() - digits.size(), '0');
      texts.push_back(std::move(digits));
    }
  }
  if (texts.empty()) refuse(item, "an empty range");
  return texts;
}

bool is_word(std::string_view text, std::string_view also) {
  return !text.empty() && text.front() != '-' && std::all_of(text.begin(), text.end(), [also](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           also.find(c) != std::string_view::npos;
  });
}

void expand_names(std::string_view item, std::string_view pattern, const Target& like,
                  std::vector<Target>& into) {
  const std::size_t open = pattern.find('[');
  if (open == std::string_view::npos) {
    if (pattern.find(']') != std::string_view::npos) refuse(item, "a ']' without '['");
    if (!is_word(pattern, "._-%:")) refuse(item, "'" + visible(pattern) + "' is no host name");
    if (into.size() >= kMostHosts) refuse(item, "these are too many hosts");
    into.push_back(like);
    into.back().host = pattern;
    return;
  }
  const std::size_t close = pattern.find(']', open);
  if (close == std::string_view::npos) refuse(item, "a '[' without ']'");
  for (const std::string& digits : expand_range(item, pattern.substr(open + 1, close - open - 1))) {
    std::string name(pattern.substr(0, open));
    name.append(digits).append(pattern.substr(close + 1));
    expand_names(item, name, like, into);
  }
}

bool is_address_text(std::string_view text) {
  const std::string_view number = text.substr(0, text.find('%'));
  return number.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

void parse_host(std::string_view item, std::vector<Target>& into) {
  Target target;
  std::string_view rest = item;
  // The last one: a user may be of a domain, or be another login on the way.
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    if (!is_word(rest.substr(0, at), "._-\\+@")) refuse(item, "its user is no user name");
    target.user = rest.substr(0, at);
    rest.remove_prefix(at + 1);
  }
  // An address in brackets has colons, a range has none.
  const bool is_address = rest.starts_with('[') && rest.substr(0, rest.find(']')).find(':') != rest.npos;
  const std::size_t end = is_address ? rest.find(']') : rest.rfind(']');
  if (is_address && end == std::string_view::npos) refuse(item, "its address is not closed with ']'");
  const std::size_t colon = rest.find(':', end == std::string_view::npos ? 0 : end);
  if (colon != std::string_view::npos) {
    if (rest.find(':', colon + 1) != std::string_view::npos && is_address_text(rest))
      refuse(item, "an IPv6 address is written in brackets: [" + std::string(rest) + "]");
    const std::uint64_t port = number(item, rest.substr(colon + 1));
    if (port == 0 || port > 65535) refuse(item, "there is no port " + std::to_string(port));
    target.port = static_cast<std::uint16_t>(port);
    rest = rest.substr(0, colon);
  }
  if (!is_address) return expand_names(item, rest, target, into);
  const std::string_view address = rest.substr(1, end - 1);
  if (!rest.ends_with(']') || !is_address_text(address) || !is_word(address, ".:%-_"))
    refuse(item,
           "'" + visible(address) + "' is no IPv6 address; groups of other programs are not known here");
  target.host = address;
  into.push_back(std::move(target));
}

// "KEY=VALUE". A range has neither letters before its '=', nor a '='.
bool is_setting(std::string_view word) {
  const std::size_t equals = word.find('=');
  return equals != std::string_view::npos && equals > 0 &&
         word.substr(0, equals).find_first_not_of("abcdefghijklmnopqrstuvwxyz_-") == std::string_view::npos;
}

void set(std::string_view word, HostSettings& own) {
  const std::size_t equals = word.find('=');
  const std::string_view key = word.substr(0, equals);
  const std::string_view value = word.substr(equals + 1);
  if (value.empty()) refuse(word, "it has no value");
  if (key == "slots") {
    own.slots = number(word, value);
    if (own.slots == 0U) refuse(word, "at least 1");
  } else if (key == "remote_command") {
    own.remote_command = value;
  } else if (key == "working_directory") {
    own.working_directory = value;
  } else if (key == "push_file") {
    own.push_file = value;
  } else if (key == "push_folder") {
    own.push_folder = value;
  } else if (key == "environment") {
    own.environment.emplace_back(value);
  } else {
    refuse(word,
           "a host may have slots, remote_command, working_directory, environment, push_file and push_folder "
           "of its "
           "own");
  }
}

void parse_items(std::string_view text, std::vector<Target>& into) {
  std::size_t first = into.size();  // of the hosts that a setting belongs to
  for (const std::string_view word : split_outside_brackets(text, " \t\r")) {
    if (is_setting(word)) {
      if (first == into.size()) refuse(word, "there is no host before it");
      const bool is_last = word.ends_with(',');
      for (std::size_t i = first; i < into.size(); ++i)
        set(word.substr(0, word.size() - (is_last ? 1 : 0)), into[i].own);
      continue;
    }
    for (const std::string_view item : split_outside_brackets(word, ",")) {
      first = into.size();
      parse_host(item, into);
    }
  }
}

}  // namespace

std::string Target::text() const {
  std::string text = user.empty() ? "" : user + "@";
  text += host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == 0 ? text : text + ":" + std::to_string(port);
}

std::vector<Target> parse_hosts(const std::vector<std::string>& items) {
  std::vector<Target> targets;
  for (const std::string& each : items) parse_items(each, targets);
  return targets;
}

std::vector<Target> parse_hosts_file(std::string_view text, const std::string& file) {
  std::vector<Target> targets;
  if (constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf"; text.starts_with(kByteOrderMark))
    text.remove_prefix(kByteOrderMark.size());
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view row = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    row = row.substr(0, row.find('#'));
    try {
      parse_items(row, targets);
    } catch (const std::invalid_argument& wrong) {
      throw std::invalid_argument(file + ":" + std::to_string(line) + ": " + wrong.what());
    }
  }
  return targets;
}

std::string doubt_about(const Target& target) {
  constexpr std::uint16_t kSsh = 22;
  constexpr std::uint16_t kFirstOfUsers = 1024;
  if (target.port == 0 || target.port == kSsh || target.port >= kFirstOfUsers) return {};
  return "'" + target.text() + "' is port " + std::to_string(target.port) + " of " + target.host +
         "; several ranks on a host are written slots=" + std::to_string(target.port);
}

}  // namespace hostmesh_ssh
