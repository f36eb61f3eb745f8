#include <gtest/gtest.h>

#include <csignal>
#include <thread>

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
#if defined(__SANITIZE_THREAD__)
  std::thread([] {}).join();  // the sanitizer's own thread comes with the first one; tests count threads
#endif
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
