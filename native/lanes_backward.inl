// Reverse of one step of a block of problems. Included by kernels_*.cpp inside namespace lo::<instruction set>, after
// lanes.inl, with the same names.

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
  const P zero(T(0)), gradientScale(static_cast<T>(m.config.gradientScale));
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
      loadCells(shape, state.cells + at * fields * w, c);
      loadCells(shape, barCell, step.state);
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
      advanceBackward(shape, cell, static_cast<const StepTape<P, Shape>&>(tape), Lanes::load(task.gradient + at * w) * gradientScale, c,
                      step, cellAdjoint, barBias, barMeanRate, old, barGradient);
      storeCells(shape, barCell, old);
      Lanes::store(task.gradientAdjoint + at * w, barGradient * gradientScale);
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
