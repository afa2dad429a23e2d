// Kernels of lane_objectives.h. Included by kernels_*.cpp after kernels.inl, with the same names.

void laneResiduals(const LaneResidualTask<T>& task) {
  constexpr std::size_t w = Lanes::width;
  const std::size_t n = static_cast<std::size_t>(task.columns);
  const P zero(T(0)), p = Lanes::load(task.exponent);
  P sum(zero);
  if (task.gradient != nullptr) {
    for (std::size_t c = 0; c < n; ++c) Lanes::store(task.gradient + c * w, zero);
  }
  for (std::size_t r = 0; r < static_cast<std::size_t>(task.rows); ++r) {
    const T* row = task.matrix + r * n * w;
    P even = zero - Lanes::load(task.target + r * w), odd(zero);
    std::size_t c = 0;
    for (; c + 1 < n; c += 2) {
      even = fma_(Lanes::load(row + c * w), Lanes::load(task.x + c * w), even);
      odd = fma_(Lanes::load(row + (c + 1) * w), Lanes::load(task.x + (c + 1) * w), odd);
    }
    if (c < n) even = fma_(Lanes::load(row + c * w), Lanes::load(task.x + c * w), even);
    const P residual = even + odd;
    // Bounded, so that a lane that has diverged gives a large number and no infinity times zero.
    const P size = min_(abs_(residual) + P(T(1e-6)), P(T(1e12)));
    const P logSize = log_(size);
    const P power = exp_(min_(p * logSize, P(T(80))));
    sum = sum + power;
    if (task.gradient == nullptr) continue;
    const P slope = copysign_(p * power / size, residual);
    for (c = 0; c < n; ++c) {
      Lanes::store(task.gradient + c * w,
                   fma_(slope, Lanes::load(row + c * w), Lanes::load(task.gradient + c * w)));
    }
  }
  Lanes::store(task.value, sum);
}

// Loss of one sample; z becomes the adjoint of z.
LO_INLINE P regressionLoss(const LaneRegressionTask<T>& task, int sample, P* z) {
  constexpr std::size_t w = Lanes::width;
  const int C = task.outputs;
  const P zero(T(0)), one(T(1));
  const P kind = Lanes::load(task.loss);
  if (task.loss[0] == static_cast<T>(kSquaredError)) {
    const T* target = task.targets + static_cast<std::size_t>(sample) * static_cast<std::size_t>(C) * w;
    P sum(zero);
    for (int c = 0; c < C; ++c) {
      z[c] = z[c] - Lanes::load(target + static_cast<std::size_t>(c) * w);
      sum = fma_(z[c], z[c], sum);
    }
    return sum * P(T(0.5));
  }
  const P label = Lanes::load(task.targets + static_cast<std::size_t>(sample) * w);
  P largest = z[0];
  for (int c = 1; c < C; ++c) largest = max_(largest, z[c]);
  P total(zero), logit(zero);
  P probability[kMaxRegressionOutputs];
  for (int c = 0; c < C; ++c) {
    const auto mine = label == P(static_cast<T>(c));
    const P shifted = z[c] - largest;
    logit = select_(mine, shifted, logit);
    probability[c] = exp_(max_(shifted, P(T(-80))));
    total = total + probability[c];
  }
  const P inverse = one / total;
  const auto brier = kind == P(static_cast<T>(kBrier));
  P squares(zero), projection(zero);
  for (int c = 0; c < C; ++c) {
    probability[c] = probability[c] * inverse;
    const P difference = select_(label == P(static_cast<T>(c)), probability[c] - one, probability[c]);
    squares = fma_(difference, difference, squares);
    projection = fma_(difference, probability[c], projection);
    z[c] = difference;
  }
  for (int c = 0; c < C; ++c) z[c] = select_(brier, probability[c] * (z[c] - projection), z[c]);
  return select_(brier, squares * P(T(0.5)), log_(total) - logit);
}

void laneRegression(const LaneRegressionTask<T>& task) {
  constexpr std::size_t w = Lanes::width;
  const int I = task.inputs, C = task.outputs;
  const std::size_t cells = static_cast<std::size_t>(I * C);
  const P share(T(1) / static_cast<T>(task.count)), zero(T(0));
  P sum(zero);
  P z[kMaxRegressionOutputs];
  if (task.gradient != nullptr) {
    for (std::size_t k = 0; k < cells + static_cast<std::size_t>(C); ++k) Lanes::store(task.gradient + k * w, zero);
  }
  for (int k = 0; k < task.count; ++k) {
    const int sample = task.indices != nullptr ? task.indices[k] : k;
    const T* x = task.samples + static_cast<std::size_t>(sample) * static_cast<std::size_t>(I) * w;
    for (int c = 0; c < C; ++c) z[c] = Lanes::load(task.parameters + (cells + static_cast<std::size_t>(c)) * w);
    for (int i = 0; i < I; ++i) {
      const P v = Lanes::load(x + static_cast<std::size_t>(i) * w);
      const T* row = task.parameters + static_cast<std::size_t>(i * C) * w;
      for (int c = 0; c < C; ++c) z[c] = fma_(v, Lanes::load(row + static_cast<std::size_t>(c) * w), z[c]);
    }
    sum = sum + regressionLoss(task, sample, z);
    if (task.gradient == nullptr) continue;
    for (int c = 0; c < C; ++c) z[c] = z[c] * share;
    for (int i = 0; i < I; ++i) {
      const P v = Lanes::load(x + static_cast<std::size_t>(i) * w);
      T* row = task.gradient + static_cast<std::size_t>(i * C) * w;
      for (int c = 0; c < C; ++c) {
        T* cell = row + static_cast<std::size_t>(c) * w;
        Lanes::store(cell, fma_(v, z[c], Lanes::load(cell)));
      }
    }
    for (int c = 0; c < C; ++c) {
      T* cell = task.gradient + (cells + static_cast<std::size_t>(c)) * w;
      Lanes::store(cell, Lanes::load(cell) + z[c]);
    }
  }
  Lanes::store(task.value, sum * share);
}
