#include "dispatch.h"

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
#define LO_X86_BUILTIN 1
#elif defined(_MSC_VER) && defined(_M_X64)
#define LO_X86_MSVC 1
#include <immintrin.h>
#include <intrin.h>
#endif

namespace lo {

namespace {

struct CpuSupport {
  bool avx2 = false;
  bool avx512 = false;
};

// Support by the CPU and by the operating system (it must save the wide registers).
CpuSupport detect() {
  CpuSupport s;
#if defined(LO_X86_BUILTIN)
  // These builtins read XGETBV, so the operating system's part is included.
  __builtin_cpu_init();
  s.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  s.avx512 = s.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#elif defined(LO_X86_MSVC)
  int r[4];
  __cpuid(r, 0);
  if (r[0] < 7) return s;
  __cpuid(r, 1);
  const bool osxsave = (r[2] >> 27 & 1) != 0, fma = (r[2] >> 12 & 1) != 0;
  if (!osxsave) return s;
  const unsigned long long xcr0 = _xgetbv(0);
  __cpuidex(r, 7, 0);
  const unsigned ebx = static_cast<unsigned>(r[1]);
  s.avx2 = fma && (ebx >> 5 & 1) != 0 && (xcr0 & 0x6) == 0x6;
  const unsigned need = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
  s.avx512 = s.avx2 && (ebx & need) == need && (xcr0 & 0xe6) == 0xe6;
#endif
  return s;
}

std::vector<const Kernels<float>*> listAvailable() {
  const CpuSupport cpu = detect();
  std::vector<const Kernels<float>*> list;
  if (cpu.avx512 && avx512Kernels() != nullptr) list.push_back(avx512Kernels());
  if (cpu.avx2 && avx2Kernels() != nullptr) list.push_back(avx2Kernels());
  if (neonKernels() != nullptr) list.push_back(neonKernels());
  if (baselineKernels() != nullptr) list.push_back(baselineKernels());
  return list;
}

}  // namespace

const std::vector<const Kernels<float>*>& availableKernels() {
  static const std::vector<const Kernels<float>*> list = listAvailable();
  return list;
}

KernelChoice chooseKernels(const char* forced) {
  KernelChoice choice;
  const auto& available = availableKernels();
  if (forced == nullptr || *forced == '\0') {
    choice.kernels = available.front();
    return choice;
  }
  std::string names;
  for (const Kernels<float>* k : available) {
    if (std::string(forced) == k->isa) choice.kernels = k;
    names += names.empty() ? k->isa : std::string(", ") + k->isa;
  }
  if (choice.kernels == nullptr) {
    choice.error = "instruction set '" + std::string(forced) + "' is not available; this machine and build have: " + names;
  }
  return choice;
}

const char* compilerName() {
#if defined(__clang__)
  return "clang " __clang_version__;
#elif defined(__GNUC__)
  return "gcc " __VERSION__;
#elif defined(_MSC_VER)
  return "msvc";
#else
  return "unknown compiler";
#endif
}

}  // namespace lo
