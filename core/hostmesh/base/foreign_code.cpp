#include "hostmesh/base/foreign_code.hpp"

#include <execinfo.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "hostmesh/base/text.hpp"
#include "hostmesh/base/thread.hpp"

namespace hostmesh {

// Read by a signal handler, so everything is of a fixed size and formatted beforehand.
struct ForeignRecord {
  std::atomic<pid_t> thread = 0;  // 0: free; -1: being written
  std::atomic<std::uint64_t> order = 0;
  std::array<char, 256> whose{};
  std::array<char, 64> where{};
};

namespace {

std::array<ForeignRecord, 32> records;
std::atomic<std::uint64_t> calls = 0;

struct Library {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::array<char, 256> whose{};
  std::atomic<bool> valid = false;
};
std::array<Library, 64> libraries;
std::atomic<std::size_t> library_count = 0;

constexpr std::array kFaults{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};
constexpr std::array<const char*, kFaults.size()> kNames{"SEGV", "BUS", "ILL", "FPE", "TRAP", "SYS", "ABRT"};
std::array<struct sigaction, kFaults.size()> former;
std::atomic<bool> is_reporting = false;

constexpr std::size_t kSignalStack = 64 << 10;  // bytes; backtrace() needs some of it

// gettid() of the C library may be cached by none, and is safe in a handler.
pid_t this_thread() {
  return static_cast<pid_t>(::syscall(SYS_gettid));
}

template <std::size_t N>
void set_text(std::array<char, N>& to, std::string_view from) {
  const std::string text = printable(from);
  const std::string_view kept = utf8_prefix(text, N - 1);
  std::copy(kept.begin(), kept.end(), to.begin());
  to[kept.size()] = '\0';
}

// The innermost call that the thread is in; null when it is in none. In a child that was forked out of a
// call, the thread is another.
const ForeignRecord* call_of(pid_t thread) {
  const ForeignRecord* found = nullptr;
  for (const ForeignRecord& each : records) {
    if (each.thread.load(std::memory_order_acquire) != thread) continue;
    if (found == nullptr || each.order > found->order) found = &each;
  }
  return found;
}

Library* library_at(const void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  for (Library& each : libraries) {
    if (each.valid.load(std::memory_order_acquire) && each.begin <= at && at < each.end) return &each;
  }
  return nullptr;
}

// The innermost foreign library on this thread's stack.
const Library* library_on_stack() {
  if (library_count == 0) return nullptr;
  std::array<void*, 64> frames{};
  const int depth = ::backtrace(frames.data(), static_cast<int>(frames.size()));
  for (int i = 0; i < depth; ++i) {
    if (const Library* found = library_at(frames[static_cast<std::size_t>(i)])) return found;
  }
  return nullptr;
}

// A line in a buffer of its own, written with one call.
class LastWords {
 public:
  LastWords& operator<<(const char* text) {
    for (; *text != '\0' && size_ < text_.size(); ++text) text_[size_++] = *text;
    return *this;
  }
  LastWords& operator<<(int number) {
    std::array<char, 12> digits{};
    std::size_t count = 0;
    unsigned value = number < 0 ? 0U - static_cast<unsigned>(number) : static_cast<unsigned>(number);
    do digits[count++] = static_cast<char>('0' + value % 10);
    while ((value /= 10) != 0);
    if (number < 0) *this << "-";
    while (count > 0 && size_ < text_.size()) text_[size_++] = digits[--count];
    return *this;
  }
  void say() {
    *this << "\n";
    (void)!::write(STDERR_FILENO, text_.data(), size_);
  }

 private:
  std::array<char, 512> text_{};
  std::size_t size_ = 0;
};

struct Culprit {
  const char* whose = nullptr;
  const char* where = nullptr;
};

Culprit culprit() {
  if (const ForeignRecord* const call = call_of(this_thread()))
    return {call->whose.data(), call->where.data()};
  // The main thread runs nothing of theirs but in calls, and neither does a process that was forked.
  if (this_thread() == ::getpid()) return {};
  if (const Library* const library = library_on_stack())
    return {library->whose.data(), "on a thread of its own"};
  return {};
}

std::size_t index_of(int number) {
  return static_cast<std::size_t>(std::find(kFaults.begin(), kFaults.end(), number) - kFaults.begin());
}

void on_fault(int number, siginfo_t* info, void*) {
  const std::size_t index = index_of(number);
  // Sent by another process, it says nothing of the code that runs.
  const bool from_outside = info->si_code == SI_USER && info->si_pid != ::getpid();
  if (const Culprit who = from_outside ? Culprit() : culprit(); who.whose != nullptr) {
    LastWords words;
    words << "hostmesh: " << who.whose << " crashed " << who.where << ": killed by signal " << number << " ("
          << kNames[index] << ")";
    words.say();
  }
  ::sigaction(number, &former[index], nullptr);
  // A fault happens again when this returns, now for the former handler. What was sent has to be sent again.
  const bool happens_again = info->si_code > 0 && number != SIGABRT && number != SIGTRAP && number != SIGSYS;
  if (!happens_again) (void)::syscall(SYS_tgkill, ::getpid(), this_thread(), number);
}

void on_exit_of_program(int status, void*) {
  last_words_of_exit("exit", status);
}

// The status is not told.
void on_quick_exit() {
  last_words_of_exit("quick_exit", std::nullopt);
}

// The stack on which this thread's faults are handled, for the life of the thread.
struct SignalStack {
  SignalStack() {
    stack_t present{};
    if (::sigaltstack(nullptr, &present) != 0 || (present.ss_flags & SS_DISABLE) == 0)
      return;  // a sanitizer's
    memory =
        ::mmap(nullptr, kSignalStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) return;
    stack_t stack{};
    stack.ss_sp = memory;
    stack.ss_size = kSignalStack;
    ::sigaltstack(&stack, nullptr);
  }
  ~SignalStack() {
    if (memory == MAP_FAILED) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
    ::munmap(memory, kSignalStack);
  }
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

  void* memory = MAP_FAILED;
};

void give_signal_stack() {
  static thread_local const SignalStack stack;
  (void)stack;
}

struct Search {
  std::uintptr_t wanted;
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

int look_at_library(dl_phdr_info* info, std::size_t, void* data) {
  auto& search = *static_cast<Search*>(data);
  std::uintptr_t begin = UINTPTR_MAX;
  std::uintptr_t end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD) continue;
    begin = std::min<std::uintptr_t>(begin, info->dlpi_addr + header.p_vaddr);
    end = std::max<std::uintptr_t>(end, info->dlpi_addr + header.p_vaddr + header.p_memsz);
  }
  if (search.wanted < begin || search.wanted >= end) return 0;
  search.begin = begin;
  search.end = end;
  return 1;
}

}  // namespace

ForeignCall::ForeignCall(std::string_view whose, std::string_view where) : record_(nullptr) {
  for (ForeignRecord& each : records) {
    pid_t expected = 0;
    if (!each.thread.compare_exchange_strong(expected, -1)) continue;
    set_text(each.whose, whose);
    set_text(each.where, where);
    each.order = ++calls;
    each.thread.store(this_thread(), std::memory_order_release);
    record_ = &each;
    return;
  }
}

ForeignCall::~ForeignCall() {
  if (record_ != nullptr) record_->thread.store(0, std::memory_order_release);
}

void note_foreign_library(std::string_view whose, const void* address) {
  if (Library* const known = library_at(address)) {
    known->valid = false;
    set_text(known->whose, whose);
    known->valid.store(true, std::memory_order_release);
    return;
  }
  Search search{.wanted = reinterpret_cast<std::uintptr_t>(address)};
  if (::dl_iterate_phdr(look_at_library, &search) == 0) return;
  const std::size_t place = library_count++;
  if (place >= libraries.size()) return;
  Library& library = libraries[place];
  library.begin = search.begin;
  library.end = search.end;
  set_text(library.whose, whose);
  library.valid.store(true, std::memory_order_release);
}

void report_crashes_of_foreign_code() {
  if (is_reporting.exchange(true)) return;
  // Its first call loads a library, which a handler must not.
  std::array<void*, 1> frame{};
  ::backtrace(frame.data(), 1);
  give_signal_stack();
  set_thread_prologue(give_signal_stack);
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kFaults.size(); ++i) ::sigaction(kFaults[i], &action, &former[i]);
  ::on_exit(on_exit_of_program, nullptr);
  std::at_quick_exit(on_quick_exit);
}

void last_words_of_exit(const char* how, std::optional<int> status) {
  const Culprit who = culprit();
  if (who.whose == nullptr) return;
  LastWords words;
  words << "hostmesh: " << who.whose << " ended the program with " << how << "(";
  if (status) words << *status;
  words << ") " << who.where;
  words.say();
}

}  // namespace hostmesh
