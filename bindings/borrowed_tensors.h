// Tensors of TensorFlow that the optimizer reads where they lie. A kernel of ours, registered with the loaded TensorFlow,
// is handed them by TensorFlow itself and takes a reference to each, so that their memory stays until it is given back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

struct TF_Tensor;

namespace lo {

// The op: inputs `gradients: N * float`, attributes `N` and `owner`, no outputs. Run outside of a collection of its
// owner, or a second time within one, it fails with a status of TensorFlow.
struct BorrowOp {
  std::string name;     // Empty: not available.
  std::string problem;  // Why.
  std::string version;  // Of TensorFlow.
};

// Registers the op, once per process.
const BorrowOp& borrowOp();

// The tensors of one owner, a thread that runs JavaScript. Only the kernel, which may run on any thread, comes from
// elsewhere.
class BorrowedTensors {
 public:
  BorrowedTensors();
  // Does not give the tensors back: that may run code of a module whose JavaScript environment is gone already. They are
  // held only when the environment was stopped in the middle of a step.
  ~BorrowedTensors();
  BorrowedTensors(const BorrowedTensors&) = delete;
  BorrowedTensors& operator=(const BorrowedTensors&) = delete;

  std::int64_t owner() const { return owner_; }
  // From here on the op takes tensors for this owner.
  void begin();
  // Gives back what was taken.
  void end();
  // How many the op took.
  std::size_t count() const;
  // Values of a tensor, null unless there are exactly `length` numbers of single precision.
  const float* data(std::size_t index, std::size_t length) const;

 private:
  friend struct BorrowKernel;
  enum class State { closed, open, filled };

  const std::int64_t owner_;
  mutable std::mutex mutex_;
  State state_ = State::closed;
  std::vector<TF_Tensor*> tensors_;
};

}  // namespace lo
