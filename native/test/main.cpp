// native_tests [text]: runs the tests whose statement contains `text`, on the instruction set that LEARNED_OPTIMIZER_ISA
// names or on every one this machine has. Exit code 77: the named one is not available here.
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "check.h"
#include "support.h"

namespace lo::test {

namespace {

struct Entry {
  const char* statement;
  Body body;
};

std::vector<Entry>& registry() {
  static std::vector<Entry> entries;
  return entries;
}

std::size_t checks = 0;
std::size_t failures = 0;
const char* running = "";
// A broken kernel fails every coordinate; the first failures say enough.
constexpr std::size_t kShownFailures = 12;

}  // namespace

Registration::Registration(const char* statement, Body body) { registry().push_back({statement, body}); }

bool check(bool holds, const char* file, int line, const std::string& what) {
  ++checks;
  if (holds) return true;
  ++failures;
  if (failures <= kShownFailures) {
    std::printf("FAILED: %s\n  %s:%d: %s\n", running, file, line, what.c_str());
    std::fflush(stdout);
  }
  return false;
}

void report(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  std::printf("  ");
  std::vprintf(format, arguments);
  std::printf("\n");
  va_end(arguments);
}

std::size_t runTests(const std::string& filter, const std::string& label) {
  std::size_t tests = 0;
  for (const Entry& entry : registry()) {
    if (std::string(entry.statement).find(filter) == std::string::npos) continue;
    ++tests;
    running = entry.statement;
    std::printf("%s\n", running);
    std::fflush(stdout);
    entry.body();
  }
  std::printf("%s: %zu tests, %zu checks, %zu failures\n", label.c_str(), tests, checks, failures);
  // A filter that matches nothing must not look like success.
  return tests == 0 ? 1 : failures;
}

}  // namespace lo::test

int main(int argc, char** argv) {
  using namespace lo::test;
  constexpr int kSkip = 77;
  const char* forced = std::getenv("LEARNED_OPTIMIZER_ISA");
  const std::string name = forced == nullptr ? "" : forced;
  if (!isKnownIsa(name)) {
    std::printf("LEARNED_OPTIMIZER_ISA: expected avx512, avx2, baseline, neon or portable, got '%s'\n", name.c_str());
    return 2;
  }
  if (!selectIsa(name)) {
    std::printf("%s is not available on this machine or in this build; skipped\n", name.c_str());
    return kSkip;
  }
  return runTests(argc > 1 ? argv[1] : "", name.empty() ? "all instruction sets" : name) == 0 ? 0 : 1;
}
