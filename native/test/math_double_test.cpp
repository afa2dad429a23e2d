// σ and tanh on packs of doubles against the C library in extended precision, where there is one. The bounds are those that
// math_double.h states.
#include <algorithm>
#include <cmath>

#include "support.h"
#include "vector_math.h"

namespace lo::test {

namespace {

// Distance between a result and the exact value, in units of the exact value's last place.
double ulps(double actual, long double exact) {
  const int exponent = exact == 0 ? -1022 : std::max(std::ilogb(exact), -1022);
  return static_cast<double>(std::abs(static_cast<long double>(actual) - exact) / std::ldexp(1.0L, exponent - 52));
}

long double exactSigmoid(double x) { return 1.0L / (1.0L + std::exp(-static_cast<long double>(x))); }
long double exactTanh(double x) { return std::tanh(static_cast<long double>(x)); }

// Arguments of both signs: magnitudes from 2^-60 to `largest`, dense where the functions change, and special ones.
std::vector<double> arguments(double largest) {
  std::vector<double> list = {0.0, -0.0, largest, -largest, 5e-324, -5e-324, 0.34657359027997264, 0.17328679513998632};
  Random random(31);
  const int samples = kQuick ? 20000 : 1000000;
  for (int i = 0; i < samples; ++i) {
    const double sign = random.uniform() < 0.5 ? -1 : 1;
    const double scale = i % 2 == 0 ? 40 * random.uniform() : std::exp2(-60 + 66 * random.uniform());
    list.push_back(sign * std::min(scale, largest));
  }
  for (double x = -largest; x <= largest; x += largest / 5000) list.push_back(x);
  list.resize((list.size() + 7) / 8 * 8, 0.0);
  return list;
}

double largestError(const VectorMath& math, DoubleFunction f, const std::vector<double>& in,
                    long double (*exact)(double)) {
  std::vector<double> out(in.size());
  math.applyDouble(f, in.data(), out.data(), in.size());
  double worst = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const double error = ulps(out[i], exact(in[i]));
    worst = std::isnan(error) ? INFINITY : std::max(worst, error);
  }
  return worst;
}

std::vector<const VectorMath*> testedMath() {
  std::vector<const VectorMath*> list;
  for (const Kernels<float>* kernels : testedKernels()) {
    for (const VectorMath* math : {baselineMath(), avx2Math(), avx512Math(), neonMath()}) {
      if (math != nullptr && std::string(math->isa) == kernels->isa) list.push_back(math);
    }
  }
  return list;
}

}  // namespace

TEST("sigmoid and tanh of doubles stay within 4 units of the last place") {
  for (const VectorMath* math : testedMath()) {
    const double sigmoid = largestError(*math, DoubleFunction::kSigmoid, arguments(700), exactSigmoid);
    const double tanh = largestError(*math, DoubleFunction::kTanh, arguments(700), exactTanh);
    report("%-8s sigmoid %.3g ulp, tanh %.3g ulp (bound 4)", math->isa, sigmoid, tanh);
    CHECK_AT_MOST(sigmoid, 4.0, std::string(math->isa));
    CHECK_AT_MOST(tanh, 4.0, std::string(math->isa));
  }
}

TEST("sigmoid and tanh of doubles are exact at zero and end at their limits") {
  const std::vector<double> in = {0.0, -0.0, 1e300, -1e300, INFINITY, -INFINITY, 710, -710};
  std::vector<double> out(8);
  for (const VectorMath* math : testedMath()) {
    math->applyDouble(DoubleFunction::kTanh, in.data(), out.data(), 8);
    CHECK_SAME_BITS(out, (std::vector<double>{0.0, -0.0, 1, -1, 1, -1, 1, -1}));
    math->applyDouble(DoubleFunction::kSigmoid, in.data(), out.data(), 8);
    CHECK_EQUAL(out[0], 0.5);
    CHECK_EQUAL(out[1], 0.5);
    for (const std::size_t i : {2u, 4u, 6u}) CHECK_EQUAL(out[i], 1.0);
    for (const std::size_t i : {3u, 5u, 7u}) CHECK(out[i] >= 0 && out[i] < 1e-300);
  }
}

}  // namespace lo::test
