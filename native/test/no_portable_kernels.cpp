// Tests that have no use for the kernels of kernels_portable.cpp, which take long to compile.
#include "support.h"

namespace lo::test {

const Kernels<float>* portableKernels() { return nullptr; }

}  // namespace lo::test
