// Compiler-specific words of the native core, in one place.
#pragma once

#if defined(__CUDACC__)
#define LO_HD __host__ __device__
#define LO_INLINE __forceinline__
#define LO_UNROLL _Pragma("unroll")
#elif defined(LO_SANITIZED)
// Sanitizers multiply the code; forced inlining and unrolling on top would take the compiler minutes per file.
#define LO_HD
#define LO_INLINE inline
#define LO_UNROLL
#elif defined(__GNUC__) || defined(__clang__)
#define LO_HD
#define LO_INLINE inline __attribute__((always_inline))
#if defined(__clang__)
#define LO_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LO_UNROLL _Pragma("GCC unroll 32")
#endif
#else
#define LO_HD
#define LO_INLINE __forceinline
#define LO_UNROLL
#endif

#if defined(__GNUC__) || defined(__clang__)
#define LO_RESTRICT __restrict__
#else
#define LO_RESTRICT __restrict
#endif

#if defined(__CUDACC__)
#define LO_NOINLINE __noinline__
#elif defined(_MSC_VER)
#define LO_NOINLINE __declspec(noinline)
#else
#define LO_NOINLINE __attribute__((noinline))
#endif
