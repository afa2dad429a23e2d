// The 16-bit formats of the state: errors over the whole range, the same bits on every instruction set, and roundings whose
// mean is the value.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "../compact_state.h"
#include "support.h"
#include "vector_math.h"

namespace lo::test {

namespace {

constexpr Half kFormats[] = {Half::kBfloat16, Half::kFixed};
constexpr float kRanges[] = {1, 2, 64};

std::vector<const VectorMath*> everyMath() {
  std::vector<const VectorMath*> list;
  for (const VectorMath* math : {scalarMath(), baselineMath(), avx2Math(), avx512Math(), neonMath()}) {
    if (math == nullptr) continue;
    // Not compiled in, or not runnable here.
    bool runs = math == scalarMath();
    for (const Kernels<float>* kernels : everyKernel()) runs = runs || std::string(kernels->isa) == math->isa;
    if (runs) list.push_back(math);
  }
  return list;
}

// Values of all magnitudes that a format has to hold, and some beyond.
std::vector<float> valuesFor(Half format, std::size_t count, float range, Random& random) {
  std::vector<float> values(count);
  for (float& v : values) {
    const double fixed = 1.2 * static_cast<double>(range) * (2 * random.uniform() - 1) * std::pow(2, -15 * random.uniform());
    const double floating = random.normal() * std::pow(10, 60 * random.uniform() - 36);
    v = static_cast<float>(format == Half::kFixed ? fixed : floating);
  }
  return values;
}

std::vector<float> rounded(const VectorMath& math, Half format, const std::vector<float>& in, const HalfRounding& by) {
  std::vector<float> out(in.size());
  math.roundHalves(format, in.data(), out.data(), in.size(), by);
  return out;
}

}  // namespace

TEST("bfloat16 holds every float up to 3.38e38 to 2^-8 of itself, the smallest to 2^-134, and never becomes infinite") {
  double relative = 0, absolute = 0;
  for (std::uint32_t bits = 0; bits < 0x7f800000u; bits += kQuick ? 10007 : 37) {
    for (const std::uint32_t sign : {0u, 0x80000000u}) {
      const float x = bitsToFloat(bits | sign), y = fromBfloat16(toBfloat16(x));
      const double error = std::fabs(static_cast<double>(y) - static_cast<double>(x));
      CHECK(std::isfinite(y) && std::signbit(y) == std::signbit(x));
      if (bits < 0x00800000u) {
        absolute = std::max(absolute, error);
      } else if (bits <= 0x7f7f8000u) {
        relative = std::max(relative, error / std::fabs(static_cast<double>(x)));
      }
    }
  }
  report("bfloat16: relative error %.3g, allowed %.3g; below the normal numbers %.3g, allowed %.3g", relative, 0x1p-8,
         absolute, 0x1p-134);
  CHECK_AT_MOST(relative, 0x1p-8, "normal numbers");
  CHECK_AT_MOST(absolute, 0x1p-134, "below the normal numbers");
  CHECK_EQUAL(fromBfloat16(toBfloat16(3.4028235e38f)), bitsToFloat(0x7f7f0000u));
  CHECK_EQUAL(fromBfloat16(toBfloat16(-INFINITY)), -bitsToFloat(0x7f7f0000u));
}

TEST("a scale above 0 stays above 0 in 16 bits, and 0 stays 0") {
  for (const float x : {1e-45f, 1e-40f, 1.1e-38f, 1.2e-38f, 1e-28f}) {
    CHECK(fromBfloat16(toScaleBfloat16(x)) >= kSmallestScale);
  }
  CHECK_EQUAL(toScaleBfloat16(0.0f), std::uint16_t{0});
}

TEST("fixed point holds every value of its range to 2^-16 of the range and clamps those beyond") {
  for (const float range : kRanges) {
    double worst = 0;
    const float largest = range * (1 - 0x1p-15f);
    for (int i = -100000; i <= 100000; ++i) {
      const float x = largest * static_cast<float>(i) / 100000.0f;
      const double kept = static_cast<double>(fromFixed(toFixed(x, range), range));
      worst = std::max(worst, std::fabs(kept - static_cast<double>(x)));
    }
    const double allowed = 0x1p-16 * static_cast<double>(range);
    report("fixed point, range %g: error %.3g, allowed %.3g", static_cast<double>(range), worst, allowed);
    CHECK_AT_MOST(worst, allowed, "range " + text(range));
    for (const float beyond : {range, 1.5f * range, 1e6f, INFINITY}) {
      CHECK_EQUAL(fromFixed(toFixed(beyond, range), range), largest);
      CHECK_EQUAL(fromFixed(toFixed(-beyond, range), range), -range);
    }
  }
}

TEST("every 16-bit value survives the way to float and back, to the nearest and by every draw") {
  for (std::uint32_t half = 0; half < 0x10000u; ++half) {
    const std::uint16_t h = static_cast<std::uint16_t>(half);
    const bool finite = (half & 0x7f80u) != 0x7f80u;
    for (const std::uint32_t draw : {0u, 1u, 0x7fffu, 0x8000u, 0xffffu}) {
      if (finite) CHECK(roundedBy(floatToBits(fromBfloat16(h)), draw) == h);
      CHECK(roundedBy(fixedWord(fromFixed(h, 2), 2), draw) == h);
    }
    if (finite) CHECK(toBfloat16(fromBfloat16(h)) == h);
    CHECK(toFixed(fromFixed(h, 2), 2) == h);
  }
}

TEST("every instruction set rounds to the same bits") {
  Random random(61);
  const std::size_t count = kQuick ? 1600 : 160000;
  for (const Half format : kFormats) {
    for (const float range : kRanges) {
      std::vector<float> in = valuesFor(format, count, range, random);
      const float edges[] = {0.0f, -0.0f, range, -range, 1e6f, -1e6f, 1e-45f, -1e-45f};
      std::copy(std::begin(edges), std::end(edges), in.begin() + 3);
      for (int draw = 0; draw < 20; draw += 3) {
        const HalfRounding by{range, 0xfffffff0u, roundingSeed(static_cast<std::uint64_t>(draw)), draw};
        const std::vector<float> expected = rounded(*scalarMath(), format, in, by);
        for (const VectorMath* math : everyMath()) CHECK_SAME_BITS(rounded(*math, format, in, by), expected);
      }
    }
  }
}

TEST("stochastic rounding gives a neighbour of the value, and the value itself in the mean over steps and coordinates") {
  Random random(62);
  const int values = 50, coordinates = 512, steps = kQuick ? 8 : 64;
  for (const Half format : kFormats) {
    const std::vector<float> samples = valuesFor(format, values, 1, random);
    // A sum of z² over independent values is their number, ± a few of its roots, if all means are right.
    double sum = 0;
    int counted = 0;
    for (const float sample : samples) {
      const float x = format == Half::kFixed ? std::min(std::max(sample, -0.99f), 0.99f) : sample;
      // The two neighbours: what the least and the largest draw give.
      const auto by = [&](std::uint32_t draw) {
        return static_cast<double>(format == Half::kFixed ? fromFixed(roundedBy(fixedWord(x, 1), draw), 1)
                                                          : fromBfloat16(roundedBy(floatToBits(x), draw)));
      };
      const double low = by(0), high = by(0xffff), exact = static_cast<double>(x);
      if (low == high) continue;
      const double share = (exact - low) / (high - low);
      CHECK(share >= 0 && share <= 1);
      // Nearly exact ones tell nothing in so few draws.
      if (share < 0.02 || share > 0.98) continue;
      double ups = 0;
      for (int step = 0; step < steps; ++step) {
        const HalfRounding rounding{1, 0, roundingSeed(static_cast<std::uint64_t>(step)), counted % 14};
        for (const float y : rounded(*scalarMath(), format, std::vector<float>(coordinates, x), rounding)) {
          CHECK(static_cast<double>(y) == low || static_cast<double>(y) == high);
          ups += static_cast<double>(y) == high;
        }
      }
      const double n = static_cast<double>(steps) * coordinates;
      const double z = (ups - n * share) / std::sqrt(n * share * (1 - share));
      CHECK_AT_MOST(std::fabs(z), 4.5, "value " + text(x));
      sum += z * z;
      ++counted;
    }
    report("%d values: sum of squared deviations %.1f", counted, sum);
    CHECK(counted > 25);
    CHECK_AT_MOST(std::fabs(sum - counted), 5 * std::sqrt(2.0 * counted), "sum of squared deviations");
  }
}

TEST("draws of neighbouring steps, coordinates and fields do not follow each other") {
  const int steps = kQuick ? 20 : 200, coordinates = 512;
  // Correlations of a draw with another one of the same coordinate, of the next coordinate, and of the next step.
  double same[3] = {}, next = 0, later = 0, squares = 0;
  const auto draw = [](std::uint32_t word, bool upper) {
    return static_cast<double>(upper ? word >> 16 : word & 0xffffu) / 65535 - 0.5;
  };
  for (int step = 0; step < steps; ++step) {
    const std::uint32_t seed = roundingSeed(static_cast<std::uint64_t>(step));
    const std::uint32_t following = roundingSeed(static_cast<std::uint64_t>(step + 1));
    for (std::uint32_t i = 0; i < coordinates; ++i) {
      const std::uint32_t word = firstDraws(i, seed);
      const double upper = draw(word, true);
      squares += upper * upper;
      same[0] += upper * draw(word, false);
      same[1] += upper * draw(nextDraws(word), true);
      same[2] += upper * draw(nextDraws(nextDraws(word)), true);
      next += upper * draw(firstDraws(i + 1, seed), true);
      later += upper * draw(firstDraws(i, following), true);
    }
  }
  const double limit = 5 / std::sqrt(static_cast<double>(steps) * coordinates);
  for (const double sum : {same[0], same[1], same[2], next, later}) {
    CHECK_AT_MOST(std::fabs(sum / squares), limit, "correlation");
  }
  CHECK_AT_MOST(std::fabs(12 * squares / steps / coordinates - 1), limit, "variance of a uniform number");
}

}  // namespace lo::test
