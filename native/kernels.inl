// Both passes over a chunk for one number type. Included by kernels_*.cpp inside namespace lo::<instruction set>;
// expects there: number type `P`, element type `T`, and `Lanes` with the memory operations of P.

template <class Shape>
LO_INLINE void loadCoordinates(const Shape& shape, const T* block, std::size_t lane, Coordinates<P, Shape>& c) {
  const T* field = block + lane;
  for (int j = 0; j < shape.hidden(); ++j, field += kBlock) c.hidden[j] = Lanes::load(field);
  for (int s = 0; s < shape.timescales(); ++s, field += kBlock) c.momentum[s] = Lanes::load(field);
  for (int s = 0; s < shape.timescales(); ++s, field += kBlock) c.scale[s] = Lanes::load(field);
  c.logRate = Lanes::load(field);
}

template <class Shape>
LO_INLINE void storeCoordinates(const Shape& shape, T* block, std::size_t lane, const Coordinates<P, Shape>& c) {
  T* field = block + lane;
  for (int j = 0; j < shape.hidden(); ++j, field += kBlock) Lanes::store(field, c.hidden[j]);
  for (int s = 0; s < shape.timescales(); ++s, field += kBlock) Lanes::store(field, c.momentum[s]);
  for (int s = 0; s < shape.timescales(); ++s, field += kBlock) Lanes::store(field, c.scale[s]);
  Lanes::store(field, c.logRate);
}

// Puts the old state back where `keep` is not set.
template <class Shape>
LO_INLINE void restoreSkipped(const Shape& shape, Lanes::Mask keep, const Coordinates<P, Shape>& old,
                              Coordinates<P, Shape>& c) {
  for (int j = 0; j < shape.hidden(); ++j) c.hidden[j] = select_(keep, c.hidden[j], old.hidden[j]);
  for (int s = 0; s < shape.timescales(); ++s) {
    c.momentum[s] = select_(keep, c.momentum[s], old.momentum[s]);
    c.scale[s] = select_(keep, c.scale[s], old.scale[s]);
  }
  c.logRate = select_(keep, c.logRate, old.logRate);
}

template <class Shape>
struct Accumulators {
  P hidden[Shape::maxHidden];
  P inputs[Shape::maxInputs];
  P directionSquares{T(0)};
  P attentionSquares{T(0)};
  P logRate{T(0)};
};

template <class Shape>
void advanceChunk(const AdvanceTask<T>& task, const Shape& shape) {
  const int H = shape.hidden();
  const int I = shape.inputs();
  const std::size_t fields = static_cast<std::size_t>(task.config->fields());
  constexpr std::size_t width = Lanes::width;
  constexpr unsigned full = Lanes::fullMask;
  const P zero(T(0));
  const Cell<T> cell = *task.cell;

  Accumulators<Shape> sum;
  for (int j = 0; j < H; ++j) sum.hidden[j] = zero;
  for (int i = 0; i < I; ++i) sum.inputs[i] = zero;
  std::size_t advanced = 0;

  for (std::size_t index = 0; index < task.count; index += width) {
    T* const block = task.blocks + index / kBlock * fields * kBlock;
    const std::size_t lane = index % kBlock;
    const std::size_t rest = task.count - index;
    const unsigned inRange = rest < width ? (1u << rest) - 1u : full;

    P gradient;
    if (inRange == full) {
      gradient = Lanes::load(task.gradient + index);
    } else {
      T padded[width] = {};
      for (std::size_t i = 0; i < rest; ++i) padded[i] = task.gradient[index + i];
      gradient = Lanes::load(padded);
    }
    const unsigned finite = Lanes::bits(abs_(gradient) <= P(Lanes::largest)) & inRange;

    Coordinates<P, Shape> c;
    StepOutputs<P, Shape> out;
    loadCoordinates(shape, block, lane, c);
    if (finite != full) gradient = select_(Lanes::mask(finite), gradient, zero);
    advance(shape, cell, task.bias, task.meanLogRate, gradient * P(task.gradientScale), c, out);
    P raw = exp_(out.logStep + P(cell.stepOffset)) * out.direction;
    P rawAttention(zero);
    if (shape.has(kAttention)) rawAttention = exp_(out.logStep) * out.attentionDirection;

    if (finite == full) {
      storeCoordinates(shape, block, lane, c);
      Lanes::store(task.raw + index, raw);
      if (shape.has(kAttention)) Lanes::store(task.rawAttention + index, rawAttention);
      for (int j = 0; j < H; ++j) sum.hidden[j] = sum.hidden[j] + c.hidden[j];
      for (int i = 0; i < I; ++i) sum.inputs[i] = sum.inputs[i] + out.inputs[i];
      sum.directionSquares = fma_(out.direction, out.direction, sum.directionSquares);
      if (shape.has(kAttention)) {
        sum.attentionSquares = fma_(out.attentionDirection, out.attentionDirection, sum.attentionSquares);
      }
      sum.logRate = sum.logRate + c.logRate;
      advanced += width;
    } else {
      const auto keep = Lanes::mask(finite);
      Coordinates<P, Shape> old;
      loadCoordinates(shape, block, lane, old);
      restoreSkipped(shape, keep, old, c);
      storeCoordinates(shape, block, lane, c);
      const P skipped(Lanes::notANumber);
      raw = select_(keep, raw, skipped);
      rawAttention = select_(keep, rawAttention, skipped);
      T rawLanes[width], attentionLanes[width];
      Lanes::store(rawLanes, raw);
      Lanes::store(attentionLanes, rawAttention);
      for (std::size_t i = 0; i < width; ++i) {
        if ((inRange >> i & 1u) == 0) break;
        task.raw[index + i] = rawLanes[i];
        if (shape.has(kAttention)) task.rawAttention[index + i] = attentionLanes[i];
        advanced += finite >> i & 1u;
      }
      for (int j = 0; j < H; ++j) sum.hidden[j] = sum.hidden[j] + select_(keep, c.hidden[j], zero);
      for (int i = 0; i < I; ++i) sum.inputs[i] = sum.inputs[i] + select_(keep, out.inputs[i], zero);
      const P d = select_(keep, out.direction, zero);
      sum.directionSquares = fma_(d, d, sum.directionSquares);
      if (shape.has(kAttention)) {
        const P a = select_(keep, out.attentionDirection, zero);
        sum.attentionSquares = fma_(a, a, sum.attentionSquares);
      }
      sum.logRate = sum.logRate + select_(Lanes::mask(inRange), c.logRate, zero);
    }
  }

  for (int j = 0; j < H; ++j) task.means[j] = Lanes::sum(sum.hidden[j]);
  for (int i = 0; i < I; ++i) task.means[H + i] = Lanes::sum(sum.inputs[i]);
  task.sums->directionSquares = Lanes::sum(sum.directionSquares);
  task.sums->attentionSquares = Lanes::sum(sum.attentionSquares);
  task.sums->logRate = Lanes::sum(sum.logRate);
  task.sums->advanced = static_cast<double>(advanced);
}

LO_INLINE DynamicShape dynamicShape(const Config& c) {
  return DynamicShape{c.hidden, c.timescales, inputCountOf(c.timescales, c.flags), c.flags};
}

// θ after the step, or `skipped` where the raw step marks a skipped coordinate.
LO_INLINE P stepped(P theta, P raw, P factor, P decay, P skipped) {
  const P next = theta - fma_(raw, factor, decay * theta);
  return select_(raw == raw, next, skipped);
}

void applyChunk(const ApplyTask<T>& task) {
  constexpr std::size_t width = Lanes::width;
  const P factor(task.factor), attentionFactor(task.attentionFactor), decay(task.decay);
  const bool attention = task.position != nullptr;
  const T* source = attention && !task.positionIsFresh ? task.position : task.parameter;
  std::size_t i = 0;
  for (; i + width <= task.count; i += width) {
    const P theta = Lanes::load(source + i);
    const P next = stepped(theta, Lanes::load(task.raw + i), factor, decay, theta);
    if (attention) {
      const P phi = Lanes::load(task.parameter + i);
      Lanes::store(task.parameter + i, stepped(theta, Lanes::load(task.rawAttention + i), attentionFactor, decay, phi));
      Lanes::store(task.position + i, next);
    } else {
      Lanes::store(task.parameter + i, next);
    }
  }
  if (i == task.count) return;
  const std::size_t rest = task.count - i;
  T theta[width] = {}, raw[width] = {}, phi[width] = {}, rawAttention[width] = {}, next[width];
  for (std::size_t k = 0; k < rest; ++k) {
    theta[k] = source[i + k];
    raw[k] = task.raw[i + k];
    if (!attention) continue;
    phi[k] = task.parameter[i + k];
    rawAttention[k] = task.rawAttention[i + k];
  }
  const P t = Lanes::load(theta);
  Lanes::store(next, stepped(t, Lanes::load(raw), factor, decay, t));
  T* target = attention ? task.position : task.parameter;
  for (std::size_t k = 0; k < rest; ++k) target[i + k] = next[k];
  if (attention) {
    Lanes::store(next, stepped(t, Lanes::load(rawAttention), attentionFactor, decay, Lanes::load(phi)));
    for (std::size_t k = 0; k < rest; ++k) task.parameter[i + k] = next[k];
  }
}
