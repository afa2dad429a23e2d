// The functions of math_double.h, for the vector_math_*.cpp; see vector_math.inl.

namespace lo {
namespace LO_ISA_NAMESPACE {
namespace {

void applyDoubleFunction(test::DoubleFunction f, const double* in, double* out, std::size_t count) {
  using wide::DoublePack;
  for (std::size_t i = 0; i < count; i += wide::kDoublePackWidth) {
    const DoublePack x = DoublePack::load(in + i);
    const DoublePack y = f == test::DoubleFunction::kSigmoid ? sigmoid_(x) : tanh_(x);
    y.store(out + i);
  }
}

}  // namespace
}  // namespace LO_ISA_NAMESPACE
}  // namespace lo
