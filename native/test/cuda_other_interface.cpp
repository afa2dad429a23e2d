// A library that says it has another interface than the addon knows, for the tests of its loader (test/cuda).
#include <cstdint>

extern "C" __attribute__((visibility("default"))) std::uint32_t lo_cuda_abi() { return 1; }
