// One step of a block of problems, and its reverse. Included by kernels_*.cpp inside namespace lo::<instruction set>, after
// kernels.inl; expects the same names and `Memory`, a P as it lies in memory.

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

// Fields of one coordinate, [fields][lanes].
template <class Shape>
LO_INLINE void loadCell(const Shape& shape, const T* p, Coordinates<P, Shape>& c) {
  constexpr std::size_t w = Lanes::width;
  for (int j = 0; j < shape.hidden(); ++j, p += w) c.hidden[j] = Lanes::load(p);
  for (int s = 0; s < shape.timescales(); ++s, p += w) c.momentum[s] = Lanes::load(p);
  for (int s = 0; s < shape.timescales(); ++s, p += w) c.scale[s] = Lanes::load(p);
  c.logRate = Lanes::load(p);
}
template <class Shape>
LO_INLINE void storeCell(const Shape& shape, T* p, const Coordinates<P, Shape>& c) {
  constexpr std::size_t w = Lanes::width;
  for (int j = 0; j < shape.hidden(); ++j, p += w) Lanes::store(p, c.hidden[j]);
  for (int s = 0; s < shape.timescales(); ++s, p += w) Lanes::store(p, c.momentum[s]);
  for (int s = 0; s < shape.timescales(); ++s, p += w) Lanes::store(p, c.scale[s]);
  Lanes::store(p, c.logRate);
}

// What the forward computation of a step leaves for the reverse one. Arrays are allocated by `LaneWorkspace`.
struct LaneTensorTape {
  P inverseRms;           // 1/√(mean d² + 1e-16)
  P attentionInverseRms;
  P means[kMaxHidden + kMaxInputs];
};

// Memory of a step, kept from call to call by the thread.
struct LaneWorkspace {
  std::vector<P> direction, attentionDirection, raw, rawAttention;
  std::vector<LaneTensorTape> tensors;
  std::vector<P> tensorOld, tensorNew, tensorTape, globalTape;
  std::vector<P> barTensorNew, barTensorOld;

  void resize(const LaneModel& m, const LaneProblem& p) {
    const auto n = static_cast<std::size_t>(p.coordinates), t = static_cast<std::size_t>(p.tensors);
    const auto h = static_cast<std::size_t>(m.levels > 1 ? m.tensorHidden : 0);
    direction.resize(n);
    attentionDirection.resize(n);
    raw.resize(n);
    rawAttention.resize(n);
    tensors.resize(t);
    tensorOld.resize(t * h);
    tensorNew.resize(t * h);
    tensorTape.resize(3 * t * h);
    globalTape.resize(3 * static_cast<std::size_t>(kMaxCell));
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

// Everything but the update of θ. `recorder(i)` gives the recorder of coordinate i: a tape or NoRecord.
template <class W, class Shape, class Recorder>
void laneForward(const LaneModel& m, const LaneProblem& p, const Shape& shape, const LaneWeights<W>& weights,
                 const T* stateBase, const T* gradient, T* nextBase, LaneWorkspace& work, Recorder recorder) {
  const LaneState<const T*> state(stateBase, m, p);
  const int H = shape.hidden(), I = shape.inputs(), h = m.levels > 1 ? m.tensorHidden : 0;
  const std::size_t w = Lanes::width, fields = static_cast<std::size_t>(m.config.fields());
  const P zero(T(0)), one(T(1));
  const Cell<W, P> cell = weights.cell();
  const bool ofTensor = (m.config.flags & kTensorLearningRateMean) != 0;

  P shared[3 * kMaxHidden], bias[3 * kMaxHidden];
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
  const P problemMean = meanLogRate(state.cells, fields, 0, p.coordinates);

  int first = 0;
  for (int t = 0; t < p.tensors; ++t) {
    const int n = p.lengths[t];
    P* tensorOld = work.tensorOld.data() + static_cast<std::size_t>(t * h);
    if (m.levels > 1) {
      loadMany(state.tensor + static_cast<std::size_t>(t * h) * w, tensorOld, h);
      P start[3 * kMaxHidden];
      for (int j = 0; j < 3 * H; ++j) start[j] = shared[j] + P(weights.at(kTensorToParameterBias)[j]);
      affine(weights.at(kTensorToParameterMatrix), 3 * H, start, tensorOld, h, 3 * H, bias);
    } else {
      for (int j = 0; j < 3 * H; ++j) bias[j] = shared[j];
    }
    const P mean = ofTensor ? meanLogRate(state.cells, fields, first, n) : problemMean;
    LaneTensorTape& tape = work.tensors[static_cast<std::size_t>(t)];
    for (int i = 0; i < H + I; ++i) tape.means[i] = zero;
    P squares(zero), attentionSquares(zero);
    for (int i = first; i < first + n; ++i) {
      const std::size_t at = static_cast<std::size_t>(i);
      Coordinates<P, Shape> c;
      StepOutputs<P, Shape> out;
      loadCell(shape, state.cells + at * fields * w, c);
      auto&& record = recorder(i);
      advance(shape, cell, static_cast<const P*>(bias), mean, Lanes::load(gradient + at * w), c, out, record);
      record.finish(shape, out);
      if (nextBase != nullptr) storeCell(shape, nextBase + at * fields * w, c);
      work.direction[at] = out.direction;
      squares = fma_(out.direction, out.direction, squares);
      work.raw[at] = exp_(out.logStep + cell.stepOffset) * out.direction;
      if (shape.has(kAttention)) {
        work.attentionDirection[at] = out.attentionDirection;
        attentionSquares = fma_(out.attentionDirection, out.attentionDirection, attentionSquares);
        work.rawAttention[at] = exp_(out.logStep) * out.attentionDirection;
      }
      for (int j = 0; j < H; ++j) tape.means[j] = tape.means[j] + c.hidden[j];
      for (int j = 0; j < I; ++j) tape.means[H + j] = tape.means[H + j] + out.inputs[j];
    }
    const P share(T(1) / static_cast<T>(n));
    for (int i = 0; i < H + I; ++i) tape.means[i] = tape.means[i] * share;
    tape.inverseRms = one / sqrt_(fma_(squares, share, P(T(1e-16))));
    tape.attentionInverseRms = one / sqrt_(fma_(attentionSquares, share, P(T(1e-16))));
    if (m.levels > 1) {
      gruForward(weights.tensorGru(), tape.means, m.levels > 2 ? injected : static_cast<P*>(nullptr), tensorOld,
                 work.tensorNew.data() + static_cast<std::size_t>(t * h), work.tapeOfTensor(t, h));
    }
    first += n;
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
  struct Nothing : NoRecord {
    LO_INLINE void finish(const Shape&, const StepOutputs<P, Shape>&) {}
  } nothing;
  laneForward(m, p, shape, weights, task.state, task.gradient, task.next, work, [&](int) -> Nothing& { return nothing; });

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

template <class Shape>
struct LaneTape : StepTape<P, Shape> {
  LO_INLINE void finish(const Shape& shape, const StepOutputs<P, Shape>& out) {
    for (int i = 0; i < shape.inputs(); ++i) this->inputs[i] = out.inputs[i];
    this->logStep = out.logStep;
  }
};

// Adjoints of the flat meta-parameter vector of a block, [metaParameters][lanes].
struct LaneWeightsAdjoint {
  Memory* base;
  const LaneModel& model;

  // Absent meta-parameters have theirs somewhere that nobody reads.
  Memory* at(MetaParameter p) const {
    static thread_local Memory unread[kMaxHidden];
    const int offset = model.offset[p];
    return offset < 0 ? unread : base + offset;
  }
  void add(MetaParameter p, P value) const { put(*at(p), P(*at(p)) + value); }

  CellAdjoint<Memory, P> cell() const {
    const P zero(T(0));
    return {at(kParameterGatesMatrix), at(kParameterCandidateMatrix), at(kUpdateReadout),
            at(kUpdateShortcut),       at(kAttentionReadout),         at(kAttentionShortcut),
            at(kScaleDecayReadout),    at(kInputDecayReadout),        at(kLearningRateReadout),
            zero,                      zero,                          zero,
            zero};
  }
  void addScalars(const CellAdjoint<Memory, P>& c, P momentum, P stepOffset) const {
    add(kScaleDecayBias, c.scaleDecayBias);
    add(kInputDecayBias, c.inputDecayBias);
    add(kLearningRateBias, c.rateBias);
    add(kMomentumLogit, c.rateMomentum * momentum * (P(T(1)) - momentum));
    add(kStepSizeOffset, stepOffset);
  }
  GruAdjoint<Memory> tensorGru() const {
    return {at(kTensorGatesMatrix), at(kTensorGatesBias), at(kTensorCandidateMatrix), at(kTensorCandidateBias)};
  }
  GruAdjoint<Memory> globalGru() const {
    return {at(kGlobalGatesMatrix), at(kGlobalGatesBias), at(kGlobalCandidateMatrix), at(kGlobalCandidateBias)};
  }
};

// Reverse of the tensor and global RNNs: fills barTensorOld, global (adjoint of the old global state, overwritten),
// injected (of the bias into the tensor RNNs) and, per tensor, the adjoints of the means.
template <class W>
void laneLevelsBackward(const LaneModel& m, const LaneProblem& p, const LaneWeights<W>& weights,
                        const LaneWeightsAdjoint& adjoint, const LaneState<const T*>& state, const LaneState<T*>& bar,
                        LaneWorkspace& work, P* global, std::vector<P>& barMeans) {
  const int h = m.tensorHidden, width = m.config.hidden + m.config.inputs();
  const P zero(T(0));
  for (int j = 0; j < m.globalHidden; ++j) global[j] = zero;
  loadMany(bar.tensor, work.barTensorNew.data(), p.tensors * h);
  P globalOld[kMaxCell];
  P injected[3 * kMaxCell];
  for (int j = 0; j < 3 * h; ++j) injected[j] = zero;
  if (m.levels > 2) {
    P mean[kMaxCell], barMean[kMaxCell], barGlobal[kMaxCell];
    meanTensorState(m, p, work, mean);
    loadMany(state.global, globalOld, m.globalHidden);
    loadMany(bar.global, barGlobal, m.globalHidden);
    for (int j = 0; j < h; ++j) barMean[j] = zero;
    // The tape of the global RNN belongs to a forward step that laneBackward does not take otherwise.
    P unused[kMaxCell];
    gruForward(weights.globalGru(), mean, static_cast<P*>(nullptr), globalOld, unused, work.tapeOfGlobal());
    gruBackward(weights.globalGru(), adjoint.globalGru(), mean, globalOld, work.tapeOfGlobal(), barGlobal, barMean,
                static_cast<P*>(nullptr), global);
    const P share(T(1) / static_cast<T>(p.tensors));
    for (int t = 0; t < p.tensors; ++t) {
      P* b = work.barTensorNew.data() + static_cast<std::size_t>(t * h);
      for (int j = 0; j < h; ++j) b[j] = fma_(barMean[j], share, b[j]);
    }
  }
  for (int t = 0; t < p.tensors; ++t) {
    const std::size_t at = static_cast<std::size_t>(t * h);
    P* barMean = barMeans.data() + static_cast<std::size_t>(t * width);
    P* old = work.barTensorOld.data() + at;
    for (int i = 0; i < width; ++i) barMean[i] = zero;
    for (int j = 0; j < h; ++j) old[j] = zero;
    gruBackward(weights.tensorGru(), adjoint.tensorGru(), work.tensors[static_cast<std::size_t>(t)].means,
                work.tensorOld.data() + at, work.tapeOfTensor(t, h), work.barTensorNew.data() + at, barMean,
                m.levels > 2 ? injected : static_cast<P*>(nullptr), old);
  }
  if (m.levels > 2) {
    affineBackward(weights.at(kGlobalToTensorMatrix), adjoint.at(kGlobalToTensorMatrix), 3 * h, globalOld,
                   m.globalHidden, 3 * h, injected, global);
    accumulate(adjoint.at(kGlobalToTensorBias), injected, 3 * h);
  }
}

template <class Shape>
void laneBackward(const LaneBackwardTask<T>& task, const Shape& shape) {
  using W = T;
  const LaneModel& m = *task.model;
  const LaneProblem& p = task.problem;
  const LaneWeights<W> weights{task.weights, m};
  const LaneWeightsAdjoint adjoint{reinterpret_cast<Memory*>(task.weightsAdjoint), m};
  const int H = shape.hidden(), I = shape.inputs(), h = m.levels > 1 ? m.tensorHidden : 0, width = H + I;
  const std::size_t w = Lanes::width, fields = static_cast<std::size_t>(m.config.fields());
  const P zero(T(0));
  LaneWorkspace& work = laneWorkspace();
  work.resize(m, p);
  static thread_local std::vector<LaneTape<Shape>> tapes;
  static thread_local std::vector<P> barMeans;
  tapes.resize(static_cast<std::size_t>(p.coordinates));
  barMeans.resize(static_cast<std::size_t>(p.tensors * width));
  laneForward(m, p, shape, weights, task.state, task.gradient, static_cast<T*>(nullptr), work,
              [&](int i) -> LaneTape<Shape>& { return tapes[static_cast<std::size_t>(i)]; });

  const LaneState<const T*> state(task.state, m, p);
  const LaneState<T*> bar(task.adjoint, m, p);
  P barGlobal[kMaxCell];
  if (m.levels > 1) {
    laneLevelsBackward(m, p, weights, adjoint, state, bar, work, barGlobal, barMeans);
  } else {
    for (P& b : barMeans) b = zero;
  }
  const Cell<W, P> cell = weights.cell();
  CellAdjoint<Memory, P> cellAdjoint = adjoint.cell();
  P barOffset(zero), barProblemMean(zero);
  P barShared[3 * kMaxHidden];
  for (int j = 0; j < 3 * H; ++j) barShared[j] = zero;
  const bool ofTensor = (m.config.flags & kTensorLearningRateMean) != 0;

  int first = 0;
  for (int t = 0; t < p.tensors; ++t) {
    const int n = p.lengths[t];
    const P share(T(1) / static_cast<T>(n));
    const LaneTensorTape& tensor = work.tensors[static_cast<std::size_t>(t)];
    const P* barMean = barMeans.data() + static_cast<std::size_t>(t * width);
    // θ' = θ − raw/rms: the adjoint of 1/rms, and of mean d² behind it.
    P barInverse(zero), barAttentionInverse(zero);
    for (int i = first; i < first + n; ++i) {
      const std::size_t at = static_cast<std::size_t>(i);
      barInverse = barInverse - Lanes::load(bar.theta + at * w) * work.raw[at];
      if (shape.has(kAttention)) {
        barAttentionInverse = barAttentionInverse - Lanes::load(bar.phi + at * w) * work.rawAttention[at];
      }
    }
    const P cube = tensor.inverseRms * tensor.inverseRms * tensor.inverseRms;
    const P attentionCube = tensor.attentionInverseRms * tensor.attentionInverseRms * tensor.attentionInverseRms;
    const P pull = zero - barInverse * cube * share;  // 2·(−½)·share: of mean d² with respect to d
    const P attentionPull = zero - barAttentionInverse * attentionCube * share;

    P barBias[3 * kMaxHidden];
    for (int j = 0; j < 3 * H; ++j) barBias[j] = zero;
    P barMeanRate(zero);
    for (int i = first; i < first + n; ++i) {
      const std::size_t at = static_cast<std::size_t>(i);
      const LaneTape<Shape>& tape = tapes[at];
      T* const barCell = task.adjoint + at * fields * w;
      Coordinates<P, Shape> c, old;
      StepAdjoint<P, Shape> step;
      loadCell(shape, state.cells + at * fields * w, c);
      loadCell(shape, barCell, step.state);
      for (int j = 0; j < H; ++j) step.state.hidden[j] = fma_(barMean[j], share, step.state.hidden[j]);
      for (int j = 0; j < I; ++j) step.inputs[j] = barMean[H + j] * share;
      const P barTheta = Lanes::load(bar.theta + at * w);
      const P push = zero - barTheta * tensor.inverseRms;  // adjoint of raw
      const P size = exp_(tape.logStep + cell.stepOffset);
      const P barLog = push * work.raw[at];
      step.direction = fma_(push, size, pull * work.direction[at]);
      step.logStep = barLog;
      step.attentionDirection = zero;
      barOffset = barOffset + barLog;
      if (shape.has(kAttention)) {
        const P barPhi = Lanes::load(bar.phi + at * w);
        const P pushAhead = zero - barPhi * tensor.attentionInverseRms;
        step.attentionDirection = fma_(pushAhead, exp_(tape.logStep), attentionPull * work.attentionDirection[at]);
        step.logStep = fma_(pushAhead, work.rawAttention[at], step.logStep);
        Lanes::store(bar.theta + at * w, barTheta + barPhi);
        // φ of the old state is where its gradient was taken; it enters the step in no other way.
        Lanes::store(bar.phi + at * w, zero);
      }
      P barGradient;
      advanceBackward(shape, cell, static_cast<const StepTape<P, Shape>&>(tape), Lanes::load(task.gradient + at * w), c,
                      step, cellAdjoint, barBias, barMeanRate, old, barGradient);
      storeCell(shape, barCell, old);
      Lanes::store(task.gradientAdjoint + at * w, barGradient);
    }
    if (ofTensor) {
      const P each = barMeanRate * share;
      for (int i = first; i < first + n; ++i) {
        T* rate = task.adjoint + (static_cast<std::size_t>(i) * fields + fields - 1) * w;
        Lanes::store(rate, Lanes::load(rate) + each);
      }
    } else {
      barProblemMean = barProblemMean + barMeanRate;
    }
    for (int j = 0; j < 3 * H; ++j) barShared[j] = barShared[j] + barBias[j];
    if (m.levels > 1) {
      P* barOld = work.barTensorOld.data() + static_cast<std::size_t>(t * h);
      affineBackward(weights.at(kTensorToParameterMatrix), adjoint.at(kTensorToParameterMatrix), 3 * H,
                     work.tensorOld.data() + static_cast<std::size_t>(t * h), h, 3 * H, barBias, barOld);
      accumulate(adjoint.at(kTensorToParameterBias), barBias, 3 * H);
    }
    first += n;
  }
  if (!ofTensor) {
    const P each = barProblemMean * P(T(1) / static_cast<T>(p.coordinates));
    for (int i = 0; i < p.coordinates; ++i) {
      T* rate = task.adjoint + (static_cast<std::size_t>(i) * fields + fields - 1) * w;
      Lanes::store(rate, Lanes::load(rate) + each);
    }
  }
  adjoint.addScalars(cellAdjoint, cell.rateMomentum, barOffset);
  accumulate(adjoint.at(kParameterGatesBias), barShared, 2 * H);
  accumulate(adjoint.at(kParameterCandidateBias), barShared + 2 * H, H);
  if (m.levels > 2) {
    P global[kMaxCell];
    loadMany(state.global, global, m.globalHidden);
    affineBackward(weights.at(kGlobalToParameterMatrix), adjoint.at(kGlobalToParameterMatrix), 3 * H, global,
                   m.globalHidden, 3 * H, barShared, barGlobal);
    accumulate(adjoint.at(kGlobalToParameterBias), barShared, 3 * H);
    storeMany(barGlobal, bar.global, m.globalHidden);
  }
  if (m.levels > 1) storeMany(work.barTensorOld.data(), bar.tensor, p.tensors * m.tensorHidden);
}
