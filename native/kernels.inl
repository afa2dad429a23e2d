// What pass 1 over a chunk has in common for all number types, and pass 2. Included by kernels_*.cpp inside namespace
// lo::<instruction set>; expects there: number type `P`, element type `T`, and `Lanes` with the memory operations of P.

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
};

template <class Q, class Shape>
struct RawSteps {
  Q raw, attention;

  RawSteps(const Shape& shape, const Cell<T>& cell, const StepOutputs<Q, Shape>& out) : attention(T(0)) {
    raw = exp_(out.logStep + Q(cell.stepOffset)) * out.direction;
    if (shape.has(kAttention)) attention = exp_(out.logStep) * out.attentionDirection;
  }
};

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
