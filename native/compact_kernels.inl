// State in 16 bits (compact_state.h) for the kernels of one instruction set: blocks are widened to floats, go through the
// stages, and are narrowed again. Included by kernels_float.inl before advance_stages.inl; needs vec_words.h.

template <class Shape>
LO_INLINE void widenBlock(const Shape& shape, const AdvanceTask<T>& task, std::size_t index, T* fields) {
  const int H = shape.hidden(), S = shape.timescales();
  const std::uint16_t* row = task.compact.blocks + index / kBlock * compactBlockSize(*task.config);
  for (int j = 0; j < H; ++j, row += kBlock, fields += kBlock) {
    packOfFixed(loadRow(row), task.compact.hiddenRange).store(fields);
  }
  for (int s = 0; s < 2 * S; ++s, row += kBlock, fields += kBlock) packOfBfloat16(loadRow(row)).store(fields);
  Lanes::load(reinterpret_cast<const T*>(row)).store(fields);
}

// Values that the format has, such as those of a skipped coordinate, stay as they are, whatever the draw.
template <class Shape>
LO_INLINE void narrowBlock(const Shape& shape, const AdvanceTask<T>& task, std::size_t index, const T* fields) {
  const int H = shape.hidden(), S = shape.timescales();
  const auto field = [fields](int f) { return P::load(fields + static_cast<std::size_t>(f) * kBlock); };
  std::uint16_t* row = task.compact.blocks + index / kBlock * compactBlockSize(*task.config);
  std::uint16_t* momentum = row + static_cast<std::size_t>(H) * kBlock;
  std::uint16_t* scale = momentum + static_cast<std::size_t>(S) * kBlock;
  Words draws = firstDrawsFrom(task.compact.firstIndex + static_cast<std::uint32_t>(index), task.compact.seed);
  for (int s = 0; s < S; ++s, momentum += kBlock, scale += kBlock) {
    storeRow(momentum, bfloat16Words(field(H + s)) + halvesOf(draws, false));
    storeRow(scale, bfloat16Words(field(H + S + s)) + halvesOf(draws, true));
    draws = nextDraws(draws);
  }
  for (int j = 0; j < H; ++j, row += kBlock) {
    storeRow(row, fixedWords(field(j), task.compact.hiddenRange) + halvesOf(draws, j % 2 == 1));
    if (j % 2 == 1) draws = nextDraws(draws);
  }
  field(H + 2 * S).store(reinterpret_cast<T*>(scale));
}

// λ of an advanced coordinate stays above 0, which would say that it has never been advanced.
template <class Shape>
LO_INLINE void holdScales(const Shape& shape, T* fields) {
  for (int s = 0; s < shape.timescales(); ++s) {
    T* const at = fields + static_cast<std::size_t>(shape.hidden() + shape.timescales() + s) * kBlock;
    max_(P::load(at), P(kSmallestScale)).store(at);
  }
}
