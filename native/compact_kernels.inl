// State in 16 bits (compact_state.h) for the kernels of one instruction set. Included by kernels_float.inl after kernels.inl,
// with the same names; needs vec_words.h.

// The rows of a group's packs, and the draws by which they are rounded.
template <class G>
struct CompactAddresses {
  std::uint16_t* at[groupSize<G>];
  std::uint32_t index[groupSize<G>];
  float hiddenRange;
  std::uint32_t seed;

  CompactAddresses(const AdvanceTask<T>& task, std::size_t first)
      : hiddenRange(task.compact.hiddenRange), seed(task.compact.seed) {
    for (int k = 0; k < groupSize<G>; ++k, first += Lanes::width) {
      at[k] = task.compact.blocks + first / kBlock * compactBlockSize(*task.config);
      index[k] = task.compact.firstIndex + static_cast<std::uint32_t>(first);
    }
  }
};

template <class G, class Shape>
LO_INLINE void loadCoordinates(const Shape& shape, const CompactAddresses<G>& from, Coordinates<G, Shape>& c) {
  const int H = shape.hidden(), S = shape.timescales();
  LO_UNROLL for (int k = 0; k < groupSize<G>; ++k) {
    const std::uint16_t* row = from.at[k];
    for (int j = 0; j < H; ++j, row += kBlock) part(c.hidden[j], k) = packOfFixed(loadRow(row), from.hiddenRange);
    for (int s = 0; s < S; ++s, row += kBlock) part(c.momentum[s], k) = packOfBfloat16(loadRow(row));
    for (int s = 0; s < S; ++s, row += kBlock) part(c.scale[s], k) = packOfBfloat16(loadRow(row));
    part(c.logRate, k) = Lanes::load(reinterpret_cast<const float*>(row));
  }
}

// Values that the format has, such as those of a skipped coordinate, stay as they are, whatever the draw.
template <class G, class Shape>
LO_INLINE void storeCoordinates(const Shape& shape, const CompactAddresses<G>& to, const Coordinates<G, Shape>& c) {
  const int H = shape.hidden(), S = shape.timescales();
  LO_UNROLL for (int k = 0; k < groupSize<G>; ++k) {
    std::uint16_t* row = to.at[k];
    Words draws = firstDrawsFrom(to.index[k], to.seed);
    std::uint16_t* momentum = row + static_cast<std::size_t>(H) * kBlock;
    std::uint16_t* scale = momentum + static_cast<std::size_t>(S) * kBlock;
    for (int s = 0; s < S; ++s, momentum += kBlock, scale += kBlock) {
      storeRow(momentum, bfloat16Words(part(c.momentum[s], k)) + halvesOf(draws, false));
      storeRow(scale, bfloat16Words(part(c.scale[s], k)) + halvesOf(draws, true));
      draws = nextDraws(draws);
    }
    for (int j = 0; j < H; ++j, row += kBlock) {
      storeRow(row, fixedWords(part(c.hidden[j], k), to.hiddenRange) + halvesOf(draws, j % 2 == 1));
      if (j % 2 == 1) draws = nextDraws(draws);
    }
    Lanes::store(reinterpret_cast<float*>(scale), part(c.logRate, k));
  }
}

struct CompactState {
  template <class G>
  using Addresses = CompactAddresses<G>;

  template <class G, class Shape>
  static LO_INLINE void holdAdvanced(const Shape& shape, Coordinates<G, Shape>& c) {
    for (int s = 0; s < shape.timescales(); ++s) c.scale[s] = max_(c.scale[s], G(kSmallestScale));
  }
};
