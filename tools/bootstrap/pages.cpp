#include "pages.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>

// Where this program begins in memory, where its code ends, and where its data lies; from the linker.
// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" const char __executable_start, etext, __data_start, edata;

#if defined(HOSTMESH_ENTRY)
// The program's entry point: what map_code() does, and the same for all data, before the C library relocates
// the program, which writes to most of the pages of the data. Nothing can be called yet, so these are two
// bare system calls, madvise with MADV_POPULATE_READ (22) and MADV_POPULATE_WRITE (23); then the usual entry
// point goes on with the registers and the stack as they were.
asm(R"(
  .text
  .globl hostmesh_entry
  .type hostmesh_entry, @function
hostmesh_entry:
  mov %rdx, %r8
  lea __executable_start(%rip), %rdi
  lea etext(%rip), %rsi
  sub %rdi, %rsi
  mov $22, %edx
  mov $28, %eax
  syscall
  lea etext + 4095(%rip), %rdi
  and $-4096, %rdi
  lea _end(%rip), %rsi
  sub %rdi, %rsi
  mov $23, %edx
  mov $28, %eax
  syscall
  mov %r8, %rdx
  jmp _start
  .size hostmesh_entry, . - hostmesh_entry
)");
#endif

namespace hostmesh {

namespace {

constexpr std::uintptr_t kPage = 4096;
bool is_forked = false;
// What a child uses of each from here on.
constexpr std::uintptr_t kHeapPages = 5;
constexpr std::uintptr_t kStackPages = 4;
constexpr std::uintptr_t kForkedHeapPages = 7;
constexpr std::uintptr_t kServerHeapPages = 3;

std::uintptr_t page_of(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) & ~(kPage - 1);
}

void map(std::uintptr_t begin, std::uintptr_t end, int how) {
  ::madvise(reinterpret_cast<void*>(begin), end - begin, how);
}

void map_code() {
  map(page_of(&__executable_start), reinterpret_cast<std::uintptr_t>(&etext), MADV_POPULATE_READ);
}

void map_data() {
  map(page_of(&__data_start), reinterpret_cast<std::uintptr_t>(&edata), MADV_POPULATE_WRITE);
}

void map_heap(std::uintptr_t before, std::uintptr_t pages) {
  // Large enough not to be one that was used before.
  constexpr std::size_t kFresh = 1024;
  void* const block = std::malloc(kFresh);
  if (block == nullptr) return;
  const std::uintptr_t begin = page_of(block) - before * kPage;
  map(begin, begin + pages * kPage, MADV_POPULATE_WRITE);
  std::free(block);
}

// What the C library keeps for this thread: malloc's lists of free blocks are beside it.
void map_thread() {
  const std::uintptr_t thread = page_of(__builtin_thread_pointer());
  map(thread, thread + 2 * kPage, MADV_POPULATE_WRITE);
}

void map_stack() {
  const std::uintptr_t here = page_of(__builtin_frame_address(0));
  map(here - kStackPages * kPage, here, MADV_POPULATE_WRITE);
}

}  // namespace

void map_pages() {
  if (is_forked) return;
#if !defined(HOSTMESH_ENTRY)
  map_code();
#endif
  map_stack();
  map_heap(0, kHeapPages);
}

void map_forked_pages() {
  map_stack();
  map_code();
  map_data();
  is_forked = true;
  map_thread();
  map_heap(1, kForkedHeapPages);
}

void map_server_pages() {
  map_thread();
  map_data();
  map_heap(1, kServerHeapPages);
}

}  // namespace hostmesh
