// Both passes over a chunk for one number type. Included by kernels_*.cpp inside namespace lo::<instruction set>;
// expects there: number type `P`, element type `T`, and `Lanes` with the memory operations of P.

// Where the first field of the pack of coordinates that begins at `index` lies; the next ones follow by kBlock.
LO_INLINE T* fieldsAt(const AdvanceTask<T>& task, std::size_t index) {
  return task.blocks + index / kBlock * static_cast<std::size_t>(task.config->fields()) * kBlock + index % kBlock;
}

template <class Shape>
LO_INLINE void loadCoordinates(const Shape& shape, const T* from, Coordinates<P, Shape>& c) {
  const auto next = [&from] {
    const P v = Lanes::load(from);
    from += kBlock;
    return v;
  };
  for (int j = 0; j < shape.hidden(); ++j) c.hidden[j] = next();
  for (int s = 0; s < shape.timescales(); ++s) c.momentum[s] = next();
  for (int s = 0; s < shape.timescales(); ++s) c.scale[s] = next();
  c.logRate = next();
}

template <class Shape>
LO_INLINE void storeCoordinates(const Shape& shape, T* to, const Coordinates<P, Shape>& c) {
  const auto put = [&to](P v) {
    Lanes::store(to, v);
    to += kBlock;
  };
  for (int j = 0; j < shape.hidden(); ++j) put(c.hidden[j]);
  for (int s = 0; s < shape.timescales(); ++s) put(c.momentum[s]);
  for (int s = 0; s < shape.timescales(); ++s) put(c.scale[s]);
  put(c.logRate);
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
  std::size_t advanced = 0;

  explicit Accumulators(const Shape& shape) {
    for (int j = 0; j < shape.hidden(); ++j) hidden[j] = P(T(0));
    for (int i = 0; i < shape.inputs(); ++i) inputs[i] = P(T(0));
  }
  // Adds one pack. `c` and `out` hold zeros, or what is to count, in lanes that were not advanced.
  LO_INLINE void add(const Shape& shape, const Coordinates<P, Shape>& c, const StepOutputs<P, Shape>& out) {
    for (int j = 0; j < shape.hidden(); ++j) hidden[j] = hidden[j] + c.hidden[j];
    for (int i = 0; i < shape.inputs(); ++i) inputs[i] = inputs[i] + out.inputs[i];
    directionSquares = fma_(out.direction, out.direction, directionSquares);
    if (shape.has(kAttention)) attentionSquares = fma_(out.attentionDirection, out.attentionDirection, attentionSquares);
    logRate = logRate + c.logRate;
  }
};

template <class Q, class Shape>
struct RawSteps {
  Q raw, attention;

  RawSteps(const Shape& shape, const Cell<T>& cell, const StepOutputs<Q, Shape>& out) : attention(T(0)) {
    raw = exp_(out.logStep + Q(cell.stepOffset)) * out.direction;
    if (shape.has(kAttention)) attention = exp_(out.logStep) * out.attentionDirection;
  }
};

// Advances the pack at `index`, of which only `rest` coordinates may be in range and only some of those have a finite gradient.
template <class Shape>
LO_INLINE void advancePartial(const AdvanceTask<T>& task, const Shape& shape, const Cell<T>& cell, std::size_t index,
                              std::size_t rest, Accumulators<Shape>& sums) {
  constexpr std::size_t width = Lanes::width;
  const P zero(T(0));
  const unsigned inRange = rest < width ? (1u << rest) - 1u : Lanes::fullMask;
  T padded[width] = {};
  for (std::size_t i = 0; i < width && i < rest; ++i) padded[i] = task.gradient[index + i];
  P gradient = Lanes::load(padded);
  const unsigned finite = Lanes::bits(abs_(gradient) <= P(Lanes::largest)) & inRange;
  const auto keep = Lanes::mask(finite);
  gradient = select_(keep, gradient, zero);

  T* const fields = fieldsAt(task, index);
  Coordinates<P, Shape> old, c;
  StepOutputs<P, Shape> out;
  loadCoordinates(shape, fields, old);
  c = old;
  advance(shape, cell, task.bias, task.meanLogRate, gradient * P(task.gradientScale), c, out);
  const RawSteps<P, Shape> steps(shape, cell, out);
  restoreSkipped(shape, keep, old, c);
  storeCoordinates(shape, fields, c);

  const P skipped(Lanes::notANumber);
  T raw[width], rawAttention[width];
  Lanes::store(raw, select_(keep, steps.raw, skipped));
  Lanes::store(rawAttention, select_(keep, steps.attention, skipped));
  for (std::size_t i = 0; i < width && i < rest; ++i) {
    task.raw[index + i] = raw[i];
    if (shape.has(kAttention)) task.rawAttention[index + i] = rawAttention[i];
    sums.advanced += finite >> i & 1u;
  }
  // The mean of η is over all coordinates, the others over those that were advanced.
  for (int j = 0; j < shape.hidden(); ++j) c.hidden[j] = select_(keep, c.hidden[j], zero);
  for (int i = 0; i < shape.inputs(); ++i) out.inputs[i] = select_(keep, out.inputs[i], zero);
  out.direction = select_(keep, out.direction, zero);
  if (shape.has(kAttention)) out.attentionDirection = select_(keep, out.attentionDirection, zero);
  c.logRate = select_(Lanes::mask(inRange), c.logRate, zero);
  sums.add(shape, c, out);
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
