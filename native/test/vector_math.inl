// Body of the vector_math_*.cpp, each compiled for one instruction set. The including file defines LO_ISA_NAMESPACE, and
// LO_MATH_PACK: the number type. No standard library here: its inline functions would be shared with translation units
// compiled for other instruction sets.

namespace lo {
namespace LO_ISA_NAMESPACE {
namespace {

void applyFunction(test::Function f, const float* in, float* out, std::size_t count) {
  using test::Function;
  for (std::size_t i = 0; i < count; i += LO_MATH_WIDTH) {
    const LO_MATH_PACK x = LO_MATH_LOAD(in + i);
    LO_MATH_PACK y = x, other;
    switch (f) {
      case Function::kLog:
        y = log_(x);
        break;
      case Function::kExp:
        y = exp_(x);
        break;
      case Function::kTanh:
        y = tanh_(x);
        break;
      case Function::kSigmoid:
        y = sigmoid_(x);
        break;
      case Function::kDecay:
        sigmoidWithComplement(x, y, other);
        break;
      case Function::kDecayComplement:
        sigmoidWithComplement(x, other, y);
        break;
      case Function::kAsinh:
        y = asinh_(x);
        break;
      case Function::kSqrt:
        y = sqrt_(x);
        break;
      case Function::kPiecewiseLog:
        y = piecewiseLog_(x);
        break;
      case Function::kPiecewiseExp:
        y = piecewiseExp_(x);
        break;
      case Function::kSoftsign:
        y = softsign_(x);
        break;
      case Function::kSoftSigmoid:
        y = softSigmoid_(x);
        break;
      case Function::kPiecewiseDecay:
        piecewiseSigmoidWithComplement(x, y, other);
        break;
      case Function::kPiecewiseDecayComplement:
        piecewiseSigmoidWithComplement(x, other, y);
        break;
      case Function::kPowerOfTwoBelow:
        y = powerOfTwoBelow(x);
        break;
    }
    LO_MATH_STORE(out + i, y);
  }
}

}  // namespace
}  // namespace LO_ISA_NAMESPACE
}  // namespace lo
