// Choice of the float kernels: what is compiled in, what this machine can run, what the user forced.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"

namespace lo {

// Runnable here, best first. Never empty.
const std::vector<const Kernels<float>*>& availableKernels();

struct KernelChoice {
  const Kernels<float>* kernels = nullptr;  // null: `error` says why
  std::string error;
};

// `forced`: name of an instruction set, or null or empty for the best available one.
KernelChoice chooseKernels(const char* forced);

// Compiler and version that built this binary.
const char* compilerName();

}  // namespace lo
