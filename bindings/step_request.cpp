#include "step_request.h"

#include <numeric>

namespace lo {

void refuseOverlaps(Napi::Env env, const std::vector<Range>& written, const std::vector<Range>& gradients) {
  const std::size_t parameters = written.size() - 2;
  const auto nameOf = [&](std::uint32_t i) {
    return i < parameters ? "parameters[" + std::to_string(i) + "]" : std::string(i == parameters ? "means" : "advanced");
  };
  std::vector<std::uint32_t> order(written.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return written[a].first < written[b].first; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (written[order[i]].first < written[order[i - 1]].second) {
      const auto [low, high] = std::minmax(order[i - 1], order[i]);
      throwRange(env, high < parameters ? "parameters" : nameOf(high), "arrays that share no memory",
                 nameOf(low) + " and " + nameOf(high) + " overlapping");
    }
  }
  for (std::size_t g = 0; g < gradients.size(); ++g) {
    // First written array that begins at or after the end of the gradient; only the one before it can overlap.
    const auto after = std::lower_bound(order.begin(), order.end(), gradients[g].second,
                                        [&](std::uint32_t w, const char* end) { return written[w].first < end; });
    if (after == order.begin()) continue;
    const std::uint32_t w = *(after - 1);
    if (written[w].second > gradients[g].first) {
      throwRange(env, "gradients[" + std::to_string(g) + "]", "an array that shares no memory with what a step writes",
                 "one overlapping " + nameOf(w));
    }
  }
}

}  // namespace lo
