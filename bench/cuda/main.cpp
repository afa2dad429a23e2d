// Times the step on a CUDA device beside what copying the same bytes takes (see usage below). Writes a table, and JSON.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "run.h"

namespace {

using namespace bench;

constexpr double kTargetShare = 0.7;
// The best published learned optimizer in CUDA: PyLO's small_fc_lopt on an A100, 10^9 parameters per second.
constexpr double kPyloPerNanosecond = 1.0;
constexpr double kTargetRatio = 8;
// Where a step is long enough that launches do not count.
constexpr std::size_t kTargetFrom = 10000000;

constexpr const char* kUsage =
    "usage: lo_cuda_bench [options]\n\n"
    "Time of a step on device 0, beside copies. A case is MODEL,BITS,LIST,PARAMETERS: hrnn-3, paper or attention; 32 or 16;\n"
    "one, thousand or resnet-50 (tensors).\n\n"
    "  --case <case>     this one; may be given again (default: all up to 10^9 parameters)\n"
    "  --quick           up to 10^7 parameters, fewer rounds\n"
    "  --seconds <n>     begin no case after so many seconds\n"
    "  --json <file>     write all figures\n\n"
    "Exit code 1 if a result is wrong. Cases that do not fit are named, with the memory they need.\n";

struct Result {
  Case c;
  lo::Config config;
  Timing timing;
  std::size_t deviceBytes, tensors;
  double share;
  std::string failure;  // or why it was skipped
  bool skipped = false;

  double perParameter() const { return timing.nanoseconds / static_cast<double>(c.parameters); }
};

Case parseCase(const std::string& text) {
  Case c;
  char model[32], list[32];
  double parameters = 0;
  if (std::sscanf(text.c_str(), "%31[^,],%d,%31[^,],%lf", model, &c.bits, list, &parameters) != 4 || (c.bits != 16 && c.bits != 32) ||
      parameters < 1000) {
    throw std::runtime_error("--case: expected MODEL,BITS,LIST,PARAMETERS, got '" + text + "'");
  }
  c.model = model;
  c.list = list;
  c.parameters = c.list == "resnet-50" ? resNet50Parameters() : static_cast<std::size_t>(parameters);
  if (c.list != "one" && c.list != "thousand" && c.list != "resnet-50") throw std::runtime_error("--case: no list '" + c.list + "'");
  return c;
}

Result measure(const Case& c, const lo::test::Model& model, double copyBytesPerNanosecond, bool quick) {
  Result r{c, model.cell.config, {}, 0, lengthsOf(c).size(), 0, "", false};
  const std::size_t need = memoryOf(r.config, c), free = freeMemory(), room = need / 50 + (std::size_t{256} << 20);
  if (need + room > free) {
    char text[120];
    std::snprintf(text, sizeof text, "needs %.1f GB, %.1f GB are free", static_cast<double>(need + room) * 1e-9, static_cast<double>(free) * 1e-9);
    r.failure = text;
    r.skipped = true;
    return r;
  }
  const std::unique_ptr<Run> run = verifiedRun(model, c, r.failure);
  if (run == nullptr) return r;
  r.timing = timeSteps(*run, quick ? 3 : 7, quick ? 10e6 : 40e6);
  r.deviceBytes = run->bytes();
  const lo_cuda_step_report report = run->report();
  const std::vector<float> after = run->sample();
  if (report.skipped != 0 || !std::all_of(after.begin(), after.end(), [](float v) { return std::isfinite(v); })) {
    r.failure = "a result of the timed steps is not finite";
  }
  r.share = static_cast<double>(bytesPerParameter(r.config, c.bits)) / r.perParameter() / copyBytesPerNanosecond;
  return r;
}

void print(const Result& r) {
  std::printf("%-9s %4d %-9s %11zu ", r.c.model.c_str(), r.c.bits, r.c.list.c_str(), r.c.parameters);
  if (r.skipped) {
    std::printf("skipped: %s\n", r.failure.c_str());
  } else if (!r.failure.empty()) {
    std::printf("WRONG: %s\n", r.failure.c_str());
  } else {
    const double rate = 1 / r.perParameter();
    std::printf("%8.4f ± %-7.4f %5zu %6.0f %6.0f %% %8.2f %7.1f %9.1f %9.1f\n", r.perParameter(),
                r.timing.spread / static_cast<double>(r.c.parameters), bytesPerParameter(r.config, r.c.bits),
                static_cast<double>(bytesPerParameter(r.config, r.c.bits)) * rate, 100 * r.share, rate, rate / kPyloPerNanosecond,
                r.timing.nanoseconds * 1e-3, r.timing.hostNanoseconds * 1e-3);
  }
  std::fflush(stdout);
}

void writeJson(const std::string& file, const CopyBandwidth& copy, const std::vector<Result>& results) {
  std::ofstream out(file);
  out.precision(8);
  out << "{\n  \"device\": {" << describeDeviceAsJson() << "},\n  \"copy\": {\"bytes\": " << copy.bytes
      << ", \"memcpyBytesPerNs\": " << copy.memcpy << ", \"kernelBytesPerNs\": " << copy.kernel << "},\n  \"rows\": [";
  const char* separator = "\n";
  for (const Result& r : results) {
    out << separator << "    {\"model\": \"" << r.c.model << "\", \"stateBits\": " << r.c.bits << ", \"list\": \"" << r.c.list
        << "\", \"tensors\": " << r.tensors << ", \"parameters\": " << r.c.parameters;
    separator = ",\n";
    if (!r.failure.empty()) {
      out << ", \"" << (r.skipped ? "skipped" : "wrong") << "\": \"" << r.failure << "\"}";
      continue;
    }
    const double n = static_cast<double>(r.c.parameters);
    out << ", \"nsPerParameter\": " << r.perParameter() << ", \"mad\": " << r.timing.spread / n << ", \"rounds\": " << r.timing.rounds
        << ", \"stepsPerRound\": " << r.timing.stepsPerRound << ", \"hostNsPerStep\": " << r.timing.hostNanoseconds
        << ", \"bytesPerParameter\": " << bytesPerParameter(r.config, r.c.bits) << ", \"shareOfCopy\": " << r.share
        << ", \"parametersPerNs\": " << 1 / r.perParameter() << ", \"ratioToPylo\": " << 1 / r.perParameter() / kPyloPerNanosecond
        << ", \"optimizerBytes\": " << r.deviceBytes << "}";
  }
  out << "\n  ]\n}\n";
  if (!out) throw std::runtime_error("cannot write " + file);
}

// Whether the aims hold for every case that they are for.
void printTargets(const std::vector<Result>& results) {
  double share = HUGE_VAL, ratio = HUGE_VAL;
  for (const Result& r : results) {
    if (!r.failure.empty() || r.c.parameters < kTargetFrom) continue;
    share = std::min(share, r.share);
    ratio = std::min(ratio, 1 / r.perParameter() / kPyloPerNanosecond);
  }
  if (share == HUGE_VAL) return;
  std::printf("target, at least %.0f %% of the copy bandwidth from 10^7 parameters on: %s, the lowest is %.0f %%\n", 100 * kTargetShare,
              share >= kTargetShare ? "met" : "NOT MET", 100 * share);
  std::printf("target, at least %.0f times 10^9 parameters per second from 10^7 parameters on: %s, the lowest is %.1f\n", kTargetRatio,
              ratio >= kTargetRatio ? "met" : "NOT MET", ratio);
}

int run(int argc, char** argv) {
  const auto begin = std::chrono::steady_clock::now();
  bool quick = false;
  double seconds = HUGE_VAL;
  std::string json;
  std::vector<Case> cases;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (option == "--quick") {
      quick = true;
      continue;
    }
    if (value == nullptr || (option != "--case" && option != "--seconds" && option != "--json")) {
      std::fputs(kUsage, option == "--help" ? stdout : stderr);
      return option == "--help" ? 0 : 2;
    }
    ++i;
    if (option == "--case") cases.push_back(parseCase(value));
    if (option == "--seconds") seconds = std::atof(value);
    if (option == "--json") json = value;
  }
  if (cases.empty()) cases = allCases(quick);
  int devices = 0;
  if (lo_cuda_device_count(&devices) != LO_CUDA_OK) {
    std::printf("no device: %s\n", lo_cuda_last_error());
    return 3;
  }
  const CopyBandwidth copy = measureCopies(std::min<std::size_t>(std::size_t{4} << 30, freeMemory() / 2), quick ? 3 : 9);
  std::printf("copies of %.2f GB: %.0f bytes per nanosecond by cudaMemcpy, %.0f by a kernel, read and written; the larger counts\n",
              static_cast<double>(copy.bytes) * 0.5e-9, copy.memcpy, copy.kernel);
  std::printf("%-9s %4s %-9s %11s %18s %5s %6s %8s %8s %7s %9s %9s\n", "model", "bits", "tensors", "parameters", "ns/param ± MAD", "B/par",
              "B/ns", "of copy", "G par/s", "/PyLO", "µs/step", "µs host");
  std::vector<Result> results;
  bool right = true;
  for (const Case& c : cases) {
    const double now = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (now > seconds) {
      Result r{c, {}, {}, 0, lengthsOf(c).size(), 0, "out of time", true};
      results.push_back(r);
    } else {
      try {
        results.push_back(measure(c, loadModel(c.model), copy.best(), quick));
      } catch (const std::exception& e) {
        results.push_back({c, {}, {}, 0, lengthsOf(c).size(), 0, e.what(), false});
      }
    }
    right = right && (results.back().failure.empty() || results.back().skipped);
    print(results.back());
  }
  printTargets(results);
  if (!json.empty()) writeJson(json, copy, results);
  return right ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "lo_cuda_bench: %s\n", e.what());
    return 1;
  }
}
