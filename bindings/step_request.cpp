#include "step_request.h"

#include <numeric>

namespace lo {

namespace {

std::string nameOf(std::uint32_t i) { return "parameters[" + std::to_string(i) + "]"; }

}  // namespace

void WrittenArrays::assign(Napi::Env env, const std::vector<Range>& ranges) {
  ranges_ = ranges;
  if (order_.size() != ranges_.size()) {
    order_.resize(ranges_.size());
    std::iota(order_.begin(), order_.end(), 0u);
  }
  const auto before = [&](std::uint32_t a, std::uint32_t b) { return ranges_[a].first < ranges_[b].first; };
  if (!std::is_sorted(order_.begin(), order_.end(), before)) std::sort(order_.begin(), order_.end(), before);
  for (std::size_t i = 1; i < order_.size(); ++i) {
    if (ranges_[order_[i]].first < ranges_[order_[i - 1]].second) {
      const auto [low, high] = std::minmax(order_[i - 1], order_[i]);
      throwRange(env, "parameters", "arrays that share no memory", nameOf(low) + " and " + nameOf(high) + " overlapping");
    }
  }
}

int WrittenArrays::find(const Range& range) const {
  // First written array that begins at or after the end of the range; only the one before it can overlap.
  const auto after = std::lower_bound(order_.begin(), order_.end(), range.second,
                                      [&](std::uint32_t w, const char* end) { return ranges_[w].first < end; });
  if (after == order_.begin()) return -1;
  const std::uint32_t w = *(after - 1);
  return ranges_[w].second > range.first ? static_cast<int>(w) : -1;
}

void WrittenArrays::refuse(Napi::Env env, std::size_t index, const Range& gradient) const {
  const int w = find(gradient);
  if (w < 0) return;
  throwRange(env, "gradients[" + std::to_string(index) + "]", "an array that shares no memory with what a step writes",
             "one overlapping " + nameOf(static_cast<std::uint32_t>(w)));
}

}  // namespace lo
