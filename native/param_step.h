// One step of the parameter level for the coordinates held in one P: the whole per-parameter mathematics of
// Wichrowska et al. 2017 (sections 3.1–3.3), written once.
//
// P is the number type: `double` (reference), a SIMD pack of floats (vec.h), or `float` (one CUDA thread).
// W is the type of a matrix entry, converted to P where it is used: a scalar where all coordinates of a P share the
// weights, PackMemory (vec.h) where every lane has its own (meta-training by evolution strategies).
// B, the type of the bias, and M, that of mean η, are scalars where all coordinates belong to one problem, else P.
// Shape says which architecture (config.h): constants for the common ones, values for all others.
#pragma once

#include "config.h"
#include "math.h"

namespace lo {

// Type of a constant of the arithmetic in P.
template <class P>
struct ScalarOf {
  using type = P;
};
template <class P>
using Scalar = typename ScalarOf<P>::type;

// State of the coordinates in one P. A coordinate that has never been advanced has scale[0] = 0.
template <class P, class Shape>
struct Coordinates {
  P hidden[Shape::maxHidden];
  P momentum[Shape::maxTimescales];  // ḡ_s
  P scale[Shape::maxTimescales];     // λ_s
  P logRate;                         // η
};

// What a step yields besides the new state.
template <class P, class Shape>
struct StepOutputs {
  // [x | r∘h] while the cell is evaluated; the first `inputs` entries are x afterwards.
  P inputs[Shape::maxInputs + Shape::maxHidden];
  P direction;           // d, before normalisation by the tensor's root mean square
  P attentionDirection;  // d_a, likewise
  P logStep;             // η_step
};

// Largest number of outputs that `affine` computes together, so that their sums stay in registers. `apart`: by a function of
// its own, where the registers are so few that a caller's values would push the sums out of them.
template <class P>
struct TileOf {
  static constexpr int value = 10;
  static constexpr bool apart = false;
};

template <int Tile, class P, class W, class B>
LO_HD LO_INLINE void affineTile(const W* LO_RESTRICT w, int stride, const B* bias, const P* in, int n, P* out) {
  P acc[Tile];
  LO_UNROLL for (int o = 0; o < Tile; ++o) acc[o] = P(bias[o]);
  for (int i = 0; i < n; ++i, w += stride) {
    const P v = in[i];
    LO_UNROLL for (int o = 0; o < Tile; ++o) acc[o] = fma_(v, P(w[o]), acc[o]);
  }
  LO_UNROLL for (int o = 0; o < Tile; ++o) out[o] = acc[o];
}

template <int Tile, class P, class W, class B>
LO_HD LO_NOINLINE void affineTileApart(const W* w, int stride, const B* bias, const P* in, int n, P* out) {
  affineTile<Tile>(w, stride, bias, in, n, out);
}

// The outputs from `o` on: as many tiles as fit, the rest by halves of a tile.
template <int Tile, class P, class W, class B>
LO_HD LO_INLINE void affineFrom(int o, const W* w, int stride, const B* bias, const P* in, int n, int outputs, P* out) {
  for (; o + Tile <= outputs; o += Tile) {
    if constexpr (TileOf<P>::apart && Tile > 1) {
      affineTileApart<Tile>(w + o, stride, bias + o, in, n, out + o);
    } else {
      affineTile<Tile>(w + o, stride, bias + o, in, n, out + o);
    }
  }
  if constexpr (Tile > 1) affineFrom<Tile / 2>(o, w, stride, bias, in, n, outputs, out);
}

// Tiles of equal size for a number of outputs known to the compiler; the largest first where it is not (Outputs = 0).
LO_HD constexpr int tileFor(int outputs, int largest) {
  if (outputs == 0) return largest;
  const int tiles = (outputs + largest - 1) / largest;
  return (outputs + tiles - 1) / tiles;
}

// out[o] = bias[o] + Σ_i in[i]·w[i·stride + o] for o < outputs; Outputs is `outputs` or 0.
template <int Outputs, class P, class W, class B>
LO_HD LO_INLINE void affine(const W* w, int stride, const B* bias, const P* in, int n, int outputs, P* out) {
  affineFrom<tileFor(Outputs, TileOf<P>::value)>(0, w, stride, bias, in, n, outputs, out);
}
template <class P, class W, class B>
LO_HD LO_INLINE void affine(const W* w, int stride, const B* bias, const P* in, int n, int outputs, P* out) {
  affine<0>(w, stride, bias, in, n, outputs, out);
}

template <class P, class W>
LO_HD LO_INLINE P dot(const W* w, const P* v, int n, P acc) {
  for (int i = 0; i < n; ++i) acc = fma_(v[i], P(w[i]), acc);
  return acc;
}

// What the step tells about its intermediate values: nothing, unless a reverse pass will need them
// (param_step_backward.h).
struct NoRecord {
  template <class... V>
  LO_HD LO_INLINE void decaysUsed(const V&...) {}
  template <class... V>
  LO_HD LO_INLINE void scaling(const V&...) {}
  template <class... V>
  LO_HD LO_INLINE void reset(const V&...) {}
  template <class... V>
  LO_HD LO_INLINE void updated(const V&...) {}
};

// σ and tanh of the cell, or their algebraic counterparts.
template <class P, class Shape>
LO_HD LO_INLINE P gateActivation(const Shape& shape, P x) {
  return shape.has(kAlgebraicActivations) ? softSigmoid_(x) : sigmoid_(x);
}
template <class P, class Shape>
LO_HD LO_INLINE P candidateActivation(const Shape& shape, P x) {
  return shape.has(kAlgebraicActivations) ? softsign_(x) : tanh_(x);
}

template <class P, class Shape>
LO_HD LO_INLINE void decayActivation(const Shape& shape, P x, P& value, P& complement) {
  if (shape.has(kAlgebraicActivations)) {
    piecewiseSigmoidWithComplement(x, value, complement);
  } else {
    sigmoidWithComplement(x, value, complement);
  }
}

// The decays of one step, with their complements.
template <class P, class Shape>
struct Decays {
  P input[Shape::maxTimescales];      // β of ḡ_s
  P inputGain[Shape::maxTimescales];  // 1 − β
  P scale[Shape::maxTimescales];      // β_λ of λ_s
  P scaleGain[Shape::maxTimescales];  // 1 − β_λ
};

// The decays of all timescales from that of one: β_s = β^(2^−s) from the first, by square roots (released code), or with
// algebraic activations from the last, by squares.
template <class P, class Shape>
LO_HD LO_INLINE void spreadDecay(const Shape& shape, P* decay, P* gain) {
  const P one(Scalar<P>(1));
  const int S = shape.timescales();
  if (shape.has(kAlgebraicActivations)) {
    LO_UNROLL for (int s = S - 1; s > 0; --s) {
      decay[s - 1] = decay[s] * decay[s];
      gain[s - 1] = fma_(gain[s], decay[s], gain[s]);
    }
  } else {
    LO_UNROLL for (int s = 0; s + 1 < S; ++s) {
      // 1 − √β = (1 − β)/(1 + √β) keeps its relative accuracy for β close to 1.
      decay[s + 1] = sqrt_(decay[s]);
      gain[s + 1] = gain[s] / (one + decay[s + 1]);
    }
  }
}

// The decays are heads of the hidden state that the previous step left behind, so they need not be stored.
template <class P, class W, class V, class Shape>
LO_HD LO_INLINE void computeDecays(const Shape& shape, const Cell<W, V>& cell, const P* hidden, P firstScale,
                                   Decays<P, Shape>& d) {
  using T = Scalar<P>;
  const int H = shape.hidden(), S = shape.timescales();
  const P zero(T(0)), one(T(1));
  const int head = shape.has(kAlgebraicActivations) ? S - 1 : 0;
  const auto fresh = firstScale == zero;
  P decay, gain;
  if (S > 1) {
    decayActivation(shape, dot(cell.inputDecayReadout, hidden, H, P(cell.inputDecayBias)), decay, gain);
    d.input[head] = select_(fresh, zero, decay);
    d.inputGain[head] = select_(fresh, one, gain);
    spreadDecay(shape, d.input, d.inputGain);
  } else {
    d.input[0] = zero;
    d.inputGain[0] = one;
  }
  decayActivation(shape, dot(cell.scaleDecayReadout, hidden, H, P(cell.scaleDecayBias)), decay, gain);
  decay = select_(fresh, zero, decay);
  gain = select_(fresh, one, gain);
  if (shape.has(kScaleDecayPerTimescale)) {
    d.scale[head] = decay;
    d.scaleGain[head] = gain;
    spreadDecay(shape, d.scale, d.scaleGain);
  } else {
    LO_UNROLL for (int s = 0; s < S; ++s) {
      d.scale[s] = decay;
      d.scaleGain[s] = gain;
    }
  }
}

// Advances ḡ and λ of one timescale; gives m, the scaled gradient, and λ + 1e-16. Without dynamic input scaling m is that of ḡ
// itself, and λ matters to the relative log magnitude only.
template <class P, class Shape>
LO_HD LO_INLINE P updateTimescale(const Shape& shape, P decay, P gain, P scaleDecay, P scaleGain, P gradient, P& momentum,
                                  P& scale, P& average, P& shifted) {
  using T = Scalar<P>;
  average = gradient;
  if (shape.timescales() > 1) {
    average = fma_(decay, momentum, gain * gradient);
    momentum = average;
  }
  scale = fma_(scaleDecay, scale, scaleGain * fma_(average, average, P(T(1e-12))));
  shifted = scale + P(T(1e-16));
  const P divisor = shape.has(kUnscaledInputs) ? P(T(1)) : shifted;
  if (shape.has(kAlgebraicActivations)) {
    // m/√(1 + ¼m²) for m = ḡ/√λ, in the place of asinh m: the same slope at 0, 2 at infinity.
    return average / sqrt_(fma_(average * P(T(0.25)), average, divisor));
  }
  return asinh_(average / sqrt_(divisor));
}

template <class P, class Shape>
LO_HD LO_INLINE P logMagnitudeOf(const Shape& shape, P shifted) {
  return shape.has(kAlgebraicActivations) ? piecewiseLog_(shifted) : log_(shifted);
}

// Completes x, whose first entries are m, from the logarithms of λ and from η.
template <class P, class M, class Shape>
LO_HD LO_INLINE void completeInputs(const Shape& shape, M meanLogRate, P logRate, const P* logMagnitude, P* x) {
  using T = Scalar<P>;
  const int S = shape.timescales();
  int n = S;
  if (shape.has(kGradientProducts)) {
    LO_UNROLL for (int s = 0; s + 1 < S; ++s) x[n++] = x[s] * x[s + 1];
  }
  if (shape.has(kRelativeLogMagnitude)) {
    P mean(T(0));
    LO_UNROLL for (int s = 0; s < S; ++s) mean = mean + logMagnitude[s];
    mean = mean * P(T(1) / T(S));
    LO_UNROLL for (int s = 0; s < S; ++s) x[n++] = logMagnitude[s] - mean;
  }
  if (shape.has(kRelativeLearningRate)) x[n++] = logRate - P(meanLogRate);
  if (shape.has(kExtremeRateIndicator)) {
    const P zero(T(0)), logTiny(T(-13.815510557964274));  // ln 1e-6; ln 1 is 0
    x[n++] = max_(logRate, zero) - max_(logTiny - logRate, zero);
  }
  if (shape.has(kAbsoluteLearningRate)) x[n++] = logRate + P(T(kMinusLogBaseRate));
}

// The gradient as the step takes it in.
template <class P>
LO_HD LO_INLINE P boundedGradient(P gradient) {
  using T = Scalar<P>;
  return max_(min_(gradient, P(T(kMaxGradient))), P(T(-kMaxGradient)));
}

// Advances ḡ and λ and fills out.inputs with x (paper, section 3.2). `gradient` is finite.
template <class P, class W, class V, class M, class Shape, class Record>
LO_HD LO_INLINE void updateInputs(const Shape& shape, const Cell<W, V>& cell, M meanLogRate, P gradient,
                                  Coordinates<P, Shape>& c, StepOutputs<P, Shape>& out, Record& record) {
  const int S = shape.timescales();
  Decays<P, Shape> decays;
  computeDecays(shape, cell, c.hidden, c.scale[0], decays);
  record.decaysUsed(decays);
  const P g = boundedGradient(gradient);
  P logMagnitude[Shape::maxTimescales] = {};
  LO_UNROLL for (int s = 0; s < S; ++s) {
    P average, shifted;
    out.inputs[s] = updateTimescale(shape, decays.input[s], decays.inputGain[s], decays.scale[s], decays.scaleGain[s], g,
                                    c.momentum[s], c.scale[s], average, shifted);
    record.scaling(shape, s, average, shifted);
    if (shape.has(kRelativeLogMagnitude)) logMagnitude[s] = logMagnitudeOf(shape, shifted);
  }
  completeInputs(shape, meanLogRate, c.logRate, logMagnitude, out.inputs);
}

// Element-wise parts of the GRU, from what its gates and its candidate are the activations of.
template <class P, class Shape>
LO_HD LO_INLINE P resetHidden(const Shape& shape, P gate, P hidden, P& reset) {
  reset = gateActivation(shape, gate);
  return reset * hidden;
}
template <class P, class Shape>
LO_HD LO_INLINE P nextHidden(const Shape& shape, P gate, P candidate, P hidden, P& update, P& next) {
  next = candidateActivation(shape, candidate);
  update = gateActivation(shape, gate);
  return fma_(update, hidden - next, next);
}

// GRU with the tensor's bias, columns [reset | update | candidate]; uses out.inputs and advances c.hidden.
template <class P, class W, class V, class B, class Shape, class Record>
LO_HD LO_INLINE void updateHidden(const Shape& shape, const Cell<W, V>& cell, const B* bias, Coordinates<P, Shape>& c,
                                  StepOutputs<P, Shape>& out, Record& record) {
  const int H = shape.hidden();
  const int I = shape.inputs();
  P* in = out.inputs;
  P gates[2 * Shape::maxHidden];
  for (int j = 0; j < H; ++j) in[I + j] = c.hidden[j];
  affine<2 * Shape::fixedHidden>(cell.gates, 2 * H, bias, in, I + H, 2 * H, gates);
  for (int j = 0; j < H; ++j) {
    P r;
    in[I + j] = resetHidden(shape, gates[j], c.hidden[j], r);
    record.reset(j, r);
  }
  P candidate[Shape::maxHidden];
  affine<Shape::fixedHidden>(cell.candidate, H, bias + 2 * H, in, I + H, H, candidate);
  for (int j = 0; j < H; ++j) {
    P u, next;
    c.hidden[j] = nextHidden(shape, gates[H + j], candidate[j], c.hidden[j], u, next);
    record.updated(j, u, next, c.hidden[j]);
  }
}

// Direction, step size and the new learning rate from the new hidden state (paper, section 3.3).
template <class P, class W, class V, class Shape>
LO_HD LO_INLINE void readOut(const Shape& shape, const Cell<W, V>& cell, Coordinates<P, Shape>& c,
                             StepOutputs<P, Shape>& out) {
  using T = Scalar<P>;
  const int H = shape.hidden();
  const int S = shape.timescales();
  const P* scaled = out.inputs;
  const P zero(T(0));
  out.direction = dot(cell.updateReadout, c.hidden, H, dot(cell.updateShortcut, scaled, S, zero));
  if (shape.has(kAttention)) {
    out.attentionDirection = dot(cell.attentionReadout, c.hidden, H, dot(cell.attentionShortcut, scaled, S, zero));
  }
  const P change = dot(cell.rateReadout, c.hidden, H, P(cell.rateBias));
  out.logStep = max_(min_(c.logRate + change, P(cell.maxLogRate)), P(T(kMinLogLearningRate)));
  c.logRate = fma_(P(cell.rateMomentum), c.logRate, (P(T(1)) - P(cell.rateMomentum)) * out.logStep);
}

template <class P, class W, class V, class B, class M, class Shape, class Record = NoRecord>
LO_HD LO_INLINE void advance(const Shape& shape, const Cell<W, V>& cell, const B* bias, M meanLogRate, P gradient,
                             Coordinates<P, Shape>& c, StepOutputs<P, Shape>& out, Record&& record = Record()) {
  updateInputs(shape, cell, meanLogRate, gradient, c, out, record);
  updateHidden(shape, cell, bias, c, out, record);
  readOut(shape, cell, c, out);
}

}  // namespace lo
