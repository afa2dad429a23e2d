// One optimizer on the device with gradients and parameters of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cases.h"
#include "device.h"
#include "native/cuda/lo_cuda.h"

namespace bench {

// Throws std::runtime_error with the library's text.
void checkLibrary(lo_cuda_status status, const char* what);

class Run {
 public:
  Run(const lo::test::Model& model, const Case& c);
  ~Run();
  Run(const Run&) = delete;

  void step();
  // A sample of the parameters: the beginning, the end and pieces between.
  std::vector<float> sample() const;
  lo_cuda_step_report report();
  std::uint64_t bytes() const { return lo_cuda_bytes(optimizer_); }
  // All gradients, or all parameters, of a case that is small.
  std::vector<float> gradients() const { return gradients_.get(0, case_.parameters); }
  std::vector<float> parameters() const { return parameters_.get(0, case_.parameters); }
  const std::vector<std::size_t>& lengths() const { return lengths_; }

 private:
  Case case_;
  std::vector<std::size_t> lengths_;
  lo_cuda_optimizer* optimizer_ = nullptr;
  DeviceArray gradients_, parameters_;
  std::vector<int> handles_;
  std::vector<const float*> from_;
  std::vector<float*> to_;
  std::uint64_t iteration_ = 0;
};

// A run of the case whose first steps are as they must be; otherwise null, and why in `wrong`. Steps that are waited for one by
// one give the same bits as steps that are not; parameters are finite and have moved; up to 10^6 parameters are those of the CPU.
std::unique_ptr<Run> verifiedRun(const lo::test::Model& model, const Case& c, std::string& wrong);

struct Timing {
  double nanoseconds, spread;  // of a step: median over the rounds, and median absolute deviation
  double hostNanoseconds;      // of the call that puts a step into the stream
  int rounds, stepsPerRound;
};
Timing timeSteps(Run& run, int rounds, double nanosecondsPerRound);

}  // namespace bench
