// GRU with an injected bias, as the released code of the paper has it (BiasGRUCell), for the tensor and the global level
// of many problems at once: r, u = σ(W_g [x, h] + b_g + injected), c = tanh(W_c [x, r∘h] + b_c + injected),
// h' = u∘h + (1 − u)∘c; and its reverse.
#pragma once

#include "param_step_backward.h"

namespace lo {

constexpr int kMaxCell = 256;
constexpr int kMaxCellInputs = kMaxCell;

template <class W>
struct GruWeights {
  const W* gates;          // [inputs + hidden][2·hidden], columns [reset | update]
  const W* gatesBias;      // [2·hidden]
  const W* candidate;      // [inputs + hidden][hidden]
  const W* candidateBias;  // [hidden]
  int inputs;
  int hidden;
};

template <class A>
struct GruAdjoint {
  A* gates;
  A* gatesBias;
  A* candidate;
  A* candidateBias;
};

template <class P>
struct GruTape {
  P* reset;      // [hidden]
  P* update;     // [hidden]
  P* candidate;  // [hidden]
};

template <class P, class A>
LO_HD LO_INLINE void accumulate(A* memory, const P* values, int n) {
  for (int i = 0; i < n; ++i) put(memory[i], P(memory[i]) + values[i]);
}

// acc + Σ_i in[i]·w[i·stride]: one output of `affine`.
template <class P, class W>
LO_HD LO_INLINE P affineOutput(const W* w, int stride, const P* in, int n, P acc) {
  for (int i = 0; i < n; ++i) acc = fma_(in[i], P(w[i * stride]), acc);
  return acc;
}

template <class P>
LO_HD LO_INLINE P gruNext(P update, P candidate, P h) {
  return fma_(update, h - candidate, candidate);
}

// One output at a time, for a device where each is a thread's: gate o < 2·hidden from [x, h], candidate o from [x, r∘h].
template <class P, class W, class B>
LO_HD LO_INLINE P gruGate(const GruWeights<W>& w, const P* in, const B* injected, int o) {
  const P bias = P(w.gatesBias[o]) + (injected != nullptr ? P(injected[o]) : P(Scalar<P>(0)));
  return sigmoid_(affineOutput(w.gates + o, 2 * w.hidden, in, w.inputs + w.hidden, bias));
}
template <class P, class W, class B>
LO_HD LO_INLINE P gruCandidate(const GruWeights<W>& w, const P* in, const B* injected, int o) {
  const P bias = P(w.candidateBias[o]) + (injected != nullptr ? P(injected[2 * w.hidden + o]) : P(Scalar<P>(0)));
  return tanh_(affineOutput(w.candidate + o, w.hidden, in, w.inputs + w.hidden, bias));
}

// `injected` is [3·hidden] or null, of type P or of one that P is made from; `next` may not be `h`.
template <class P, class W, class B>
LO_HD void gruForward(const GruWeights<W>& w, const P* x, const B* injected, const P* h, P* next,
                      const GruTape<P>& tape) {
  const int n = w.hidden, I = w.inputs;
  const P zero(Scalar<P>(0));
  P in[kMaxCellInputs + kMaxCell];
  P bias[2 * kMaxCell];
  P gates[2 * kMaxCell];
  for (int i = 0; i < I; ++i) in[i] = x[i];
  for (int j = 0; j < n; ++j) in[I + j] = h[j];
  for (int j = 0; j < 2 * n; ++j) bias[j] = P(w.gatesBias[j]) + (injected != nullptr ? P(injected[j]) : zero);
  affine(w.gates, 2 * n, bias, in, I + n, 2 * n, gates);
  for (int j = 0; j < n; ++j) {
    tape.reset[j] = sigmoid_(gates[j]);
    tape.update[j] = sigmoid_(gates[n + j]);
    in[I + j] = tape.reset[j] * h[j];
    bias[j] = P(w.candidateBias[j]) + (injected != nullptr ? P(injected[2 * n + j]) : zero);
  }
  affine(w.candidate, n, bias, in, I + n, n, gates);
  for (int j = 0; j < n; ++j) {
    tape.candidate[j] = tanh_(gates[j]);
    next[j] = gruNext(tape.update[j], tape.candidate[j], h[j]);
  }
}

// Adds to the adjoints of the weights, of x, of the injected bias (unless null) and of h.
template <class P, class W, class A>
LO_HD void gruBackward(const GruWeights<W>& w, const GruAdjoint<A>& adjoint, const P* x, const P* h,
                       const GruTape<P>& tape, const P* barNext, P* barX, P* barInjected, P* barH) {
  const int n = w.hidden, I = w.inputs;
  const P zero(Scalar<P>(0)), one(Scalar<P>(1));
  P in[kMaxCellInputs + kMaxCell];
  P barIn[kMaxCellInputs + kMaxCell];
  P gates[2 * kMaxCell];
  P candidate[kMaxCell];
  for (int i = 0; i < I; ++i) in[i] = x[i];
  for (int i = 0; i < I + n; ++i) barIn[i] = zero;
  for (int j = 0; j < n; ++j) {
    const P u = tape.update[j], c = tape.candidate[j];
    gates[n + j] = barNext[j] * (h[j] - c) * u * (one - u);
    candidate[j] = barNext[j] * (one - u) * (one - c * c);
    barH[j] = fma_(barNext[j], u, barH[j]);
    in[I + j] = tape.reset[j] * h[j];
  }
  affineBackward(w.candidate, adjoint.candidate, n, in, I + n, n, candidate, barIn);
  for (int j = 0; j < n; ++j) {
    const P r = tape.reset[j];
    gates[j] = barIn[I + j] * h[j] * r * (one - r);
    barH[j] = fma_(barIn[I + j], r, barH[j]);
    barIn[I + j] = zero;
    in[I + j] = h[j];
  }
  affineBackward(w.gates, adjoint.gates, 2 * n, in, I + n, 2 * n, gates, barIn);
  for (int i = 0; i < I; ++i) barX[i] = barX[i] + barIn[i];
  for (int j = 0; j < n; ++j) barH[j] = barH[j] + barIn[I + j];
  accumulate(adjoint.gatesBias, gates, 2 * n);
  accumulate(adjoint.candidateBias, candidate, n);
  if (barInjected == nullptr) return;
  for (int j = 0; j < 2 * n; ++j) barInjected[j] = barInjected[j] + gates[j];
  for (int j = 0; j < n; ++j) barInjected[2 * n + j] = barInjected[2 * n + j] + candidate[j];
}

}  // namespace lo
