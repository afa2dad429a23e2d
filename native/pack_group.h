// Several P side by side that go through the same computation, part by part. What is loaded once, above all a weight, serves
// all of them. The templates of math.h, param_step.h and gru.h take a Group of packs where they take a pack.
#pragma once

#include <type_traits>

#include "param_step.h"

namespace lo {

template <class P, int N>
struct Group {
  P parts[N];

  Group() = default;
  // The same in all parts: a constant, a weight as it lies in memory, or a P.
  template <class X>
  LO_INLINE explicit Group(const X& x) {
    const P v(x);
    LO_UNROLL for (int k = 0; k < N; ++k) parts[k] = v;
  }
};

template <class M, int N>
struct GroupMask {
  M parts[N];
};

template <class P, int N>
struct ScalarOf<Group<P, N>> {
  using type = Scalar<P>;
};

// A P alone is a group of one.
template <class P, int N>
using Grouped = std::conditional_t<N == 1, P, Group<P, N>>;

template <class G>
constexpr int groupSize = 1;
template <class P, int N>
constexpr int groupSize<Group<P, N>> = N;

template <class P>
LO_INLINE P& part(P& alone, int) {
  return alone;
}
template <class P, int N>
LO_INLINE P& part(Group<P, N>& group, int k) {
  return group.parts[k];
}
template <class P, int N>
LO_INLINE const P& part(const Group<P, N>& group, int k) {
  return group.parts[k];
}

#define LO_GROUP_UNARY(NAME)                                                          \
  template <class P, int N>                                                           \
  LO_INLINE Group<P, N> NAME(const Group<P, N>& a) {                                  \
    Group<P, N> r;                                                                    \
    LO_UNROLL for (int k = 0; k < N; ++k) r.parts[k] = NAME(a.parts[k]);              \
    return r;                                                                         \
  }
#define LO_GROUP_BINARY(NAME)                                                         \
  template <class P, int N>                                                           \
  LO_INLINE Group<P, N> NAME(const Group<P, N>& a, const Group<P, N>& b) {            \
    Group<P, N> r;                                                                    \
    LO_UNROLL for (int k = 0; k < N; ++k) r.parts[k] = NAME(a.parts[k], b.parts[k]);  \
    return r;                                                                         \
  }
#define LO_GROUP_COMPARE(NAME)                                                        \
  template <class P, int N>                                                           \
  LO_INLINE auto NAME(const Group<P, N>& a, const Group<P, N>& b) {                   \
    GroupMask<decltype(NAME(a.parts[0], b.parts[0])), N> r;                           \
    LO_UNROLL for (int k = 0; k < N; ++k) r.parts[k] = NAME(a.parts[k], b.parts[k]);  \
    return r;                                                                         \
  }

LO_GROUP_UNARY(sqrt_)
LO_GROUP_UNARY(abs_)
LO_GROUP_UNARY(round_)
LO_GROUP_UNARY(bitsFromOne)
LO_GROUP_UNARY(floatFromOne)
LO_GROUP_UNARY(powerOfTwoBelow)
LO_GROUP_BINARY(operator+)
LO_GROUP_BINARY(operator-)
LO_GROUP_BINARY(operator*)
LO_GROUP_BINARY(operator/)
LO_GROUP_BINARY(min_)
LO_GROUP_BINARY(max_)
LO_GROUP_BINARY(copysign_)
LO_GROUP_BINARY(scaleByPowerOfTwo)
LO_GROUP_COMPARE(operator<)
LO_GROUP_COMPARE(operator<=)
LO_GROUP_COMPARE(operator==)

#undef LO_GROUP_UNARY
#undef LO_GROUP_BINARY
#undef LO_GROUP_COMPARE

template <class P, int N>
LO_INLINE Group<P, N> fma_(const Group<P, N>& a, const Group<P, N>& b, const Group<P, N>& c) {
  Group<P, N> r;
  LO_UNROLL for (int k = 0; k < N; ++k) r.parts[k] = fma_(a.parts[k], b.parts[k], c.parts[k]);
  return r;
}
template <class M, class P, int N>
LO_INLINE Group<P, N> select_(const GroupMask<M, N>& m, const Group<P, N>& a, const Group<P, N>& b) {
  Group<P, N> r;
  LO_UNROLL for (int k = 0; k < N; ++k) r.parts[k] = select_(m.parts[k], a.parts[k], b.parts[k]);
  return r;
}
template <class P, int N>
LO_INLINE Group<P, N> splitExponent(const Group<P, N>& x, Group<P, N>& e) {
  Group<P, N> r;
  LO_UNROLL for (int k = 0; k < N; ++k) r.parts[k] = splitExponent(x.parts[k], e.parts[k]);
  return r;
}

}  // namespace lo
