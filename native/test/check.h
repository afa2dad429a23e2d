// A small test harness: tests register themselves, checks count and report, `runTests` prints one closing line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

namespace lo::test {

using Body = void (*)();

struct Registration {
  Registration(const char* statement, Body body);
};

// Counts one check; prints where and why if it does not hold. Called from the main thread only.
bool check(bool holds, const char* file, int line, const std::string& what);

// Runs the tests whose statement contains `filter` and returns the number of failed checks.
std::size_t runTests(const std::string& filter, const std::string& label);

// Prints a measured value and the bound it is held to, so that a log shows how much room is left.
void report(const char* format, ...);

template <class T>
std::string text(const T& value) {
  std::ostringstream out;
  out.precision(9);
  out << value;
  return out.str();
}

// Index of the first element whose bits differ, or the size.
template <class T>
std::size_t firstDifference(const std::vector<T>& a, const std::vector<T>& b) {
  std::size_t i = 0;
  while (i < a.size() && std::memcmp(&a[i], &b[i], sizeof(T)) == 0) ++i;
  return i;
}

template <class T>
bool checkSameBits(const std::vector<T>& a, const std::vector<T>& b, const char* file, int line, const char* what) {
  if (a.size() != b.size()) return check(false, file, line, std::string(what) + ": sizes differ");
  const std::size_t i = firstDifference(a, b);
  if (i == a.size()) return check(true, file, line, what);
  return check(false, file, line,
               std::string(what) + ": element " + text(i) + " is " + text(a[i]) + ", expected " + text(b[i]));
}

}  // namespace lo::test

#define LO_JOIN_(a, b) a##b
#define LO_JOIN(a, b) LO_JOIN_(a, b)
#define TEST(statement)                                                                                  \
  static void LO_JOIN(test_, __LINE__)();                                                                \
  static const ::lo::test::Registration LO_JOIN(registration_, __LINE__)(statement, LO_JOIN(test_, __LINE__)); \
  static void LO_JOIN(test_, __LINE__)()

#define CHECK(condition) ::lo::test::check((condition), __FILE__, __LINE__, #condition)
#define CHECK_WITH(condition, context) \
  ::lo::test::check((condition), __FILE__, __LINE__, std::string(#condition " with ") + (context))
#define CHECK_EQUAL(actual, expected)                                                                    \
  ::lo::test::check((actual) == (expected), __FILE__, __LINE__,                                          \
                    std::string(#actual " is ") + ::lo::test::text(actual) + ", expected " + ::lo::test::text(expected))
#define CHECK_AT_MOST(value, bound, context)                                                             \
  ::lo::test::check((value) <= (bound), __FILE__, __LINE__,                                              \
                    std::string(#value " is ") + ::lo::test::text(value) + ", allowed " + ::lo::test::text(bound) + \
                        ", " + (context))
#define CHECK_SAME_BITS(actual, expected) ::lo::test::checkSameBits((actual), (expected), __FILE__, __LINE__, #actual)
