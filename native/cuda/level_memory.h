// Where the meta-parameters above the parameter level lie.
#pragma once

#include "../gru.h"

namespace lo::cuda {

struct DeviceAffine {
  const double* matrix;
  const double* bias;
};

// Meta-parameters above the parameter level, on the device.
struct LevelMemory {
  int levels, width;  // width: 3·hidden of the parameter cell
  const double* cellBias;
  GruWeights<double> tensor, global;
  DeviceAffine tensorToParameter, globalToParameter, globalToTensor;
  float* globalState;
};

}  // namespace lo::cuda
