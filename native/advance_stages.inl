// Pass 1 for the path of nearly all coordinates, float: blocks whose gradients are all in range and finite go through the
// step of param_step.h stage by stage. Within a stage one register of coordinates after the other is worked on, with
// nothing between them that depends on the one before, so that their latencies overlap, and no more values than registers.
// What passes between stages lies in a panel, in the first-level cache. Included by kernels.inl's user inside its namespace.

using R = PackOf<1>;
constexpr int kParts = kRegs;
// Blocks that go through the stages together.
constexpr std::size_t kStageBlocks = 32 / kBlock;

LO_INLINE R partOf(const P& pack, int k) {
  R r;
  r.r[0] = pack.r[k];
  return r;
}
LO_INLINE void setPart(P& pack, int k, R value) { pack.r[k] = value.r[0]; }

// Values of one block between the stages.
template <class Shape>
struct StagePanel {
  Decays<P, Shape> decays;
  P logMagnitude[Shape::maxTimescales];
  P inputs[Shape::maxInputs + Shape::maxHidden];  // [x | h], then [x | r∘h]
  P gates[2 * Shape::maxHidden];
  P candidate[Shape::maxHidden];
  P direction;
};

template <class Shape>
LO_NOINLINE void decayStage(const Shape& shape, const Cell<T>& cell, const T* fields, StagePanel<Shape>& panel) {
  const int H = shape.hidden(), S = shape.timescales(), I = shape.inputs();
  for (int k = 0; k < kParts; ++k) {
    const T* at = fields + k * R::width;
    R hidden[Shape::maxHidden];
    Decays<R, Shape> decays;
    for (int j = 0; j < H; ++j) {
      hidden[j] = R::load(at + static_cast<std::size_t>(j) * kBlock);
      setPart(panel.inputs[I + j], k, hidden[j]);
    }
    computeDecays(shape, cell, hidden, R::load(at + static_cast<std::size_t>(H + S) * kBlock), decays);
    for (int s = 0; s < S; ++s) {
      setPart(panel.decays.input[s], k, decays.input[s]);
      setPart(panel.decays.inputGain[s], k, decays.inputGain[s]);
      if (s > 0 && !shape.has(kScaleDecayPerTimescale)) continue;
      setPart(panel.decays.scale[s], k, decays.scale[s]);
      setPart(panel.decays.scaleGain[s], k, decays.scaleGain[s]);
    }
  }
}

template <class Shape>
LO_NOINLINE void timescaleStage(const Shape& shape, T scale, T* fields, const T* gradient, StagePanel<Shape>& panel) {
  const int H = shape.hidden(), S = shape.timescales();
  for (int s = 0; s < S; ++s) {
    const int forScale = shape.has(kScaleDecayPerTimescale) ? s : 0;
    LO_UNROLL for (int k = 0; k < kParts; ++k) {
      T* const momentumAt = fields + static_cast<std::size_t>(H + s) * kBlock + k * R::width;
      T* const scaleAt = fields + static_cast<std::size_t>(H + S + s) * kBlock + k * R::width;
      R momentum = R::load(momentumAt), magnitude = R::load(scaleAt), average, shifted;
      const R g = boundedGradient(R::load(gradient + k * R::width) * R(scale));
      const R m = updateTimescale(shape, partOf(panel.decays.input[s], k), partOf(panel.decays.inputGain[s], k),
                                  partOf(panel.decays.scale[forScale], k), partOf(panel.decays.scaleGain[forScale], k), g,
                                  momentum, magnitude, average, shifted);
      momentum.store(momentumAt);
      magnitude.store(scaleAt);
      setPart(panel.inputs[s], k, m);
      if (shape.has(kRelativeLogMagnitude)) setPart(panel.logMagnitude[s], k, logMagnitudeOf(shape, shifted));
    }
  }
}

template <class Shape>
LO_NOINLINE void completeStage(const Shape& shape, T meanLogRate, const T* fields, StagePanel<Shape>& panel) {
  const int H = shape.hidden(), S = shape.timescales();
  for (int k = 0; k < kParts; ++k) {
    R x[Shape::maxInputs], logMagnitude[Shape::maxTimescales];
    for (int s = 0; s < S; ++s) {
      x[s] = partOf(panel.inputs[s], k);
      logMagnitude[s] = partOf(panel.logMagnitude[s], k);
    }
    completeInputs(shape, meanLogRate, R::load(fields + static_cast<std::size_t>(H + 2 * S) * kBlock + k * R::width),
                   logMagnitude, x);
    for (int i = S; i < shape.inputs(); ++i) setPart(panel.inputs[i], k, x[i]);
  }
}

template <class Shape>
LO_NOINLINE void resetStage(const Shape& shape, StagePanel<Shape>& panel) {
  const int H = shape.hidden(), I = shape.inputs();
  for (int j = 0; j < H; ++j) {
    LO_UNROLL for (int k = 0; k < kParts; ++k) {
      R reset;
      R hidden = partOf(panel.inputs[I + j], k);
      setPart(panel.inputs[I + j], k, resetHidden(shape, partOf(panel.gates[j], k), hidden, reset));
    }
  }
}

template <class Shape>
LO_NOINLINE void hiddenStage(const Shape& shape, T* fields, const StagePanel<Shape>& panel) {
  const int H = shape.hidden();
  for (int j = 0; j < H; ++j) {
    LO_UNROLL for (int k = 0; k < kParts; ++k) {
      T* at = fields + static_cast<std::size_t>(j) * kBlock + k * R::width;
      R update, next;
      nextHidden(shape, partOf(panel.gates[H + j], k), partOf(panel.candidate[j], k), R::load(at), update, next).store(at);
    }
  }
}

template <class Shape>
LO_NOINLINE void readOutStage(const AdvanceTask<T>& task, const Shape& shape, const Cell<T>& cell, T* fields,
                              std::size_t index, StagePanel<Shape>& panel) {
  const int H = shape.hidden(), S = shape.timescales();
  for (int k = 0; k < kParts; ++k) {
    T* at = fields + k * R::width;
    Coordinates<R, Shape> c;
    StepOutputs<R, Shape> out;
    for (int j = 0; j < H; ++j) c.hidden[j] = R::load(at + static_cast<std::size_t>(j) * kBlock);
    for (int s = 0; s < S; ++s) out.inputs[s] = partOf(panel.inputs[s], k);
    T* rate = at + static_cast<std::size_t>(H + 2 * S) * kBlock;
    c.logRate = R::load(rate);
    readOut(shape, cell, c, out);
    const RawSteps<R, Shape> steps(shape, cell, out);
    c.logRate.store(rate);
    steps.raw.store(task.raw + index + k * R::width);
    setPart(panel.direction, k, out.direction);
  }
}

// Advances kStageBlocks blocks from `index` on. Not for attention.
template <class Shape>
LO_INLINE void advanceStages(const AdvanceTask<T>& task, const Shape& shape, const Cell<T>& cell, std::size_t index,
                             Accumulators<Shape>& sums) {
  const int H = shape.hidden(), S = shape.timescales(), I = shape.inputs();
  const std::size_t stride = static_cast<std::size_t>(task.config->fields()) * kBlock;
  T* const fields = task.blocks + index / kBlock * stride;
  StagePanel<Shape> panels[kStageBlocks];
  for (std::size_t b = 0; b < kStageBlocks; ++b) decayStage(shape, cell, fields + b * stride, panels[b]);
  for (std::size_t b = 0; b < kStageBlocks; ++b) {
    timescaleStage(shape, task.gradientScale, fields + b * stride, task.gradient + index + b * kBlock, panels[b]);
  }
  for (std::size_t b = 0; b < kStageBlocks; ++b) completeStage(shape, task.meanLogRate, fields + b * stride, panels[b]);
  for (StagePanel<Shape>& p : panels) {
    affine<2 * Shape::fixedHidden>(cell.gates, 2 * H, task.bias, p.inputs, I + H, 2 * H, p.gates);
  }
  for (StagePanel<Shape>& p : panels) resetStage(shape, p);
  for (StagePanel<Shape>& p : panels) {
    affine<Shape::fixedHidden>(cell.candidate, H, task.bias + 2 * H, p.inputs, I + H, H, p.candidate);
  }
  for (std::size_t b = 0; b < kStageBlocks; ++b) hiddenStage(shape, fields + b * stride, panels[b]);
  for (std::size_t b = 0; b < kStageBlocks; ++b) {
    readOutStage(task, shape, cell, fields + b * stride, index + b * kBlock, panels[b]);
  }
  for (std::size_t b = 0; b < kStageBlocks; ++b) {
    const T* at = fields + b * stride;
    for (int j = 0; j < H; ++j) sums.hidden[j] = sums.hidden[j] + P::load(at + static_cast<std::size_t>(j) * kBlock);
    for (int i = 0; i < I; ++i) sums.inputs[i] = sums.inputs[i] + panels[b].inputs[i];
    sums.directionSquares = fma_(panels[b].direction, panels[b].direction, sums.directionSquares);
    sums.logRate = sums.logRate + P::load(at + static_cast<std::size_t>(H + 2 * S) * kBlock);
  }
  sums.advanced += kStageBlocks * kBlock;
}
