// Both passes over a chunk for one number type. Included by kernels_*.cpp inside namespace lo::<instruction set>;
// expects there: number type `P`, element type `T`, and `Lanes` with the memory operations of P.

// Where the fields of a group's packs lie: consecutive coordinates from `index` on.
template <class G>
struct PackAddresses {
  T* at[groupSize<G>];

  PackAddresses(const AdvanceTask<T>& task, std::size_t index) {
    const std::size_t fields = static_cast<std::size_t>(task.config->fields());
    for (T*& p : at) {
      p = task.blocks + index / kBlock * fields * kBlock + index % kBlock;
      index += Lanes::width;
    }
  }
  LO_INLINE G load(int field) const {
    G g;
    LO_UNROLL for (int k = 0; k < groupSize<G>; ++k) part(g, k) = Lanes::load(at[k] + static_cast<std::size_t>(field) * kBlock);
    return g;
  }
  LO_INLINE void store(int field, const G& g) const {
    LO_UNROLL for (int k = 0; k < groupSize<G>; ++k) Lanes::store(at[k] + static_cast<std::size_t>(field) * kBlock, part(g, k));
  }
};

template <class G, class Shape>
LO_INLINE void loadCoordinates(const Shape& shape, const PackAddresses<G>& from, Coordinates<G, Shape>& c) {
  int field = 0;
  for (int j = 0; j < shape.hidden(); ++j) c.hidden[j] = from.load(field++);
  for (int s = 0; s < shape.timescales(); ++s) c.momentum[s] = from.load(field++);
  for (int s = 0; s < shape.timescales(); ++s) c.scale[s] = from.load(field++);
  c.logRate = from.load(field);
}

template <class G, class Shape>
LO_INLINE void storeCoordinates(const Shape& shape, const PackAddresses<G>& to, const Coordinates<G, Shape>& c) {
  int field = 0;
  for (int j = 0; j < shape.hidden(); ++j) to.store(field++, c.hidden[j]);
  for (int s = 0; s < shape.timescales(); ++s) to.store(field++, c.momentum[s]);
  for (int s = 0; s < shape.timescales(); ++s) to.store(field++, c.scale[s]);
  to.store(field, c.logRate);
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

// State in the number type of the computation.
struct PlainState {
  template <class G>
  using Addresses = PackAddresses<G>;

  // What must hold of an advanced coordinate for its state to be kept: nothing here.
  template <class G, class Shape>
  static LO_INLINE void holdAdvanced(const Shape&, Coordinates<G, Shape>&) {}
};

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
  // Adds one pack, or part k of a group. `c` and `out` hold zeros, or what is to count, in lanes that were not advanced.
  template <class G>
  LO_INLINE void add(const Shape& shape, const Coordinates<G, Shape>& c, const StepOutputs<G, Shape>& out, int k) {
    for (int j = 0; j < shape.hidden(); ++j) hidden[j] = hidden[j] + part(c.hidden[j], k);
    for (int i = 0; i < shape.inputs(); ++i) inputs[i] = inputs[i] + part(out.inputs[i], k);
    const P d = part(out.direction, k);
    directionSquares = fma_(d, d, directionSquares);
    if (shape.has(kAttention)) {
      const P a = part(out.attentionDirection, k);
      attentionSquares = fma_(a, a, attentionSquares);
    }
    logRate = logRate + part(c.logRate, k);
  }
};

template <class G, class Shape>
struct RawSteps {
  G raw, attention;

  RawSteps(const Shape& shape, const Cell<T>& cell, const StepOutputs<G, Shape>& out) : attention(T(0)) {
    raw = exp_(out.logStep + G(cell.stepOffset)) * out.direction;
    if (shape.has(kAttention)) attention = exp_(out.logStep) * out.attentionDirection;
  }
};

// Advances a group of packs whose gradients are all in range and finite: the path of nearly all coordinates.
template <class Store, class G, class Shape>
LO_INLINE void advanceWhole(const AdvanceTask<T>& task, const Shape& shape, const Cell<T>& cell, std::size_t index,
                            const G& gradient, Accumulators<Shape>& sums) {
  const typename Store::template Addresses<G> fields(task, index);
  Coordinates<G, Shape> c;
  StepOutputs<G, Shape> out;
  loadCoordinates(shape, fields, c);
  advance(shape, cell, task.bias, task.meanLogRate, gradient * G(task.gradientScale), c, out);
  const RawSteps<G, Shape> steps(shape, cell, out);
  Store::holdAdvanced(shape, c);
  storeCoordinates(shape, fields, c);
  LO_UNROLL for (int k = 0; k < groupSize<G>; ++k, index += Lanes::width) {
    Lanes::store(task.raw + index, part(steps.raw, k));
    if (shape.has(kAttention)) Lanes::store(task.rawAttention + index, part(steps.attention, k));
    sums.add(shape, c, out, k);
  }
  sums.advanced += groupSize<G> * Lanes::width;
}

// Advances the pack at `index`, of which only `rest` coordinates may be in range and only some of those have a finite gradient.
template <class Store, class Shape>
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

  const typename Store::template Addresses<P> fields(task, index);
  Coordinates<P, Shape> old, c;
  StepOutputs<P, Shape> out;
  loadCoordinates(shape, fields, old);
  c = old;
  advance(shape, cell, task.bias, task.meanLogRate, gradient * P(task.gradientScale), c, out);
  const RawSteps<P, Shape> steps(shape, cell, out);
  Store::holdAdvanced(shape, c);
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
  sums.add(shape, c, out, 0);
}

template <class Store, class Shape>
void advanceChunk(const AdvanceTask<T>& task, const Shape& shape) {
  constexpr std::size_t width = Lanes::width;
  using G = Grouped<P, Lanes::stepGroup>;
  constexpr std::size_t together = groupSize<G> * width;
  const Cell<T> cell = *task.cell;
  Accumulators<Shape> sums(shape);

  std::size_t index = 0;
  while (index < task.count) {
    G gradient;
    bool whole = index + together <= task.count;
    if (whole) {
      unsigned finite = Lanes::fullMask;
      LO_UNROLL for (int k = 0; k < groupSize<G>; ++k) {
        const P g = Lanes::load(task.gradient + index + static_cast<std::size_t>(k) * width);
        part(gradient, k) = g;
        finite &= Lanes::bits(abs_(g) <= P(Lanes::largest));
      }
      whole = finite == Lanes::fullMask;
    }
    if (whole) {
      advanceWhole<Store>(task, shape, cell, index, gradient, sums);
      index += together;
      continue;
    }
    for (int k = 0; k < groupSize<G> && index < task.count; ++k, index += width) {
      advancePartial<Store>(task, shape, cell, index, task.count - index, sums);
    }
  }

  for (int j = 0; j < shape.hidden(); ++j) task.means[j] = Lanes::sum(sums.hidden[j]);
  for (int i = 0; i < shape.inputs(); ++i) task.means[shape.hidden() + i] = Lanes::sum(sums.inputs[i]);
  task.sums->directionSquares = Lanes::sum(sums.directionSquares);
  task.sums->attentionSquares = Lanes::sum(sums.attentionSquares);
  task.sums->logRate = Lanes::sum(sums.logRate);
  task.sums->advanced = static_cast<double>(sums.advanced);
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
