// dump_steps WEIGHTS FILE: some steps of the CPU core in double precision as JSON, for bench/cuda/rnn.py to be compared with.
#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>

#include "native/dispatch.h"
#include "native/hierarchy.h"
#include "native/test/model_files.h"
#include "native/test/support.h"

namespace {

const std::vector<std::size_t> kLengths = {1, 7, 40};
constexpr int kSteps = 6;
constexpr double kStartRate = -6.9;

void write(std::ofstream& out, const char* name, const std::vector<double>& values, const char* after = ", ") {
  out << '"' << name << "\": [";
  for (std::size_t i = 0; i < values.size(); ++i) out << (i == 0 ? "" : ",") << values[i];
  out << ']' << after;
}

void dump(const char* weights, const char* file) {
  const lo::test::Model model = lo::test::readWeights(weights);
  const lo::Config& config = model.cell.config;
  lo::Hierarchy<double> run(model.cell, model.levels, lo::referenceKernels(), 1);
  lo::test::Random random(71);
  std::vector<int> handles;
  std::vector<std::vector<double>> parameters(kLengths.size()), gradients(kLengths.size());
  for (std::size_t t = 0; t < kLengths.size(); ++t) {
    handles.push_back(run.addTensor(kLengths[t], kStartRate));
    for (std::size_t i = 0; i < kLengths[t]; ++i) parameters[t].push_back(random.normal());
  }
  std::ofstream out(file);
  out.precision(17);
  out << "{\"startLogRate\": " << kStartRate << ", \"start\": [";
  for (std::size_t t = 0; t < kLengths.size(); ++t) {
    out << (t == 0 ? "{" : ", {");
    write(out, "parameters", parameters[t], "}");
  }
  out << "], \"steps\": [";
  for (int step = 0; step < kSteps; ++step) {
    std::vector<const double*> from;
    std::vector<double*> to;
    for (std::size_t t = 0; t < kLengths.size(); ++t) {
      const std::vector<float> g = lo::test::randomGradient(kLengths[t], random);
      gradients[t].assign(g.begin(), g.end());
      from.push_back(gradients[t].data());
      to.push_back(parameters[t].data());
    }
    run.advance(handles.data(), handles.size(), from.data(), HUGE_VAL, static_cast<std::uint64_t>(step));
    run.parameters().apply(to.data(), 1, 0.01);
    out << (step == 0 ? "\n{" : ",\n{") << "\"tensors\": [";
    for (std::size_t t = 0; t < kLengths.size(); ++t) {
      const std::size_t n = kLengths[t];
      std::vector<double> hidden(n * static_cast<std::size_t>(config.hidden)), momentum(n * static_cast<std::size_t>(config.timescales));
      std::vector<double> scale(momentum.size()), rate(n);
      run.parameters().exportTensor(handles[t], {hidden.data(), momentum.data(), scale.data(), rate.data(), nullptr});
      out << (t == 0 ? "{" : ", {");
      write(out, "gradient", gradients[t]);
      write(out, "parameters", parameters[t]);
      write(out, "hidden", hidden);
      write(out, "momentum", momentum);
      write(out, "scale", scale);
      write(out, "logRate", rate);
      const double* const level = run.levels().tensorState(handles[t]);
      write(out, "tensor", {level, level + run.levels().tensorHidden()}, "}");
    }
    out << "], ";
    const double* const global = run.levels().globalState();
    write(out, "global", {global, global + run.levels().globalHidden()}, "}");
  }
  out << "]}\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: dump_steps WEIGHTS FILE\n");
    return 2;
  }
  try {
    dump(argv[1], argv[2]);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "dump_steps: %s\n", e.what());
    return 1;
  }
}
