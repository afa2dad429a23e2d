// What is measured: models, sizes, and how the parameters are spread over tensors.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "native/test/model_files.h"

namespace bench {

struct Case {
  std::string model;  // hrnn-3, paper or attention
  int bits;           // of state
  std::string list;   // one, thousand or resnet-50
  std::size_t parameters;
};

// Of the repository's files: the default preset; the paper's sizes; these with attention.
lo::test::Model loadModel(const std::string& name);
std::vector<std::size_t> lengthsOf(const Case& c);
std::size_t resNet50Parameters();

// Bytes to and from memory per parameter and step, as docs/cuda.md has them: state read and written, gradient read, raw step
// written and read, parameter read and written; with attention θ and its raw step too.
std::size_t bytesPerParameter(const lo::Config& config, int bits);
// Device memory that a case holds, gradients and parameters included.
std::size_t memoryOf(const lo::Config& config, const Case& c);

std::vector<Case> allCases(bool quick);

}  // namespace bench
