// lo_cuda_devices LIBRARY: loads the CUDA library as the addon would and prints the devices, or why there are none (exit code
// 3). Linked with nothing of CUDA.
#include <dlfcn.h>

#include <cstdio>

#include "lo_cuda.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: lo_cuda_devices LIBRARY\n");
    return 2;
  }
  void* const library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "the library does not load: %s\n", dlerror());
    return 1;
  }
#define LO_SYMBOL(name) decltype(&name) const name##_ = reinterpret_cast<decltype(&name)>(dlsym(library, #name))
  LO_SYMBOL(lo_cuda_abi);
  LO_SYMBOL(lo_cuda_device_count);
  LO_SYMBOL(lo_cuda_describe_device);
  LO_SYMBOL(lo_cuda_last_error);
#undef LO_SYMBOL
  if (lo_cuda_abi_ == nullptr || lo_cuda_device_count_ == nullptr || lo_cuda_describe_device_ == nullptr ||
      lo_cuda_last_error_ == nullptr || lo_cuda_abi_() != LO_CUDA_ABI) {
    std::fprintf(stderr, "the library has another interface than this program\n");
    return 1;
  }
  int count = 0;
  if (lo_cuda_device_count_(&count) != LO_CUDA_OK) {
    std::printf("CUDA is off: %s\n", lo_cuda_last_error_());
    return 3;
  }
  for (int i = 0; i < count; ++i) {
    lo_cuda_device d;
    if (lo_cuda_describe_device_(i, &d) != LO_CUDA_OK) {
      std::printf("device %d: %s\n", i, lo_cuda_last_error_());
      continue;
    }
    std::printf("device %d: %s, compute capability %d.%d, %d multiprocessors, %.1f GiB\n", i, d.name, d.compute_major,
                d.compute_minor, d.multiprocessors, static_cast<double>(d.memory) / (1 << 30));
  }
  return 0;
}
