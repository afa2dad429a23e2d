#include "step_request.h"

#include <numeric>

namespace lo {

void refuseOverlaps(Napi::Env env, const std::vector<Range>& parameters, const std::vector<Range>& gradients,
                    std::vector<std::uint32_t>& order) {
  const auto nameOf = [](std::uint32_t i) { return "parameters[" + std::to_string(i) + "]"; };
  if (order.size() != parameters.size()) {
    order.resize(parameters.size());
    std::iota(order.begin(), order.end(), 0u);
  }
  const auto before = [&](std::uint32_t a, std::uint32_t b) { return parameters[a].first < parameters[b].first; };
  if (!std::is_sorted(order.begin(), order.end(), before)) std::sort(order.begin(), order.end(), before);
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (parameters[order[i]].first < parameters[order[i - 1]].second) {
      const auto [low, high] = std::minmax(order[i - 1], order[i]);
      throwRange(env, "parameters", "arrays that share no memory", nameOf(low) + " and " + nameOf(high) + " overlapping");
    }
  }
  for (std::size_t g = 0; g < gradients.size(); ++g) {
    // First parameter that begins at or after the end of the gradient; only the one before it can overlap.
    const auto after = std::lower_bound(order.begin(), order.end(), gradients[g].second,
                                        [&](std::uint32_t p, const char* end) { return parameters[p].first < end; });
    if (after == order.begin()) continue;
    const std::uint32_t p = *(after - 1);
    if (parameters[p].second > gradients[g].first) {
      throwRange(env, "gradients[" + std::to_string(g) + "]", "an array that shares no memory with what a step writes",
                 "one overlapping " + nameOf(p));
    }
  }
}

}  // namespace lo
