// One step of a block of problems. Included by kernels_*.cpp inside namespace lo::<instruction set>, after kernels.inl;
// expects the same names and `Memory`, a P as it lies in memory.
//
// Several coordinates of a tensor, and several tensors of a problem, are advanced together, as a Group (pack_group.h): each
// weight is loaded once for all of them. Where every lane has weights of its own, a weight is a whole P, and all of them
// together are larger than the first-level cache. G is a Group or, for what is left over, a P.

template <class W>
struct LaneWeights {
  const W* base;
  const LaneModel& model;

  // Absent meta-parameters are zero.
  LO_INLINE const W* at(MetaParameter p) const {
    static const W zeros[kMaxHidden] = {};
    const int offset = model.offset[p];
    return offset < 0 ? zeros : base + offset;
  }
  LO_INLINE P scalar(MetaParameter p) const { return P(at(p)[0]); }

  Cell<W, P> cell() const {
    return Cell<W, P>{at(kParameterGatesMatrix),
                      at(kParameterCandidateMatrix),
                      at(kUpdateReadout),
                      at(kUpdateShortcut),
                      at(kAttentionReadout),
                      at(kAttentionShortcut),
                      at(kScaleDecayReadout),
                      at(kInputDecayReadout),
                      at(kLearningRateReadout),
                      scalar(kScaleDecayBias),
                      scalar(kInputDecayBias),
                      scalar(kLearningRateBias),
                      sigmoid_(scalar(kMomentumLogit)),
                      scalar(kStepSizeOffset),
                      P(static_cast<T>(model.config.maxLogLearningRate))};
  }
  GruWeights<W> tensorGru() const {
    return {at(kTensorGatesMatrix), at(kTensorGatesBias), at(kTensorCandidateMatrix), at(kTensorCandidateBias),
            model.tensorInputs(), model.tensorHidden};
  }
  GruWeights<W> globalGru() const {
    return {at(kGlobalGatesMatrix), at(kGlobalGatesBias), at(kGlobalCandidateMatrix), at(kGlobalCandidateBias),
            model.tensorHidden, model.globalHidden};
  }
};

// Where things are in a block's state; see lanes.h.
template <class Pointer>
struct LaneState {
  Pointer cells;   // [coordinate][fields]
  Pointer tensor;  // [tensor][tensorHidden]
  Pointer global;  // [globalHidden]
  Pointer theta;   // [coordinate]
  Pointer phi;     // [coordinate]

  LaneState(Pointer base, const LaneModel& m, const LaneProblem& p) {
    const std::size_t w = Lanes::width, n = static_cast<std::size_t>(p.coordinates);
    cells = base;
    tensor = cells + n * static_cast<std::size_t>(m.config.fields()) * w;
    global = tensor + static_cast<std::size_t>(p.tensors * (m.levels > 1 ? m.tensorHidden : 0)) * w;
    theta = global + static_cast<std::size_t>(m.levels > 2 ? m.globalHidden : 0) * w;
    phi = theta + n * w;
  }
};

LO_INLINE void loadMany(const T* from, P* to, int n) {
  for (int i = 0; i < n; ++i) to[i] = Lanes::load(from + static_cast<std::size_t>(i) * Lanes::width);
}
LO_INLINE void storeMany(const P* from, T* to, int n) {
  for (int i = 0; i < n; ++i) Lanes::store(to + static_cast<std::size_t>(i) * Lanes::width, from[i]);
}

// A group's parts in memory, `stride` apart.
template <class G>
LO_INLINE G loadGroup(const T* p, std::size_t stride) {
  G g;
  LO_UNROLL for (int k = 0; k < groupSize<G>; ++k, p += stride) part(g, k) = Lanes::load(p);
  return g;
}
template <class G>
LO_INLINE void storeGroup(T* p, std::size_t stride, const G& g) {
  LO_UNROLL for (int k = 0; k < groupSize<G>; ++k, p += stride) Lanes::store(p, part(g, k));
}

// Fields of as many coordinates as G has parts, each [fields][lanes].
template <class Shape>
LO_INLINE std::size_t cellStride(const Shape& shape) {
  return static_cast<std::size_t>(shape.hidden() + 2 * shape.timescales() + 1) * Lanes::width;
}
template <class G, class Shape>
LO_INLINE void loadCells(const Shape& shape, const T* p, Coordinates<G, Shape>& c) {
  const std::size_t w = Lanes::width, stride = cellStride(shape);
  for (int j = 0; j < shape.hidden(); ++j, p += w) c.hidden[j] = loadGroup<G>(p, stride);
  for (int s = 0; s < shape.timescales(); ++s, p += w) c.momentum[s] = loadGroup<G>(p, stride);
  for (int s = 0; s < shape.timescales(); ++s, p += w) c.scale[s] = loadGroup<G>(p, stride);
  c.logRate = loadGroup<G>(p, stride);
}
template <class G, class Shape>
LO_INLINE void storeCells(const Shape& shape, T* p, const Coordinates<G, Shape>& c) {
  const std::size_t w = Lanes::width, stride = cellStride(shape);
  for (int j = 0; j < shape.hidden(); ++j, p += w) storeGroup(p, stride, c.hidden[j]);
  for (int s = 0; s < shape.timescales(); ++s, p += w) storeGroup(p, stride, c.momentum[s]);
  for (int s = 0; s < shape.timescales(); ++s, p += w) storeGroup(p, stride, c.scale[s]);
  storeGroup(p, stride, c.logRate);
}

// What the forward computation of a step leaves for the reverse one. Arrays are allocated by `LaneWorkspace`.
struct LaneTensorTape {
  P inverseRms;           // 1/√(mean d² + 1e-16)
  P attentionInverseRms;
  P means[kMaxHidden + kMaxInputs];
};

// Tensors are few, so that larger groups of them would seldom be full.
constexpr int kTensorGroup = Lanes::group > 1 ? 2 : 1;
using TensorGroup = Grouped<P, kTensorGroup>;

// Memory of a step, kept from call to call by the thread.
struct LaneWorkspace {
  std::vector<P> direction, attentionDirection, raw, rawAttention;
  std::vector<LaneTensorTape> tensors;
  std::vector<P> bias;  // of each tensor's parameter RNNs, [tensor][3·hidden]
  std::vector<P> tensorOld, tensorNew, tensorTape, globalTape;
  std::vector<TensorGroup> tensorGroup;  // values of a group's tensor RNNs
  std::vector<P> barTensorNew, barTensorOld;

  void resize(const LaneModel& m, const LaneProblem& p) {
    const auto n = static_cast<std::size_t>(p.coordinates), t = static_cast<std::size_t>(p.tensors);
    const auto h = static_cast<std::size_t>(m.levels > 1 ? m.tensorHidden : 0);
    direction.resize(n);
    attentionDirection.resize(n);
    raw.resize(n);
    rawAttention.resize(n);
    tensors.resize(t);
    bias.resize(3 * t * static_cast<std::size_t>(m.config.hidden));
    tensorOld.resize(t * h);
    tensorNew.resize(t * h);
    tensorTape.resize(3 * t * h);
    globalTape.resize(3 * static_cast<std::size_t>(kMaxCell));
    tensorGroup.resize(static_cast<std::size_t>(kMaxHidden + kMaxInputs) + 5 * h);
    barTensorNew.resize(t * h);
    barTensorOld.resize(t * h);
  }
  GruTape<P> tapeOfTensor(int t, int h) {
    P* base = tensorTape.data() + static_cast<std::size_t>(3 * t * h);
    return {base, base + h, base + 2 * h};
  }
  GruTape<P> tapeOfGlobal() {
    P* base = globalTape.data();
    return {base, base + kMaxCell, base + 2 * kMaxCell};
  }
};

LaneWorkspace& laneWorkspace() {
  static thread_local LaneWorkspace workspace;
  return workspace;
}

// Means of η, before the step, over the problem or over each tensor.
LO_INLINE P meanLogRate(const T* cells, std::size_t fields, int from, int count) {
  P sum(T(0));
  const std::size_t w = Lanes::width;
  for (int i = from; i < from + count; ++i) {
    sum = sum + Lanes::load(cells + (static_cast<std::size_t>(i) * fields + fields - 1) * w);
  }
  return sum * P(T(1) / static_cast<T>(count));
}

// Calls body(size, i) for all i of [from, to) in groups, with the size as a type: N, then 2 and 1 for what is left over.
template <int N, class Body>
LO_INLINE void inGroups(int from, int to, Body body) {
  int i = from;
  for (; i + N <= to; i += N) body(std::integral_constant<int, N>{}, i);
  if constexpr (N > 2) {
    inGroups<2>(i, to, body);
  } else if constexpr (N > 1) {
    inGroups<1>(i, to, body);
  }
}

// The recorder of a step that no reverse one follows.
struct NoTape : NoRecord {
  template <class Shape, class Outputs>
  LO_INLINE void finish(const Shape&, const Outputs&) {}
};

// What the coordinates of a tensor have in common.
template <class W, class Shape>
struct LaneTensor {
  const Shape& shape;
  const Cell<W, P>& cell;
  const P* bias;
  P meanLogRate;
  const T* cells;     // of the problem
  const T* gradient;  // of the problem
  T gradientScale;
  T* nextCells;       // of the problem, or null
};

// Sums over the coordinates of a tensor, in their order.
struct LaneTensorSums {
  P squares;           // of d
  P attentionSquares;  // of d_a
  P* means;            // [hidden + inputs]
};

// Advances as many coordinates as G has parts, from number `first` of the problem on. A function of its own for every G:
// inlined side by side they would take each other's registers.
template <class G, class W, class Shape, class Record>
LO_NOINLINE void advanceLanes(const LaneTensor<W, Shape>& tensor, int first, LaneWorkspace& work, LaneTensorSums& sums,
                              Record& record) {
  constexpr std::size_t w = Lanes::width;
  constexpr int size = groupSize<G>;
  const Shape shape = tensor.shape;
  const Cell<W, P> cell = tensor.cell;
  const std::size_t at = static_cast<std::size_t>(first), cellsAt = at * cellStride(shape);
  const int H = shape.hidden(), I = shape.inputs();
  Coordinates<G, Shape> c;
  StepOutputs<G, Shape> out;
  loadCells(shape, tensor.cells + cellsAt, c);
  advance(shape, cell, tensor.bias, tensor.meanLogRate, loadGroup<G>(tensor.gradient + at * w, w) * G(tensor.gradientScale), c, out,
          record);
  record.finish(shape, out);
  if (tensor.nextCells != nullptr) storeCells(shape, tensor.nextCells + cellsAt, c);
  const G raw = exp_(out.logStep + G(cell.stepOffset)) * out.direction;
  LO_UNROLL for (int k = 0; k < size; ++k) {
    const P d = part(out.direction, k);
    work.direction[at + k] = d;
    sums.squares = fma_(d, d, sums.squares);
    work.raw[at + k] = part(raw, k);
  }
  if (shape.has(kAttention)) {
    const G rawAttention = exp_(out.logStep) * out.attentionDirection;
    LO_UNROLL for (int k = 0; k < size; ++k) {
      const P d = part(out.attentionDirection, k);
      work.attentionDirection[at + k] = d;
      sums.attentionSquares = fma_(d, d, sums.attentionSquares);
      work.rawAttention[at + k] = part(rawAttention, k);
    }
  }
  P* means = sums.means;
  for (int j = 0; j < H; ++j) {
    LO_UNROLL for (int k = 0; k < size; ++k) means[j] = means[j] + part(c.hidden[j], k);
  }
  for (int i = 0; i < I; ++i) {
    LO_UNROLL for (int k = 0; k < size; ++k) means[H + i] = means[H + i] + part(out.inputs[i], k);
  }
}

// Values [n] of as many tensors as G has parts, from tensor `first` on, from and to memory with those of a tensor together.
template <class G>
LO_INLINE void gatherTensors(const P* from, int n, int first, G* to) {
  for (int j = 0; j < n; ++j) {
    LO_UNROLL for (int k = 0; k < groupSize<G>; ++k) part(to[j], k) = from[(first + k) * n + j];
  }
}
template <class G>
LO_INLINE void scatterTensors(const G* from, int n, int first, P* to) {
  for (int j = 0; j < n; ++j) {
    LO_UNROLL for (int k = 0; k < groupSize<G>; ++k) to[(first + k) * n + j] = part(from[j], k);
  }
}

// Bias of the parameter RNNs of as many tensors as G has parts; `shared` is what all tensors have in common.
template <class G, class W>
LO_NOINLINE void biasOfTensors(const LaneModel& m, const LaneWeights<W>& weights, const P* shared, int first,
                               LaneWorkspace& work) {
  const int h = m.tensorHidden, n = 3 * m.config.hidden;
  G old[kMaxCell], start[3 * kMaxHidden], bias[3 * kMaxHidden];
  gatherTensors(work.tensorOld.data(), h, first, old);
  for (int j = 0; j < n; ++j) start[j] = G(shared[j] + P(weights.at(kTensorToParameterBias)[j]));
  affine(weights.at(kTensorToParameterMatrix), n, start, old, h, n, bias);
  scatterTensors(bias, n, first, work.bias.data());
}

// The tensor RNNs of as many tensors as G has parts. Only that of a single tensor leaves its tape.
template <class G, class W>
LO_NOINLINE void advanceTensors(const LaneModel& m, const LaneWeights<W>& weights, const P* injected, int first,
                                LaneWorkspace& work) {
  const int h = m.tensorHidden;
  const GruWeights<W> gru = weights.tensorGru();
  if constexpr (groupSize<G> == 1) {
    const std::size_t at = static_cast<std::size_t>(first * h);
    gruForward(gru, work.tensors[static_cast<std::size_t>(first)].means, injected, work.tensorOld.data() + at,
               work.tensorNew.data() + at, work.tapeOfTensor(first, h));
  } else {
    G *old = work.tensorGroup.data(), *next = old + h, *tape = next + h, *x = tape + 3 * h;
    gatherTensors(work.tensorOld.data(), h, first, old);
    for (int i = 0; i < gru.inputs; ++i) {
      for (int k = 0; k < groupSize<G>; ++k) part(x[i], k) = work.tensors[static_cast<std::size_t>(first + k)].means[i];
    }
    gruForward(gru, static_cast<const G*>(x), injected, static_cast<const G*>(old), next,
               GruTape<G>{tape, tape + h, tape + 2 * h});
    scatterTensors(next, h, first, work.tensorNew.data());
  }
}

// Everything but the update of θ. `recorder(i)` gives the recorder of coordinate i: a tape or NoTape. With a tape
// coordinates and tensors are advanced one by one.
template <class W, class Shape, class Recorder>
void laneForward(const LaneModel& m, const LaneProblem& p, const Shape& shape, const LaneWeights<W>& weights,
                 const T* stateBase, const T* gradient, T* nextBase, LaneWorkspace& work, Recorder recorder) {
  constexpr bool grouped = std::is_same_v<std::decay_t<decltype(recorder(0))>, NoTape>;
  constexpr int group = grouped ? Lanes::group : 1, tensorGroup = grouped ? kTensorGroup : 1;
  const LaneState<const T*> state(stateBase, m, p);
  const int H = shape.hidden(), I = shape.inputs(), h = m.levels > 1 ? m.tensorHidden : 0;
  const std::size_t fields = static_cast<std::size_t>(m.config.fields());
  const P zero(T(0)), one(T(1));
  const T gradientScale = static_cast<T>(m.config.gradientScale);
  const Cell<W, P> cell = weights.cell();
  const bool ofTensor = (m.config.flags & kTensorLearningRateMean) != 0;

  P shared[3 * kMaxHidden];
  for (int j = 0; j < 2 * H; ++j) shared[j] = P(weights.at(kParameterGatesBias)[j]);
  for (int j = 0; j < H; ++j) shared[2 * H + j] = P(weights.at(kParameterCandidateBias)[j]);
  P global[kMaxCell], injected[3 * kMaxCell];
  if (m.levels > 2) {
    loadMany(state.global, global, m.globalHidden);
    for (int j = 0; j < 3 * H; ++j) shared[j] = shared[j] + P(weights.at(kGlobalToParameterBias)[j]);
    P sum[3 * kMaxHidden];
    affine(weights.at(kGlobalToParameterMatrix), 3 * H, shared, global, m.globalHidden, 3 * H, sum);
    for (int j = 0; j < 3 * H; ++j) shared[j] = sum[j];
    affine(weights.at(kGlobalToTensorMatrix), 3 * h, weights.at(kGlobalToTensorBias), global, m.globalHidden, 3 * h,
           injected);
  }
  if (m.levels > 1) {
    loadMany(state.tensor, work.tensorOld.data(), p.tensors * h);
    inGroups<tensorGroup>(0, p.tensors, [&](auto size, int t) {
      biasOfTensors<Grouped<P, size>>(m, weights, shared, t, work);
    });
  }
  const P problemMean = meanLogRate(state.cells, fields, 0, p.coordinates);

  int first = 0;
  for (int t = 0; t < p.tensors; ++t) {
    const int n = p.lengths[t];
    const P* bias = m.levels > 1 ? work.bias.data() + static_cast<std::size_t>(3 * t * H) : shared;
    const P mean = ofTensor ? meanLogRate(state.cells, fields, first, n) : problemMean;
    const LaneTensor<W, Shape> tensor{shape, cell, bias, mean, state.cells, gradient, gradientScale, nextBase};
    LaneTensorTape& tape = work.tensors[static_cast<std::size_t>(t)];
    LaneTensorSums sums{zero, zero, tape.means};
    for (int i = 0; i < H + I; ++i) tape.means[i] = zero;
    inGroups<group>(first, first + n, [&](auto size, int i) {
      advanceLanes<Grouped<P, size>>(tensor, i, work, sums, recorder(i));
    });
    const P share(T(1) / static_cast<T>(n));
    for (int i = 0; i < H + I; ++i) tape.means[i] = tape.means[i] * share;
    tape.inverseRms = one / sqrt_(fma_(sums.squares, share, P(T(1e-16))));
    tape.attentionInverseRms = one / sqrt_(fma_(sums.attentionSquares, share, P(T(1e-16))));
    first += n;
  }
  if (m.levels > 1) {
    inGroups<tensorGroup>(0, p.tensors, [&](auto size, int t) {
      advanceTensors<Grouped<P, size>>(m, weights, m.levels > 2 ? injected : static_cast<P*>(nullptr), t, work);
    });
  }
}

// Mean of the new tensor states: the global RNN's input.
LO_INLINE void meanTensorState(const LaneModel& m, const LaneProblem& p, const LaneWorkspace& work, P* mean) {
  for (int j = 0; j < m.tensorHidden; ++j) {
    P sum(T(0));
    for (int t = 0; t < p.tensors; ++t) sum = sum + work.tensorNew[static_cast<std::size_t>(t * m.tensorHidden + j)];
    mean[j] = sum * P(T(1) / static_cast<T>(p.tensors));
  }
}

template <class W, class Shape>
void laneStep(const LaneStepTask<T>& task, const Shape& shape) {
  const LaneModel& m = *task.model;
  const LaneProblem& p = task.problem;
  const LaneWeights<W> weights{reinterpret_cast<const W*>(task.weights), m};
  LaneWorkspace& work = laneWorkspace();
  work.resize(m, p);
  NoTape nothing;
  laneForward(m, p, shape, weights, task.state, task.gradient, task.next, work, [&](int) -> NoTape& { return nothing; });

  const std::size_t w = Lanes::width;
  const LaneState<const T*> state(task.state, m, p);
  const LaneState<T*> next(task.next, m, p);
  if (m.levels > 2) {
    P mean[kMaxCell], old[kMaxCell], now[kMaxCell];
    meanTensorState(m, p, work, mean);
    loadMany(state.global, old, m.globalHidden);
    gruForward(weights.globalGru(), mean, static_cast<P*>(nullptr), old, now, work.tapeOfGlobal());
    storeMany(now, next.global, m.globalHidden);
  }
  if (m.levels > 1) storeMany(work.tensorNew.data(), next.tensor, p.tensors * m.tensorHidden);
  for (int t = 0, i = 0; t < p.tensors; ++t) {
    const LaneTensorTape& tape = work.tensors[static_cast<std::size_t>(t)];
    for (const int end = i + p.lengths[t]; i < end; ++i) {
      const std::size_t at = static_cast<std::size_t>(i);
      const P theta = Lanes::load(state.theta + at * w);
      if (shape.has(kAttention)) {
        Lanes::store(next.phi + at * w, theta - work.rawAttention[at] * tape.attentionInverseRms);
      }
      Lanes::store(next.theta + at * w, theta - work.raw[at] * tape.inverseRms);
    }
  }
}
