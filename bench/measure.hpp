// What the bench programs measure with: a clock, CPU time, and the memory of another process.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

inline double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// User and system time in ms: of this process, or of all its children that have been waited for.
inline double cpu_ms(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  const auto ms = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
  };
  return ms(usage.ru_utime) + ms(usage.ru_stime);
}

inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// A field of a /proc file whose lines are "Name:  123 kB".
inline double kib_of(const std::string& file, const std::string& field) {
  std::ifstream lines(file);
  std::string line;
  double total = 0;
  while (std::getline(lines, line)) {
    if (line.starts_with(field + ":")) total += std::stod(line.substr(field.size() + 1));
  }
  return total;
}

struct Memory {
  std::vector<double> pss, uss, peak;  // KiB

  void add(pid_t pid) {
    const std::string folder = "/proc/" + std::to_string(pid);
    const std::string smaps = folder + "/smaps_rollup";
    pss.push_back(kib_of(smaps, "Pss"));
    uss.push_back(kib_of(smaps, "Private_Clean") + kib_of(smaps, "Private_Dirty"));
    peak.push_back(kib_of(folder + "/status", "VmHWM"));
  }
  std::string text() const {
    return "pss_kib=" + std::to_string(median(pss)) + " uss_kib=" + std::to_string(median(uss)) +
           " peak_kib=" + std::to_string(median(peak));
  }
};

}  // namespace bench
