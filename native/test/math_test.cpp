// The transcendental functions against the C library in double, over every range they are used on. The bounds are those
// that math.h states.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>

#include "support.h"
#include "vector_math.h"

namespace lo::test {

namespace {

constexpr std::uint32_t kOne = 0x3f800000u, kSmallestNormal = 0x00800000u, kLargest = 0x7f7fffffu, kSign = 0x80000000u;

float fromBits(std::uint32_t bits) {
  float f;
  std::memcpy(&f, &bits, sizeof f);
  return f;
}
std::uint32_t toBits(float f) {
  std::uint32_t bits;
  std::memcpy(&bits, &f, sizeof bits);
  return bits;
}

// Distance between a float result and the exact value, in units of the exact value's last place.
double ulps(float actual, double exact) {
  const int exponent = exact == 0 ? -126 : std::max(std::ilogb(exact), -126);
  return std::abs(static_cast<double>(actual) - exact) / std::ldexp(1.0, exponent - 23);
}
double absolute(float actual, double exact) { return std::abs(static_cast<double>(actual) - exact); }
double relative(float actual, double exact) {
  return exact == 0 ? (actual == 0 ? 0 : INFINITY) : absolute(actual, exact) / std::abs(exact);
}

// Every how many floats one is tried; 1 tries all (LEARNED_OPTIMIZER_MATH_STRIDE).
std::uint32_t stride() {
  if (const char* value = std::getenv("LEARNED_OPTIMIZER_MATH_STRIDE")) {
    return static_cast<std::uint32_t>(std::max(1, std::atoi(value)));
  }
  return kQuick ? 50021 : 1009;
}

using Error = std::function<double(float actual, float x)>;

struct Largest {
  double error = 0;
  float at = 0;
};

// Largest error over the floats whose bits lie in [first, last]: a sample, plus all of both ends.
void measure(const VectorMath& math, Function f, std::uint32_t first, std::uint32_t last, const Error& error,
             Largest& worst) {
  constexpr std::size_t batch = 4096;
  std::vector<float> in, out(batch);
  const auto flush = [&] {
    const std::size_t used = in.size();
    if (used == 0) return;
    in.resize(batch, in.front());
    math.apply(f, in.data(), out.data(), batch);
    for (std::size_t i = 0; i < used; ++i) {
      const double e = error(out[i], in[i]);
      if (!(e <= worst.error)) worst = {e, in[i]};
      if (std::isnan(e)) worst.error = INFINITY;
    }
    in.clear();
  };
  const auto add = [&](std::uint32_t bits) {
    in.push_back(fromBits(bits));
    if (in.size() == batch) flush();
  };
  const std::uint32_t step = stride(), ends = std::min<std::uint32_t>(2000, (last - first) / 2);
  for (std::uint32_t i = 0; i < ends; ++i) {
    add(first + i);
    add(last - i);
  }
  for (std::uint64_t bits = first; bits <= last;) {
    add(static_cast<std::uint32_t>(bits));
    // Nearly all of a function's change lies between 2^-7 and 2^7; there the sample is 33 times as dense.
    const std::uint32_t magnitude = static_cast<std::uint32_t>(bits) & ~kSign;
    const bool dense = magnitude >= toBits(0x1p-7f) && magnitude < toBits(0x1p7f);
    bits += dense ? std::max(1u, step / 33) : step;
  }
  flush();
}

// The same for negative and positive x with |x| ≤ `largest`, zeros and denormals included.
Largest measureBothSigns(const VectorMath& math, Function f, float largest, const Error& error) {
  Largest worst;
  measure(math, f, 0, toBits(largest), error, worst);
  measure(math, f, kSign, kSign | toBits(largest), error, worst);
  return worst;
}

std::vector<const VectorMath*> testedMath() {
  std::vector<const VectorMath*> list;
  for (const Kernels<float>* kernels : testedKernels()) {
    for (const VectorMath* math : {baselineMath(), avx2Math(), avx512Math(), neonMath(), scalarMath()}) {
      if (math == nullptr) continue;
      const std::string isa = math->isa;
      if (isa == kernels->isa || (isa == "scalar" && std::string(kernels->isa) == "portable")) list.push_back(math);
    }
  }
  return list;
}

void hold(const VectorMath& math, const char* what, const Largest& worst, double bound) {
  report("%-8s %-42s %.3g at %.9g (bound %.3g)", math.isa, what, worst.error, static_cast<double>(worst.at), bound);
  CHECK_AT_MOST(worst.error, bound, std::string(math.isa) + " " + what + " at " + text(worst.at));
}

double exactLog(float x) { return std::log(static_cast<double>(x)); }

}  // namespace

TEST("log errs by at most 2 ulp or 1.2e-7 over all positive normal floats") {
  for (const VectorMath* math : testedMath()) {
    Largest worst, near;
    measure(*math, Function::kLog, kSmallestNormal, kLargest, [](float y, float x) {
      return absolute(y, exactLog(x)) <= 1.2e-7 ? 0 : ulps(y, exactLog(x));
    }, worst);
    hold(*math, "log, ulp where beyond 1.2e-7", worst, 2);
    // Every float around 1, where the logarithm changes sign.
    for (std::uint32_t begin : {toBits(0.7f), kOne - 2000, kOne, toBits(1.42f)}) {
      measure(*math, Function::kLog, begin - 2000, begin + 2000,
              [](float y, float x) { return absolute(y, exactLog(x)); }, near);
    }
    hold(*math, "log near 1, absolute", near, 1.2e-7);
  }
}

TEST("exp errs by at most 2 ulp on [-87, 88] and is constant beyond") {
  for (const VectorMath* math : testedMath()) {
    Largest worst;
    const Error error = [](float y, float x) { return ulps(y, std::exp(static_cast<double>(x))); };
    measure(*math, Function::kExp, 0, toBits(88.0f), error, worst);
    measure(*math, Function::kExp, kSign, kSign | toBits(87.0f), error, worst);
    hold(*math, "exp, ulp", worst, 2);

    Largest beyond;
    measure(*math, Function::kExp, toBits(88.0f), kLargest + 1, [](float y, float) { return ulps(y, std::exp(88.0)); },
            beyond);
    measure(*math, Function::kExp, kSign | toBits(87.0f), kSign | (kLargest + 1),
            [](float y, float) { return ulps(y, std::exp(-87.0)); }, beyond);
    hold(*math, "exp beyond its range (infinities too), ulp", beyond, 2);
  }
}

TEST("tanh errs by at most 4e-7, absolutely and relatively, over all floats") {
  for (const VectorMath* math : testedMath()) {
    const float infinity = fromBits(kLargest + 1);
    hold(*math, "tanh, absolute", measureBothSigns(*math, Function::kTanh, infinity, [](float y, float x) {
           return absolute(y, std::tanh(static_cast<double>(x)));
         }), 4e-7);
    Largest worst;
    const Error error = [](float y, float x) { return relative(y, std::tanh(static_cast<double>(x))); };
    measure(*math, Function::kTanh, kSmallestNormal, kLargest, error, worst);
    measure(*math, Function::kTanh, kSign | kSmallestNormal, kSign | kLargest, error, worst);
    hold(*math, "tanh of normal floats, relative", worst, 4e-7);
  }
}

TEST("sigmoid errs by at most 2.5e-7 over all floats") {
  for (const VectorMath* math : testedMath()) {
    const Error error = [](float y, float x) { return absolute(y, 1 / (1 + std::exp(-static_cast<double>(x)))); };
    const Largest worst = measureBothSigns(*math, Function::kSigmoid, fromBits(kLargest + 1), error);
    hold(*math, "sigmoid, absolute", worst, 2.5e-7);
  }
}

TEST("a decay and its complement err by at most 4e-7 relatively on [-87, 87]") {
  for (const VectorMath* math : testedMath()) {
    hold(*math, "decay, relative", measureBothSigns(*math, Function::kDecay, 87.0f, [](float y, float x) {
           return relative(y, 1 / (1 + std::exp(-static_cast<double>(x))));
         }), 4e-7);
    hold(*math, "complement, relative", measureBothSigns(*math, Function::kDecayComplement, 87.0f, [](float y, float x) {
           return relative(y, 1 / (1 + std::exp(static_cast<double>(x))));
         }), 4e-7);
  }
}

TEST("a decay and its complement are positive and exceed 1 by at most an ulp over all floats") {
  for (const VectorMath* math : testedMath()) {
    const float infinity = fromBits(kLargest + 1);
    for (const Function f : {Function::kDecay, Function::kDecayComplement}) {
      const Error outside = [](float y, float) { return y > 0 && y <= fromBits(kOne + 1) ? 0.0 : 1.0; };
      const Largest worst = measureBothSigns(*math, f, infinity, outside);
      CHECK_AT_MOST(worst.error, 0, std::string(math->isa) + " at " + text(worst.at));
    }
  }
}

TEST("asinh errs by at most 4e-7 relatively for |x| up to 1.7e38") {
  for (const VectorMath* math : testedMath()) {
    const Error error = [](float y, float x) { return relative(y, std::asinh(static_cast<double>(x))); };
    Largest worst;
    for (const std::uint32_t sign : {0u, kSign}) {
      measure(*math, Function::kAsinh, sign | kSmallestNormal, sign | toBits(1.7e38f), error, worst);
      // Where the polynomial ends, and where the square would overflow.
      for (const float seam : {0.5f, 1e9f}) {
        measure(*math, Function::kAsinh, sign | (toBits(seam) - 2000), sign | (toBits(seam) + 2000), error, worst);
      }
    }
    hold(*math, "asinh of normal floats, relative", worst, 4e-7);
    const Largest finite = measureBothSigns(*math, Function::kAsinh, fromBits(kLargest), [](float y, float x) {
      return std::abs(y) < 90 && std::signbit(y) == std::signbit(x) ? 0.0 : 1.0;
    });
    CHECK_AT_MOST(finite.error, 0, std::string(math->isa) + " asinh is finite with the sign of x, at " + text(finite.at));
  }
}

TEST("sqrt is correctly rounded over all floats from 0") {
  for (const VectorMath* math : testedMath()) {
    Largest worst;
    measure(*math, Function::kSqrt, 0, kLargest + 1,
            [](float y, float x) { return y == std::sqrt(x) ? 0.0 : 1.0; }, worst);
    CHECK_AT_MOST(worst.error, 0, std::string(math->isa) + " sqrt of " + text(worst.at));
  }
}

TEST("the piecewise logarithm errs by at most 8e-6 from its definition, and from the logarithm by less than 0.06") {
  for (const VectorMath* math : testedMath()) {
    Largest worst, above, below;
    measure(*math, Function::kPiecewiseLog, kSmallestNormal, kLargest, [](float y, float x) {
      int e;
      const double m = 2 * std::frexp(static_cast<double>(x), &e);
      return absolute(y, std::log(2.0) * (e - 1 + m - 1));
    }, worst);
    hold(*math, "piecewise log, absolute", worst, 8e-6);
    measure(*math, Function::kPiecewiseLog, kSmallestNormal, kLargest,
            [](float y, float x) { return std::max(0.0, static_cast<double>(y) - exactLog(x)); }, above);
    hold(*math, "piecewise log above the logarithm", above, 8e-6);
    measure(*math, Function::kPiecewiseLog, kSmallestNormal, kLargest,
            [](float y, float x) { return std::max(0.0, exactLog(x) - static_cast<double>(y)); }, below);
    hold(*math, "piecewise log below the logarithm", below, 0.0598);
  }
}

TEST("the piecewise exponential errs by at most 8e-6 relatively from its definition on [-87, 88] and is constant beyond") {
  const auto exact = [](double x) {
    const double t = x / std::log(2.0), n = std::floor(t);
    return std::ldexp(1 + t - n, static_cast<int>(n));
  };
  for (const VectorMath* math : testedMath()) {
    Largest worst, ratio;
    const Error error = [&](float y, float x) { return relative(y, exact(static_cast<double>(x))); };
    measure(*math, Function::kPiecewiseExp, 0, toBits(88.0f), error, worst);
    measure(*math, Function::kPiecewiseExp, kSign, kSign | toBits(87.0f), error, worst);
    hold(*math, "piecewise exp, relative", worst, 8e-6);
    const Error fromExp = [](float y, float x) { return relative(y, std::exp(static_cast<double>(x))); };
    measure(*math, Function::kPiecewiseExp, 0, toBits(88.0f), fromExp, ratio);
    measure(*math, Function::kPiecewiseExp, kSign, kSign | toBits(87.0f), fromExp, ratio);
    hold(*math, "piecewise exp from exp, relative", ratio, 0.062);
    Largest beyond;
    measure(*math, Function::kPiecewiseExp, toBits(88.0f), kLargest + 1,
            [&](float y, float) { return relative(y, exact(88.0)); }, beyond);
    measure(*math, Function::kPiecewiseExp, kSign | toBits(87.0f), kSign | (kLargest + 1),
            [&](float y, float) { return relative(y, exact(-87.0)); }, beyond);
    hold(*math, "piecewise exp beyond its range", beyond, 8e-6);
  }
}

TEST("softsign and its sigmoid err by at most 1.2e-7 over all finite floats") {
  for (const VectorMath* math : testedMath()) {
    const float largest = fromBits(kLargest);
    hold(*math, "softsign, absolute", measureBothSigns(*math, Function::kSoftsign, largest, [](float y, float x) {
           return absolute(y, static_cast<double>(x) / (1 + std::abs(static_cast<double>(x))));
         }), 1.2e-7);
    hold(*math, "soft sigmoid, absolute", measureBothSigns(*math, Function::kSoftSigmoid, largest, [](float y, float x) {
           return absolute(y, 0.5 + 0.5 * static_cast<double>(x) / (0.5 + std::abs(static_cast<double>(x))));
         }), 1.2e-7);
  }
}

TEST("a piecewise decay and its complement are positive, at most 1, and sum to 1 within 2.4e-7") {
  for (const VectorMath* math : testedMath()) {
    const float infinity = fromBits(kLargest + 1);
    for (const Function f : {Function::kPiecewiseDecay, Function::kPiecewiseDecayComplement}) {
      const Largest worst = measureBothSigns(*math, f, infinity, [](float y, float) {
        return y > 0 && y <= fromBits(kOne + 1) ? 0.0 : 1.0;
      });
      CHECK_AT_MOST(worst.error, 0, std::string(math->isa) + " at " + text(worst.at));
    }
    Random random(5);
    for (int round = 0; round < 2000; ++round) {
      const std::vector<float> x(16, static_cast<float>(20 * random.normal()));
      std::vector<float> decay(16), complement(16);
      math->apply(Function::kPiecewiseDecay, x.data(), decay.data(), 16);
      math->apply(Function::kPiecewiseDecayComplement, x.data(), complement.data(), 16);
      CHECK_AT_MOST(std::abs(static_cast<double>(decay[0]) + static_cast<double>(complement[0]) - 1), 2.4e-7, text(x[0]));
    }
  }
}

TEST("the power of two below a float is exact over all positive normal floats") {
  for (const VectorMath* math : testedMath()) {
    Largest worst;
    measure(*math, Function::kPowerOfTwoBelow, kSmallestNormal, kLargest, [](float y, float x) {
      return static_cast<double>(y) == std::ldexp(1.0, std::ilogb(x)) ? 0.0 : 1.0;
    }, worst);
    CHECK_AT_MOST(worst.error, 0, std::string(math->isa) + " at " + text(worst.at));
  }
}

TEST("results do not depend on the lane") {
  for (const VectorMath* math : testedMath()) {
    Random random(11);
    for (const Function f : {Function::kLog, Function::kExp, Function::kTanh, Function::kSigmoid, Function::kDecay,
                             Function::kDecayComplement, Function::kAsinh, Function::kSqrt, Function::kPiecewiseLog,
                             Function::kPiecewiseExp, Function::kSoftsign, Function::kSoftSigmoid,
                             Function::kPiecewiseDecay, Function::kPiecewiseDecayComplement}) {
      for (int round = 0; round < 50; ++round) {
        const float x = static_cast<float>(std::exp(3 * random.normal()));
        std::vector<float> in(16, x), out(16);
        math->apply(f, in.data(), out.data(), 16);
        CHECK_SAME_BITS(out, std::vector<float>(16, out[0]));
        // The neighbours' values do not matter either.
        const std::size_t lane = random.below(16);
        std::vector<float> mixed(16, 1.5f), mixedOut(16);
        mixed[lane] = x;
        math->apply(f, mixed.data(), mixedOut.data(), 16);
        CHECK_EQUAL(toBits(mixedOut[lane]), toBits(out[0]));
      }
    }
  }
}

}  // namespace lo::test
