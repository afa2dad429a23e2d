// Rounding to 16 bits on packs (vec_words.h), for the vector_math_*.cpp of vector units; see vector_math.inl.

namespace lo {
namespace LO_ISA_NAMESPACE {
namespace {

void roundHalves(test::Half format, const float* in, float* out, std::size_t count, const test::HalfRounding& by) {
  for (std::size_t i = 0; i < count; i += kPackWidth) {
    const Pack x = Pack::load(in + i);
    Words draws = firstDrawsFrom(by.index + static_cast<std::uint32_t>(i), by.seed);
    for (int k = 1; k < by.draw; k += 2) draws = nextDraws(draws);
    const Words draw = halvesOf(draws, by.draw % 2 == 1);
    std::uint16_t row[kPackWidth];
    if (format == test::Half::kFixed) {
      storeRow(row, fixedWords(x, by.range) + draw);
      packOfFixed(loadRow(row), by.range).store(out + i);
    } else {
      storeRow(row, bfloat16Words(x) + draw);
      packOfBfloat16(loadRow(row)).store(out + i);
    }
  }
}

}  // namespace
}  // namespace LO_ISA_NAMESPACE
}  // namespace lo
