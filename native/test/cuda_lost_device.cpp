// cuda_lost_device: a step from a bad address, which costs the process its device. Every call after it must say so by its
// status and a text; nothing may abort or hang. Exit code 0 if that is so. A program of its own: the device is lost for good.
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

#include "cuda_run.h"
#include "random_levels.h"

namespace {

int failures = 0;

void expect(const char* call, lo_cuda_status status, bool mayBeUnavailable = false) {
  const bool right = status >= LO_CUDA_FAILED || (mayBeUnavailable && status == LO_CUDA_UNAVAILABLE);
  const bool said = lo_cuda_last_error()[0] != '\0';
  std::printf("%-24s status %d: %s%s\n", call, static_cast<int>(status), lo_cuda_last_error(), right && said ? "" : "   NOT AS EXPECTED");
  std::fflush(stdout);
  if (!right || !said) ++failures;
}

void crashed(int) {
  const char text[] = "a call crashed or hung\n";
  static_cast<void>(!write(STDERR_FILENO, text, sizeof text - 1));
  _exit(1);
}

}  // namespace

int main() {
  using namespace lo;
  using namespace lo::test;
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGALRM}) std::signal(signal, crashed);
  alarm(60);
  const Config config = presetConfig();
  const CellWeights cell = randomWeights(config, 501);
  Random random(502);
  const LevelWeights levels = randomLevels({3, config.hidden, config.tensorInputs() - config.hidden, 20, 20}, random);
  const lo_cuda_architecture architecture = architectureOf(cell, levels);
  const lo_cuda_weights weights = weightsOf(cell, levels);
  lo_cuda_optimizer *optimizer = nullptr, *another = nullptr;
  int handle = -1;
  void* parameter = nullptr;
  if (lo_cuda_create(&architecture, &weights, 0, &optimizer) != LO_CUDA_OK ||
      lo_cuda_add_tensor(optimizer, 1000, nullptr, -6, &handle) != LO_CUDA_OK || lo_cuda_allocate(4000, &parameter) != LO_CUDA_OK) {
    std::printf("no optimizer: %s\n", lo_cuda_last_error());
    return 1;
  }
  const float* const gradient = reinterpret_cast<const float*>(std::uintptr_t{0x1000});
  float* const to = static_cast<float*>(parameter);
  lo_cuda_step_request request{1, &handle, &gradient, &to, INFINITY, 1, 0, 0};
  // Steps are put into a stream, so this one may be accepted; what waits for it may not.
  const lo_cuda_status accepted = lo_cuda_step(optimizer, &request, nullptr);
  std::printf("%-24s status %d\n", "lo_cuda_step", static_cast<int>(accepted));
  lo_cuda_step_report report = {};
  expect("lo_cuda_report", lo_cuda_report(optimizer, &report));
  if (std::string(lo_cuda_last_error()).find("illegal memory access") == std::string::npos) {
    std::printf("the text does not name the cause\n");
    ++failures;
  }
  expect("lo_cuda_step", lo_cuda_step(optimizer, &request, nullptr));
  expect("lo_cuda_add_tensor", lo_cuda_add_tensor(optimizer, 10, nullptr, -6, &handle));
  std::vector<float> hidden(6000), averages(4000), scales(4000), rates(1000);
  const lo_cuda_state state{hidden.data(), averages.data(), scales.data(), rates.data(), nullptr, nullptr};
  expect("lo_cuda_export_tensor", lo_cuda_export_tensor(optimizer, 0, &state));
  expect("lo_cuda_import_tensor", lo_cuda_import_tensor(optimizer, 0, &state));
  expect("lo_cuda_download", lo_cuda_download(hidden.data(), parameter, 4000, nullptr));
  expect("lo_cuda_synchronize", lo_cuda_synchronize(nullptr));
  expect("lo_cuda_create", lo_cuda_create(&architecture, &weights, 0, &another), true);
  lo_cuda_free(parameter);
  lo_cuda_destroy(optimizer);
  std::printf("a lost device: %s\n", failures == 0 ? "every call said so" : "FAILED");
  return failures == 0 ? 0 : 1;
}
