#include "hostmesh/conformance/format.hpp"

#include <boost/json.hpp>
#include <cstdio>
#include <utility>

namespace hostmesh::conformance {

namespace {

namespace json = boost::json;
using Verdict = Outcome::Verdict;

constexpr std::size_t kMostEventsShown = 40;

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

std::string seconds(Duration duration) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f", std::chrono::duration<double>(duration).count());
  return text;
}

std::string count_text(std::size_t count, std::string_view one) {
  return std::to_string(count) + " " + std::string(one) + (count == 1 ? "" : "s");
}

// What a failure consists of, line by line: expected, seen, and the events that led there.
std::vector<std::string> evidence(const Outcome& outcome) {
  std::vector<std::string> lines;
  lines.push_back("must hold: " + std::string(outcome.which->sentence));
  lines.push_back("expected:  " + outcome.expected);
  lines.push_back("seen:      " + outcome.seen);
  if (!outcome.which->rule.empty()) lines.push_back("rule:      " + std::string(outcome.which->rule));
  if (!outcome.events.empty()) {
    const std::size_t shown = std::min(outcome.events.size(), kMostEventsShown);
    const std::uint64_t hidden = outcome.events.size() - shown + outcome.events_dropped;
    lines.push_back("events:" + (hidden == 0 ? "" : "    (the last " + std::to_string(shown) + ")"));
    for (std::size_t i = outcome.events.size() - shown; i < outcome.events.size(); ++i) {
      lines.push_back("  " + seconds(outcome.events[i].at) + "s  " + outcome.events[i].text);
    }
  }
  if (!outcome.last_lines.empty()) {
    lines.push_back("written to stderr:");
    for (const std::string& line : outcome.last_lines) lines.push_back("  " + line);
  }
  return lines;
}

std::string tally(const Report& report) {
  std::string text = count_text(report.outcomes.size(), "case") + ": " +
                     std::to_string(report.count(Verdict::kPassed)) + " passed";
  if (const auto failed = report.failed(Level::kMust)) text += ", " + std::to_string(failed) + " failed";
  if (const auto warned = report.failed(Level::kShould)) text += ", " + count_text(warned, "warning");
  if (const auto skipped = report.count(Verdict::kSkipped))
    text += ", " + std::to_string(skipped) + " skipped";
  return text;
}

std::string named(const Report& report) {
  return report.plugin.name.empty() ? report.subject : report.plugin.name + " " + report.plugin.version;
}

class ForPeople final : public Formatter {
 public:
  void plugin(const PluginDescription& plugin) override {
    std::string capabilities;
    for (const std::string& name : plugin.capability_names())
      capabilities += (capabilities.empty() ? "" : ", ") + name;
    print("plugin " + plugin.name + " " + plugin.version + ", " + plugin.file.string() +
          "\ncapabilities: " + (capabilities.empty() ? "none" : capabilities) + "\n");
  }

  void outcome(const Outcome& outcome) override {
    const std::string id(outcome.which->id);
    switch (outcome.verdict) {
      case Verdict::kPassed:
        return print("ok    " + id + " (" + seconds(outcome.took) + "s)\n");
      case Verdict::kSkipped:
        // Of all cases, and the one that says why would be off the screen.
        if (outcome.why.starts_with(kNotUsable)) return;
        return print("skip  " + id + ": " + outcome.why + "\n");
      case Verdict::kUnusable:
        return print("?     " + id + ": " + outcome.why + "\n");
      case Verdict::kFailed:
        break;
    }
    std::string text = (outcome.which->level == Level::kMust ? "FAIL  " : "warn  ") + id + "\n";
    for (const std::string& line : evidence(outcome)) text += "      " + line + "\n";
    print(text);
  }

  void end(const Report& report) override {
    std::string text = "\n" + tally(report) + ", " + seconds(report.took) + "s\n" + named(report) +
                       (report.conforms() ? " conforms" : " does not conform");
    const char* separator = ": ";
    for (const Outcome& outcome : report.outcomes) {
      if (!outcome.failed(Level::kMust)) continue;
      text += std::exchange(separator, ", ") + std::string(outcome.which->id);
    }
    print(text + "\n");
  }
};

class Tap final : public Formatter {
 public:
  void begin(std::size_t cases) override { print("TAP version 13\n1.." + std::to_string(cases) + "\n"); }

  void outcome(const Outcome& outcome) override {
    const std::string name = std::to_string(++number_) + " - " + std::string(outcome.which->id) + ": " +
                             std::string(outcome.which->sentence);
    switch (outcome.verdict) {
      case Verdict::kPassed:
        return print("ok " + name + "\n");
      case Verdict::kSkipped:
        return print("ok " + name + " # SKIP " + outcome.why + "\n");
      case Verdict::kUnusable:
        return print("Bail out! " + outcome.why + "\n");
      case Verdict::kFailed:
        break;
    }
    // TODO is TAP's word for a failure that does not count.
    std::string text =
        "not ok " + name + (outcome.which->level == Level::kShould ? " # TODO SHOULD\n" : "\n");
    for (const std::string& line : evidence(outcome)) text += "# " + line + "\n";
    print(text);
  }

  void end(const Report& report) override { print("# " + tally(report) + "\n"); }

 private:
  int number_ = 0;
};

std::string xml(std::string_view text) {
  std::string out;
  for (const char each : text) {
    switch (each) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        // XML has no other control characters, not even as references.
        out += static_cast<unsigned char>(each) < ' ' && each != '\n' && each != '\t' ? '?' : each;
    }
  }
  return out;
}

class Junit final : public Formatter {
 public:
  void end(const Report& report) override {
    const std::size_t failed = report.failed(Level::kMust);
    const std::size_t skipped = report.count(Verdict::kSkipped) + report.failed(Level::kShould);
    std::string out =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"hostmesh conformance: " +
        xml(named(report)) + "\" tests=\"" + std::to_string(report.outcomes.size()) + "\" failures=\"" +
        std::to_string(failed) + "\" errors=\"0\" skipped=\"" + std::to_string(skipped) + "\" time=\"" +
        seconds(report.took) + "\">\n";
    for (const Outcome& outcome : report.outcomes) {
      const std::string_view id = outcome.which->id;
      out += "<testcase classname=\"" + xml(outcome.which->group()) + "\" name=\"" + xml(id) + "\" time=\"" +
             seconds(outcome.took) + "\">";
      std::string details;
      for (const std::string& line : evidence(outcome)) details += xml(line) + "\n";
      if (outcome.failed(Level::kMust)) {
        out += "<failure message=\"" + xml(outcome.seen) + "\">" + details + "</failure>";
      } else if (outcome.failed(Level::kShould)) {
        out += "<skipped message=\"SHOULD: " + xml(outcome.seen) + "\"/><system-out>" + details +
               "</system-out>";
      } else if (outcome.verdict != Verdict::kPassed) {
        out += "<skipped message=\"" + xml(outcome.why) + "\"/>";
      }
      out += "</testcase>\n";
    }
    print(out + "</testsuite>\n</testsuites>\n");
  }
};

std::string_view verdict_name(const Outcome& outcome) {
  switch (outcome.verdict) {
    case Verdict::kPassed:
      return "passed";
    case Verdict::kSkipped:
      return "skipped";
    case Verdict::kUnusable:
      return "unusable";
    case Verdict::kFailed:
      break;
  }
  return outcome.which->level == Level::kMust ? "failed" : "warned";
}

json::object case_object(const Case& each) {
  return {{"id", each.id},
          {"level", to_string(each.level)},
          {"sentence", each.sentence},
          {"needs", needs_text(each.needs)},
          {"deadline_s", std::chrono::duration<double>(each.deadline).count()},
          {"rule", each.rule}};
}

class Json final : public Formatter {
 public:
  void end(const Report& report) override {
    json::array cases;
    for (const Outcome& outcome : report.outcomes) {
      json::object object{{"id", outcome.which->id},
                          {"level", to_string(outcome.which->level)},
                          {"sentence", outcome.which->sentence},
                          {"verdict", verdict_name(outcome)},
                          {"took_s", std::chrono::duration<double>(outcome.took).count()}};
      if (!outcome.why.empty()) object["why"] = outcome.why;
      if (outcome.verdict == Verdict::kFailed) {
        object["expected"] = outcome.expected;
        object["seen"] = outcome.seen;
        json::array events;
        for (const Event& event : outcome.events) {
          events.push_back(
              json::object{{"t", std::chrono::duration<double>(event.at).count()}, {"event", event.text}});
        }
        object["events"] = std::move(events);
        object["last_lines"] = json::value_from(outcome.last_lines);
      }
      cases.push_back(std::move(object));
    }
    const json::object all{{"plugin", report.plugin.name},
                           {"version", report.plugin.version},
                           {"file", report.plugin.file.string()},
                           {"conforms", report.conforms()},
                           {"passed", report.count(Verdict::kPassed)},
                           {"failed", report.failed(Level::kMust)},
                           {"warnings", report.failed(Level::kShould)},
                           {"skipped", report.count(Verdict::kSkipped)},
                           {"took_s", std::chrono::duration<double>(report.took).count()},
                           {"cases", std::move(cases)}};
    print(json::serialize(all) + "\n");
  }
};

std::string list_for_people(const std::vector<const Case*>& cases) {
  std::string out;
  for (const Case* each : cases) {
    out += std::string(each->id) + " (" + std::string(to_string(each->level)) + ")\n    " +
           std::string(each->sentence) + "\n";
    if (each->needs != needs::kNothing) out += "    needs: " + needs_text(each->needs) + "\n";
  }
  return out + count_text(cases.size(), "case") + "\n";
}

std::string list_as_json(const std::vector<const Case*>& cases) {
  json::array list;
  for (const Case* each : cases) list.push_back(case_object(*each));
  return json::serialize(list) + "\n";
}

// A cell of a table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char each : text) out += each == '|' ? std::string("\\|") : std::string(1, each);
  return out;
}

std::string list_as_markdown(const std::vector<const Case*>& cases) {
  std::string out =
      "# What an allocator must do\n\n"
      "The cases of `hostmesh conformance`; this page is made from them, by `hostmesh conformance --list "
      "--format\n"
      "markdown`. Each runs in a process of its own. MUST decides whether a plugin conforms; a SHOULD that "
      "fails is\n"
      "a warning. A case that needs what a plugin does not have is skipped: *processes* is every plugin "
      "without\n"
      "`local_procs`, the other needs are capabilities, which [the plugin "
      "interface](../core/hostmesh/plugin/abi.h)\n"
      "explains. After each case no process may be left that it started.\n\n"
      "In all, " +
      count_text(cases.size(), "case") + ".\n";
  std::string_view group;
  for (const Case* each : cases) {
    if (each->group() != group) {
      group = each->group();
      out += "\n## " + std::string(group) +
             "\n\n| case | level | what must hold | needs | time | rule |\n|---|---|---|---|---|---|\n";
    }
    out += "| `" + std::string(each->id) + "` | " + std::string(to_string(each->level)) + " | " +
           cell(each->sentence) + " | " + needs_text(each->needs) + " | " +
           hostmesh::to_string(each->deadline) + " | " + cell(each->rule) + " |\n";
  }
  return out;
}

}  // namespace

std::unique_ptr<Formatter> make_formatter(std::string_view name) {
  if (name.empty()) return std::make_unique<ForPeople>();
  if (name == "tap") return std::make_unique<Tap>();
  if (name == "junit") return std::make_unique<Junit>();
  if (name == "json") return std::make_unique<Json>();
  return nullptr;
}

std::string list_cases(const std::vector<const Case*>& cases, std::string_view format) {
  if (format.empty()) return list_for_people(cases);
  if (format == "markdown") return list_as_markdown(cases);
  if (format == "json") return list_as_json(cases);
  return {};
}

}  // namespace hostmesh::conformance
