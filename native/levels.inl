// The levels above the parameters for several tensors side by side, one in each lane. Included by kernels_*.cpp inside
// namespace lo::<instruction set>; expects there: number type `Wide` over doubles with `wideWidth` lanes, `loadWide` and
// `storeWide`, and `T`, the element type of the state.

// Calls body(lane) for the first `used` lanes; for all of them, which is the usual case, in a loop of fixed length.
template <class F>
LO_INLINE void forLanes(std::size_t used, F&& body) {
  if (used == wideWidth) {
    LO_UNROLL for (std::size_t lane = 0; lane < wideWidth; ++lane) body(lane);
  } else {
    for (std::size_t lane = 0; lane < used; ++lane) body(lane);
  }
}

// rows[lane][i], i < n, for the first `used` lanes into out[i]; zeros in the other lanes.
template <class E>
LO_INLINE void gatherRows(const E* const* rows, std::size_t used, int n, Wide* out) {
  double lanes[wideWidth];
  for (double& v : lanes) v = 0;
  for (int i = 0; i < n; ++i) {
    forLanes(used, [&](std::size_t lane) { lanes[lane] = static_cast<double>(rows[lane][i]); });
    out[i] = loadWide(lanes);
  }
}

LO_INLINE std::size_t lanesUsed(std::size_t count, std::size_t first) {
  return count - first < wideWidth ? count - first : wideWidth;
}

void levelBiases(const LevelBiasTask<T>& task) {
  Wide state[kMaxCell], out[3 * kMaxHidden];
  const std::size_t width = static_cast<std::size_t>(task.width);
  for (std::size_t first = 0; first < task.count; first += wideWidth) {
    const std::size_t used = lanesUsed(task.count, first);
    gatherRows(task.states + first, used, task.hidden, state);
    affine(task.matrix, task.width, task.shared, state, task.hidden, task.width, out);
    double lanes[wideWidth];
    double* target = task.out + first * width;
    for (int i = 0; i < task.width; ++i) {
      storeWide(lanes, out[i]);
      forLanes(used, [&](std::size_t lane) { target[lane * width + static_cast<std::size_t>(i)] = lanes[lane]; });
    }
  }
}

void levelStep(const LevelStepTask<T>& task) {
  Wide inputs[kMaxCellInputs], state[kMaxCell], next[kMaxCell], reset[kMaxCell], update[kMaxCell], candidate[kMaxCell];
  const GruTape<Wide> tape{reset, update, candidate};
  for (std::size_t first = 0; first < task.count; first += wideWidth) {
    const std::size_t used = lanesUsed(task.count, first);
    const double* rows[wideWidth];
    for (std::size_t lane = 0; lane < used; ++lane) rows[lane] = task.inputs + (first + lane) * task.stride;
    gatherRows(rows, used, task.cell.inputs, inputs);
    gatherRows(task.states + first, used, task.cell.hidden, state);
    gruForward(task.cell, inputs, task.injected, state, next, tape);
    double lanes[wideWidth];
    for (int j = 0; j < task.cell.hidden; ++j) {
      storeWide(lanes, next[j]);
      forLanes(used, [&](std::size_t lane) {
        if (task.advanced[first + lane] != 0) task.states[first + lane][j] = static_cast<T>(lanes[lane]);
      });
    }
  }
}
