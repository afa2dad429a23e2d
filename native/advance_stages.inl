// Pass 1 in float: the blocks of a chunk go through the step of param_step.h stage by stage. Within a stage one register of
// coordinates after the other is worked on, with no more values than registers and nothing that depends on the one before,
// so that latencies overlap. What passes between the stages lies in a panel, in the first-level cache. Included by
// kernels_float.inl after kernels.inl and compact_kernels.inl; needs folded_cell.h.

using R = PackOf<1>;
constexpr int kParts = kRegs;
// Blocks that go through the stages together.
constexpr std::size_t kStageBlocks = 2;

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
  P inputs[Shape::maxInputs + Shape::maxHidden];  // [kept x | h], then [kept x | r∘h]
  P gates[2 * Shape::maxHidden];
  P candidate[Shape::maxHidden];
  P direction, attentionDirection;
};

template <class Shape>
LO_NOINLINE void decayStage(const Shape& shape, const Cell<T>& cell, const T* fields, StagePanel<Shape>& panel) {
  const int H = shape.hidden(), S = shape.timescales(), I = keptInputs(shape);
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
    int kept = S;
    for (int i = S; i < shape.inputs(); ++i) {
      if (!isDropped(shape, i)) setPart(panel.inputs[kept++], k, x[i]);
    }
  }
}

template <class Shape>
LO_NOINLINE void resetStage(const Shape& shape, StagePanel<Shape>& panel) {
  const int H = shape.hidden(), I = keptInputs(shape);
  for (int j = 0; j < H; ++j) {
    LO_UNROLL for (int k = 0; k < kParts; ++k) {
      R reset;
      const R hidden = partOf(panel.inputs[I + j], k);
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
LO_NOINLINE void readOutStage(const Shape& shape, const Cell<T>& cell, T* fields, T* raw, T* rawAttention,
                              StagePanel<Shape>& panel) {
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
    steps.raw.store(raw + k * R::width);
    setPart(panel.direction, k, out.direction);
    if (shape.has(kAttention)) {
      steps.attention.store(rawAttention + k * R::width);
      setPart(panel.attentionDirection, k, out.attentionDirection);
    }
  }
}

// What goes through the stages: kStageBlocks blocks of state, and a gradient and raw steps for each of their coordinates.
struct StageMemory {
  T* fields;
  const T* gradient;
  T* raw;
  T* rawAttention;  // null without attention
};

// `bias` is folded (folded_cell.h).
template <class Shape>
LO_INLINE void runStages(const AdvanceTask<T>& task, const Shape& shape, const Cell<T>& cell, const T* bias,
                         const StageMemory& at, StagePanel<Shape>* panels) {
  const int H = shape.hidden(), rows = keptInputs(shape) + H;
  const std::size_t stride = static_cast<std::size_t>(task.config->fields()) * kBlock;
  const auto fields = [&](std::size_t b) { return at.fields + b * stride; };
  // The divisions of one block's stage overlap with the products of the next block's.
  for (std::size_t b = 0; b < kStageBlocks; ++b) decayStage(shape, cell, fields(b), panels[b]);
  for (std::size_t b = 0; b < kStageBlocks; ++b) {
    timescaleStage(shape, task.gradientScale, fields(b), at.gradient + b * kBlock, panels[b]);
  }
  for (std::size_t b = 0; b < kStageBlocks; ++b) completeStage(shape, task.meanLogRate, fields(b), panels[b]);
  for (std::size_t b = 0; b < kStageBlocks; ++b) {
    StagePanel<Shape>& p = panels[b];
    affine<2 * Shape::fixedHidden>(cell.foldedGates, 2 * H, bias, p.inputs, rows, 2 * H, p.gates);
    resetStage(shape, p);
  }
  for (std::size_t b = 0; b < kStageBlocks; ++b) {
    StagePanel<Shape>& p = panels[b];
    affine<Shape::fixedHidden>(cell.foldedCandidate, H, bias + 2 * H, p.inputs, rows, H, p.candidate);
    hiddenStage(shape, fields(b), p);
  }
  for (std::size_t b = 0; b < kStageBlocks; ++b) {
    T* const attention = shape.has(kAttention) ? at.rawAttention + b * kBlock : nullptr;
    readOutStage(shape, cell, fields(b), at.raw + b * kBlock, attention, panels[b]);
  }
}

// Sums over the coordinates of a block; inputs are the kept ones.
template <class Shape>
LO_INLINE void addBlock(const Shape& shape, const T* fields, const StagePanel<Shape>& panel, Accumulators<Shape>& sums) {
  const int H = shape.hidden();
  for (int j = 0; j < H; ++j) sums.hidden[j] = sums.hidden[j] + P::load(fields + static_cast<std::size_t>(j) * kBlock);
  for (int i = 0; i < keptInputs(shape); ++i) sums.inputs[i] = sums.inputs[i] + panel.inputs[i];
  sums.directionSquares = fma_(panel.direction, panel.direction, sums.directionSquares);
  if (shape.has(kAttention)) {
    sums.attentionSquares = fma_(panel.attentionDirection, panel.attentionDirection, sums.attentionSquares);
  }
  sums.logRate = sums.logRate + P::load(fields + static_cast<std::size_t>(H + 2 * shape.timescales()) * kBlock);
  sums.advanced += kBlock;
}

// Room for the state of kStageBlocks blocks.
template <class Shape>
struct StageState {
  alignas(64) T fields[kStageBlocks * (Shape::maxHidden + 2 * Shape::maxTimescales + 1) * kBlock];
};

// Advances kStageBlocks blocks from `index` on, all of whose coordinates are there and have finite gradients.
template <class Shape>
LO_INLINE void advanceWhole(const AdvanceTask<T>& task, const Shape& shape, const Cell<T>& cell,
                            const T* bias, std::size_t index, Accumulators<Shape>& sums) {
  const std::size_t stride = static_cast<std::size_t>(task.config->fields()) * kBlock;
  const bool compact = task.compact.blocks != nullptr;
  StageState<Shape> wide;
  T* const fields = compact ? wide.fields : task.blocks + index / kBlock * stride;
  if (compact) {
    for (std::size_t b = 0; b < kStageBlocks; ++b) widenBlock(shape, task, index + b * kBlock, fields + b * stride);
  }
  StagePanel<Shape> panels[kStageBlocks];
  runStages(task, shape, cell, bias,
            {fields, task.gradient + index, task.raw + index, shape.has(kAttention) ? task.rawAttention + index : nullptr},
            panels);
  for (std::size_t b = 0; b < kStageBlocks; ++b) addBlock(shape, fields + b * stride, panels[b], sums);
  if (compact) {
    for (std::size_t b = 0; b < kStageBlocks; ++b) {
      holdScales(shape, fields + b * stride);
      narrowBlock(shape, task, index + b * kBlock, fields + b * stride);
    }
  }
}

// The same where only `rest` coordinates may be in range, and only some of those have a finite gradient: on copies, of which
// only what was advanced is taken back.
template <class Shape>
LO_NOINLINE void advancePart(const AdvanceTask<T>& task, const Shape& shape, const Cell<T>& cell,
                             const T* bias, std::size_t index, std::size_t rest,
                             Accumulators<Shape>& sums) {
  constexpr std::size_t together = kStageBlocks * kBlock;
  const int H = shape.hidden(), S = shape.timescales();
  const std::size_t stride = static_cast<std::size_t>(task.config->fields()) * kBlock;
  const std::size_t count = rest < together ? rest : together;
  const std::size_t blocks = (count + kBlock - 1) / kBlock;
  const bool compact = task.compact.blocks != nullptr;
  StageState<Shape> widened, copy = {};
  T* const state = compact ? widened.fields : task.blocks + index / kBlock * stride;
  T* const fields = copy.fields;
  if (compact) {
    for (std::size_t b = 0; b < blocks; ++b) widenBlock(shape, task, index + b * kBlock, state + b * stride);
  }
  T gradient[together] = {}, raw[together], rawAttention[together];
  for (std::size_t i = 0; i < blocks * stride; ++i) fields[i] = state[i];
  for (std::size_t i = 0; i < count; ++i) gradient[i] = task.gradient[index + i];
  unsigned finite[kStageBlocks];
  for (std::size_t b = 0; b < kStageBlocks; ++b) {
    const std::size_t left = count > b * kBlock ? count - b * kBlock : 0;
    const unsigned inRange = left < kBlock ? (1u << left) - 1u : Lanes::fullMask;
    const P g = P::load(gradient + b * kBlock);
    finite[b] = Lanes::bits(abs_(g) <= P(Lanes::largest)) & inRange;
    select_(Lanes::mask(finite[b]), g, P(T(0))).store(gradient + b * kBlock);
  }
  StagePanel<Shape> panels[kStageBlocks];
  runStages(task, shape, cell, bias, {fields, gradient, raw, shape.has(kAttention) ? rawAttention : nullptr}, panels);

  const P zero(T(0));
  for (std::size_t b = 0; b < blocks; ++b) {
    const auto keep = Lanes::mask(finite[b]);
    StagePanel<Shape>& p = panels[b];
    if (compact) holdScales(shape, fields + b * stride);
    for (std::size_t f = 0; f < stride; f += kBlock) {
      T* const at = state + b * stride + f;
      select_(keep, P::load(fields + b * stride + f), P::load(at)).store(at);
    }
    // The mean of η is over all coordinates, the others over those that were advanced.
    const std::size_t left = count - b * kBlock;
    const auto inRange = Lanes::mask(left < kBlock ? (1u << left) - 1u : Lanes::fullMask);
    T* const own = fields + b * stride;
    for (int j = 0; j < H; ++j) {
      T* const at = own + static_cast<std::size_t>(j) * kBlock;
      select_(keep, P::load(at), zero).store(at);
    }
    const std::size_t rate = static_cast<std::size_t>(H + 2 * S) * kBlock;
    select_(inRange, P::load(state + b * stride + rate), zero).store(own + rate);
    for (int i = 0; i < keptInputs(shape); ++i) p.inputs[i] = select_(keep, p.inputs[i], zero);
    p.direction = select_(keep, p.direction, zero);
    if (shape.has(kAttention)) p.attentionDirection = select_(keep, p.attentionDirection, zero);
    addBlock(shape, own, p, sums);
    sums.advanced -= kBlock;
    for (std::size_t i = 0; i < kBlock && b * kBlock + i < count; ++i) {
      const bool advanced = (finite[b] >> i & 1u) != 0;
      const std::size_t k = b * kBlock + i;
      task.raw[index + k] = advanced ? raw[k] : Lanes::notANumber;
      if (shape.has(kAttention)) task.rawAttention[index + k] = advanced ? rawAttention[k] : Lanes::notANumber;
      sums.advanced += advanced ? 1 : 0;
    }
    if (compact) narrowBlock(shape, task, index + b * kBlock, state + b * stride);
  }
}

// From the sums of the kept inputs, over `count` coordinates, to those of all inputs.
template <class Shape>
LO_INLINE void unfoldSums(const Shape& shape, T meanLogRate, double count, const double* kept, double* inputs) {
  const int S = shape.timescales(), I = shape.inputs(), lastLog = lastLogMagnitude(shape);
  for (int i = 0; i < I; ++i) inputs[i] = isDropped(shape, i) ? 0.0 : *kept++;
  if (dropsLogMagnitude(shape)) {
    for (int i = lastLog - S + 1; i < lastLog; ++i) inputs[lastLog] -= inputs[i];
  }
  if (dropsAbsoluteRate(shape)) {
    inputs[I - 1] = inputs[relativeRate(shape)] + count * (static_cast<double>(meanLogRate) + kMinusLogBaseRate);
  }
}

// Whether all gradients of the next kStageBlocks blocks are there and finite.
LO_INLINE bool isWhole(const AdvanceTask<T>& task, std::size_t index) {
  if (index + kStageBlocks * kBlock > task.count) return false;
  unsigned finite = Lanes::fullMask;
  LO_UNROLL for (std::size_t b = 0; b < kStageBlocks; ++b) {
    finite &= Lanes::bits(abs_(P::load(task.gradient + index + b * kBlock)) <= P(Lanes::largest));
  }
  return finite == Lanes::fullMask;
}

template <class Shape>
void advanceChunk(const AdvanceTask<T>& task, const Shape& shape) {
  const Cell<T> cell = *task.cell;
  T bias[3 * Shape::maxHidden];
  foldBias(shape, cell, task.bias, task.meanLogRate, bias);
  Accumulators<Shape> sums(shape);
  for (std::size_t index = 0; index < task.count; index += kStageBlocks * kBlock) {
    if (isWhole(task, index)) {
      advanceWhole(task, shape, cell, bias, index, sums);
    } else {
      advancePart(task, shape, cell, bias, index, task.count - index, sums);
    }
  }
  double kept[Shape::maxInputs];
  for (int i = 0; i < keptInputs(shape); ++i) kept[i] = Lanes::sum(sums.inputs[i]);
  unfoldSums(shape, task.meanLogRate, static_cast<double>(sums.advanced), kept, task.means + shape.hidden());
  for (int j = 0; j < shape.hidden(); ++j) task.means[j] = Lanes::sum(sums.hidden[j]);
  task.sums->directionSquares = Lanes::sum(sums.directionSquares);
  task.sums->attentionSquares = Lanes::sum(sums.attentionSquares);
  task.sums->logRate = Lanes::sum(sums.logRate);
  task.sums->advanced = static_cast<double>(sums.advanced);
}
