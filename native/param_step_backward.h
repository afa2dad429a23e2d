// Reverse mode of one step of the parameter level (param_step.h), coordinate by coordinate: from the adjoints of the new
// state and of the step's outputs to those of the old state, the gradient, the bias, mean η and the meta-parameters.
// The forward values come from a tape of that one step, recorded while it is computed once more from the old state, so
// that between forward and reverse pass only states are kept.
#pragma once

#include "param_step.h"

namespace lo {

// Writes a value to memory; packs have theirs in vec.h.
LO_HD LO_INLINE void put(double& memory, double value) { memory = value; }
LO_HD LO_INLINE void put(float& memory, float value) { memory = value; }

// Adjoints of the meta-parameters of a Cell, accumulated: `+=` everywhere. Layout as in Cell; A is P as it lies in memory.
template <class A, class P>
struct CellAdjoint {
  A* gates;
  A* candidate;
  A* updateReadout;
  A* updateShortcut;
  A* attentionReadout;
  A* attentionShortcut;
  A* scaleDecayReadout;
  A* inputDecayReadout;
  A* rateReadout;
  P scaleDecayBias;
  P inputDecayBias;
  P rateBias;
  P rateMomentum;  // of γ_η itself, after the sigmoid
};

// Adjoints that a step receives from what comes after it.
template <class P, class Shape>
struct StepAdjoint {
  Coordinates<P, Shape> state;   // of the new state
  P inputs[Shape::maxInputs];    // of x, from its mean over the tensor
  P direction;                   // of d
  P attentionDirection;          // of d_a
  P logStep;                     // of η_step
};

// Values of the forward pass that the reverse pass needs. `advance` fills it in when it is given as the recorder.
template <class P, class Shape>
struct StepTape {
  Decays<P, Shape> decays;
  P average[Shape::maxTimescales];
  P inverseRoot[Shape::maxTimescales];  // 1/√(λ + 1e-16)
  P logSlope[Shape::maxTimescales];     // of the piecewise logarithm at λ + 1e-16
  P inputs[Shape::maxInputs];
  P resetGate[Shape::maxHidden];
  P updateGate[Shape::maxHidden];
  P candidate[Shape::maxHidden];
  P hidden[Shape::maxHidden];  // h'
  P logStep;

  LO_HD LO_INLINE void decaysUsed(const Decays<P, Shape>& used) { decays = used; }
  LO_HD LO_INLINE void scaling(const Shape& shape, int s, P mean, P shifted) {
    average[s] = mean;
    if (shape.has(kAlgebraicActivations)) logSlope[s] = P(Scalar<P>(kLn2)) / powerOfTwoBelow(shifted);
    inverseRoot[s] = P(Scalar<P>(1)) / sqrt_(shifted);
  }
  LO_HD LO_INLINE void reset(int j, P r) { resetGate[j] = r; }
  LO_HD LO_INLINE void updated(int j, P u, P next, P newHidden) {
    updateGate[j] = u;
    candidate[j] = next;
    hidden[j] = newHidden;
  }
};

// y[i] += Σ_o w[i·stride + o]·bar[o], and grad[i·stride + o] += x[i]·bar[o]: reverse of `affine`.
template <class P, class W, class A>
LO_HD LO_INLINE void affineBackward(const W* w, A* grad, int stride, const P* x, int n, int outputs, const P* bar, P* y) {
  for (int i = 0; i < n; ++i, w += stride, grad += stride) {
    const P v = x[i];
    P even = y[i], odd(Scalar<P>(0));
    int o = 0;
    for (; o + 1 < outputs; o += 2) {
      even = fma_(P(w[o]), bar[o], even);
      odd = fma_(P(w[o + 1]), bar[o + 1], odd);
      put(grad[o], fma_(v, bar[o], P(grad[o])));
      put(grad[o + 1], fma_(v, bar[o + 1], P(grad[o + 1])));
    }
    if (o < outputs) {
      even = fma_(P(w[o]), bar[o], even);
      put(grad[o], fma_(v, bar[o], P(grad[o])));
    }
    y[i] = even + odd;
  }
}

// bar of Σ v[i]·w[i]: grad[i] += v[i]·bar, y[i] += w[i]·bar.
template <class P, class W, class A>
LO_HD LO_INLINE void dotBackward(const W* w, A* grad, const P* v, int n, P bar, P* y) {
  for (int i = 0; i < n; ++i) {
    put(grad[i], fma_(v[i], bar, P(grad[i])));
    y[i] = fma_(P(w[i]), bar, y[i]);
  }
}

// Reverse of the activations of param_step.h: from the adjoint of a value to that of the argument.
template <class P, class Shape>
LO_HD LO_INLINE P throughGate(const Shape& shape, P bar, P value) {
  const P one(Scalar<P>(1));
  if (shape.has(kAlgebraicActivations)) {
    const P side = min_(value, one - value) * P(Scalar<P>(2));
    return bar * (side * side);
  }
  return bar * value * (one - value);
}
template <class P, class Shape>
LO_HD LO_INLINE P throughCandidate(const Shape& shape, P bar, P value) {
  const P one(Scalar<P>(1));
  if (shape.has(kAlgebraicActivations)) {
    const P rest = one - abs_(value);
    return bar * (rest * rest);
  }
  return bar * (one - value * value);
}
template <class P, class Shape>
LO_HD LO_INLINE P throughDecay(const Shape& shape, P bar, P decay, P gain) {
  if (shape.has(kAlgebraicActivations)) {
    // β = 1/(1 + E) with E = 2^n·(1 + f), whose slope in the argument is −2^n/ln 2.
    return bar * (decay * decay) * (powerOfTwoBelow(gain / decay) * P(Scalar<P>(1 / kLn2)));
  }
  return bar * decay * gain;
}

// Reverse of readOut (paper, section 3.3). The bound of η_step passes its adjoint straight through.
template <class P, class W, class V, class A, class Shape>
LO_HD LO_INLINE void readOutBackward(const Shape& shape, const Cell<W, V>& cell, const StepTape<P, Shape>& t,
                                     const StepAdjoint<P, Shape>& bar, P oldLogRate, CellAdjoint<A, P>& weights, P* hidden,
                                     P* scaled, P& logRate) {
  using T = Scalar<P>;
  const int H = shape.hidden(), S = shape.timescales();
  const P momentum(cell.rateMomentum);
  const P change = fma_(P(T(1)) - momentum, bar.state.logRate, bar.logStep);
  weights.rateMomentum = fma_(bar.state.logRate, oldLogRate - t.logStep, weights.rateMomentum);
  logRate = fma_(momentum, bar.state.logRate, change);
  weights.rateBias = weights.rateBias + change;
  dotBackward(cell.rateReadout, weights.rateReadout, t.hidden, H, change, hidden);
  dotBackward(cell.updateReadout, weights.updateReadout, t.hidden, H, bar.direction, hidden);
  dotBackward(cell.updateShortcut, weights.updateShortcut, t.inputs, S, bar.direction, scaled);
  if (shape.has(kAttention)) {
    dotBackward(cell.attentionReadout, weights.attentionReadout, t.hidden, H, bar.attentionDirection, hidden);
    dotBackward(cell.attentionShortcut, weights.attentionShortcut, t.inputs, S, bar.attentionDirection, scaled);
  }
}

// Reverse of updateHidden. `newHidden` holds the adjoint of h'; the adjoints of x and of the old h are added to.
template <class P, class W, class V, class A, class Shape>
LO_HD LO_INLINE void updateHiddenBackward(const Shape& shape, const Cell<W, V>& cell, const StepTape<P, Shape>& t,
                                          const P* oldHidden, const P* newHidden, CellAdjoint<A, P>& weights, P* bias,
                                          P* inputs, P* hidden) {
  using T = Scalar<P>;
  const int H = shape.hidden(), I = shape.inputs();
  const P zero(T(0)), one(T(1));
  P gates[2 * Shape::maxHidden];
  P candidate[Shape::maxHidden];
  P in[Shape::maxInputs + Shape::maxHidden];
  P barIn[Shape::maxInputs + Shape::maxHidden];
  for (int i = 0; i < I; ++i) in[i] = t.inputs[i];
  for (int i = 0; i < I + H; ++i) barIn[i] = zero;
  for (int j = 0; j < H; ++j) {
    const P u = t.updateGate[j], c = t.candidate[j];
    gates[H + j] = throughGate(shape, newHidden[j] * (oldHidden[j] - c), u);
    candidate[j] = throughCandidate(shape, newHidden[j] * (one - u), c);
    hidden[j] = fma_(newHidden[j], u, hidden[j]);
    bias[2 * H + j] = bias[2 * H + j] + candidate[j];
    in[I + j] = t.resetGate[j] * oldHidden[j];
  }
  affineBackward(cell.candidate, weights.candidate, H, in, I + H, H, candidate, barIn);
  for (int j = 0; j < H; ++j) {
    const P r = t.resetGate[j];
    gates[j] = throughGate(shape, barIn[I + j] * oldHidden[j], r);
    hidden[j] = fma_(barIn[I + j], r, hidden[j]);
    barIn[I + j] = zero;
    in[I + j] = oldHidden[j];
  }
  for (int j = 0; j < 2 * H; ++j) bias[j] = bias[j] + gates[j];
  affineBackward(cell.gates, weights.gates, 2 * H, in, I + H, 2 * H, gates, barIn);
  for (int i = 0; i < I; ++i) inputs[i] = inputs[i] + barIn[i];
  for (int j = 0; j < H; ++j) hidden[j] = hidden[j] + barIn[I + j];
}

// Reverse of updateInputs (paper, section 3.2). `x` holds the adjoint of the inputs and is used up; `bar` that of the new
// momenta and scales; `old` receives the adjoint of the old state (hidden, logRate: added to).
template <class P, class W, class V, class A, class Shape>
LO_HD LO_INLINE void updateInputsBackward(const Shape& shape, const Cell<W, V>& cell, const StepTape<P, Shape>& t,
                                          P gradient, const Coordinates<P, Shape>& state,
                                          const Coordinates<P, Shape>& bar, P* x, CellAdjoint<A, P>& weights,
                                          Coordinates<P, Shape>& old, P& barGradient, P& meanLogRate) {
  using T = Scalar<P>;
  const int H = shape.hidden(), S = shape.timescales();
  const P zero(T(0)), one(T(1)), half(T(0.5));
  const auto fresh = state.scale[0] == zero;
  int n = S;
  if (shape.has(kGradientProducts)) {
    for (int s = 0; s + 1 < S; ++s, ++n) {
      x[s] = fma_(x[n], t.inputs[s + 1], x[s]);
      x[s + 1] = fma_(x[n], t.inputs[s], x[s + 1]);
    }
  }
  P logMagnitude[Shape::maxTimescales];
  for (int s = 0; s < S; ++s) logMagnitude[s] = zero;
  if (shape.has(kRelativeLogMagnitude)) {
    P mean(zero);
    for (int s = 0; s < S; ++s) mean = mean + x[n + s];
    mean = mean * P(T(1) / T(S));
    for (int s = 0; s < S; ++s) logMagnitude[s] = x[n + s] - mean;
    n += S;
  }
  if (shape.has(kRelativeLearningRate)) {
    old.logRate = old.logRate + x[n];
    meanLogRate = meanLogRate - x[n++];
  }
  if (shape.has(kExtremeRateIndicator)) {
    const P logTiny(T(-13.815510557964274));
    old.logRate = old.logRate + select_(zero < state.logRate, x[n], zero) + select_(state.logRate < logTiny, x[n], zero);
    ++n;
  }
  if (shape.has(kAbsoluteLearningRate)) old.logRate = old.logRate + x[n++];

  const bool algebraic = shape.has(kAlgebraicActivations), unscaled = shape.has(kUnscaledInputs);
  P inputDecay(zero), scaleDecay(zero);  // adjoints, carried from one timescale to that which its decay was made of
  const Decays<P, Shape>& d = t.decays;
  barGradient = zero;
  for (int k = 0; k < S; ++k) {
    const int s = algebraic ? k : S - 1 - k;
    // Without dynamic scaling m does not depend on λ.
    const P root = unscaled ? one : t.inverseRoot[s];
    const P ratio = t.average[s] * root;
    P barRatio, magnitude;
    if (algebraic) {
      const P inverse = one / fma_(ratio * P(T(0.25)), ratio, one);
      barRatio = x[s] * inverse * sqrt_(inverse);
      magnitude = logMagnitude[s] * t.logSlope[s];
    } else {
      barRatio = x[s] / sqrt_(fma_(ratio, ratio, one));
    }
    const P viaScale = unscaled ? zero : P(T(-0.5)) * barRatio;
    // shifted = λ + 1e-16
    P shifted;
    if (algebraic) {
      shifted = fma_(viaScale * ratio * t.inverseRoot[s], t.inverseRoot[s], magnitude);
    } else {
      shifted = t.inverseRoot[s] * (fma_(viaScale, ratio, logMagnitude[s]) * t.inverseRoot[s]);
    }
    const P scale = bar.scale[s] + shifted;
    const P square = fma_(t.average[s], t.average[s], P(T(1e-12)));
    P average = fma_(barRatio, root, (scale + scale) * d.scaleGain[s] * t.average[s]);
    old.scale[s] = scale * d.scale[s];
    const P barScaleDecay = scale * (state.scale[s] - square);
    if (S > 1) {
      average = average + bar.momentum[s];
      old.momentum[s] = average * d.input[s];
      barGradient = fma_(average, d.inputGain[s], barGradient);
      inputDecay = fma_(average, state.momentum[s] - gradient, inputDecay);
    } else {
      old.momentum[s] = zero;
      barGradient = barGradient + average;
    }
    scaleDecay = scaleDecay + barScaleDecay;
    if (k + 1 == S) break;
    // β_s = √β_{s−1}, or with algebraic activations β_s = β²_{s+1}; for a fresh coordinate both are 0 and no adjoint passes.
    if (algebraic) {
      inputDecay = (inputDecay + inputDecay) * d.input[s + 1];
      if (shape.has(kScaleDecayPerTimescale)) scaleDecay = (scaleDecay + scaleDecay) * d.scale[s + 1];
    } else {
      inputDecay = select_(fresh, zero, inputDecay * half / d.input[s]);
      if (shape.has(kScaleDecayPerTimescale)) scaleDecay = select_(fresh, zero, scaleDecay * half / d.scale[s]);
    }
  }
  const int head = algebraic ? S - 1 : 0;
  if (S > 1) {
    const P z = select_(fresh, zero, throughDecay(shape, inputDecay, d.input[head], d.inputGain[head]));
    weights.inputDecayBias = weights.inputDecayBias + z;
    dotBackward(cell.inputDecayReadout, weights.inputDecayReadout, state.hidden, H, z, old.hidden);
  }
  const P z = select_(fresh, zero, throughDecay(shape, scaleDecay, d.scale[head], d.scaleGain[head]));
  weights.scaleDecayBias = weights.scaleDecayBias + z;
  dotBackward(cell.scaleDecayReadout, weights.scaleDecayReadout, state.hidden, H, z, old.hidden);
}

// The forward step of a coordinate with its tape; `c` is advanced.
template <class P, class W, class V, class B, class M, class Shape>
LO_HD LO_INLINE void advanceAndRecord(const Shape& shape, const Cell<W, V>& cell, const B* bias, M meanLogRate,
                                      P gradient, Coordinates<P, Shape>& c, StepOutputs<P, Shape>& out,
                                      StepTape<P, Shape>& tape) {
  advance(shape, cell, bias, meanLogRate, gradient, c, out, tape);
  for (int i = 0; i < shape.inputs(); ++i) tape.inputs[i] = out.inputs[i];
  tape.logStep = out.logStep;
}

// The whole step of a coordinate with old state `state`. `bias` [3·hidden] and `barMeanLogRate` are added to, `weights`
// too; `old` and `barGradient` are set.
template <class P, class W, class V, class A, class Shape>
LO_HD LO_INLINE void advanceBackward(const Shape& shape, const Cell<W, V>& cell, const StepTape<P, Shape>& tape,
                                     P gradient, const Coordinates<P, Shape>& state, const StepAdjoint<P, Shape>& bar,
                                     CellAdjoint<A, P>& weights, P* bias, P& barMeanLogRate, Coordinates<P, Shape>& old,
                                     P& barGradient) {
  const int H = shape.hidden(), I = shape.inputs();
  P hidden[Shape::maxHidden];
  P inputs[Shape::maxInputs];
  for (int j = 0; j < H; ++j) {
    hidden[j] = bar.state.hidden[j];
    old.hidden[j] = P(Scalar<P>(0));
  }
  for (int i = 0; i < I; ++i) inputs[i] = bar.inputs[i];
  readOutBackward(shape, cell, tape, bar, state.logRate, weights, hidden, inputs, old.logRate);
  updateHiddenBackward(shape, cell, tape, state.hidden, hidden, weights, bias, inputs, old.hidden);
  updateInputsBackward(shape, cell, tape, gradient, state, bar.state, inputs, weights, old, barGradient,
                       barMeanLogRate);
}

}  // namespace lo
