#include "borrowed_tensors.h"

#include <cstdio>
#include <exception>
#include <map>
#include <new>
#include <utility>

#include "tensorflow_library.h"

#if defined(__linux__)
#include <dlfcn.h>
#endif

namespace lo {

namespace {

// Never destroyed: a thread of TensorFlow may still look while the process ends.
struct Owners {
  std::mutex mutex;
  std::map<std::int64_t, BorrowedTensors*> all;
  std::int64_t next = 1;
};

Owners& owners() {
  static auto* const instance = new Owners;
  return *instance;
}

TensorFlow& tensorFlow() {
  static auto* const instance = new TensorFlow{};
  return *instance;
}

// A status for the length of a scope.
class Status {
 public:
  Status() : status_(tensorFlow().newStatus()) {}
  ~Status() { tensorFlow().deleteStatus(status_); }
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;

  TF_Status* get() const { return status_; }
  bool ok() const { return tensorFlow().getCode(status_) == kTfOk; }
  std::string message() const { return tensorFlow().message(status_); }

 private:
  TF_Status* const status_;
};

}  // namespace

// What TensorFlow calls. No exception may leave these functions.
struct BorrowKernel {
  std::int64_t owner = 0;

  static void* create(TF_OpKernelConstruction* construction) {
    const Status status;
    auto* const kernel = new (std::nothrow) BorrowKernel;
    if (kernel == nullptr) {
      tensorFlow().setStatus(status.get(), kTfResourceExhausted, "out of memory");
    } else {
      tensorFlow().getAttributeInt64(construction, "owner", &kernel->owner, status.get());
    }
    if (!status.ok()) tensorFlow().constructionFailure(construction, status.get());
    return kernel;
  }

  static void destroy(void* kernel) { delete static_cast<BorrowKernel*>(kernel); }

  static void compute(void* kernel, TF_OpKernelContext* context) {
    const Status status;
    std::vector<TF_Tensor*> taken;
    try {
      take(context, taken, status);
      if (status.ok()) handOver(static_cast<const BorrowKernel*>(kernel)->owner, taken, status);
    } catch (const std::exception& error) {
      tensorFlow().setStatus(status.get(), kTfResourceExhausted, error.what());
    }
    for (TF_Tensor* tensor : taken) tensorFlow().deleteTensor(tensor);
    if (!status.ok()) tensorFlow().computationFailure(context, status.get());
  }

  static void take(TF_OpKernelContext* context, std::vector<TF_Tensor*>& taken, const Status& status) {
    const int count = tensorFlow().numInputs(context);
    taken.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count && status.ok(); ++i) {
      TF_Tensor* tensor = nullptr;
      tensorFlow().getInput(context, i, &tensor, status.get());
      if (tensor != nullptr) taken.push_back(tensor);
    }
  }

  static void handOver(std::int64_t owner, std::vector<TF_Tensor*>& taken, const Status& status) {
    const std::lock_guard<std::mutex> lock(owners().mutex);
    const auto found = owners().all.find(owner);
    if (found != owners().all.end()) {
      BorrowedTensors& target = *found->second;
      const std::lock_guard<std::mutex> targetLock(target.mutex_);
      if (target.state_ == BorrowedTensors::State::open) {
        target.tensors_.swap(taken);
        target.state_ = BorrowedTensors::State::filled;
        return;
      }
    }
    tensorFlow().setStatus(status.get(), kTfFailedPrecondition,
                           "this op belongs to learned-optimizer, and no optimizer waits for gradients");
  }
};

namespace {

// TensorFlow keeps pointers to our functions for as long as the process lives, so the addon must not be unloaded, as
// happens when the worker that loaded it ends.
bool stayLoaded() {
#if defined(__linux__)
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&stayLoaded), &self) == 0) return false;
  return dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) != nullptr;
#else
  return false;
#endif
}

// No other copy of the addon in this process has the same name: TensorFlow ends the process when an op is registered twice.
std::string uniqueName() {
  char text[64];
  std::snprintf(text, sizeof text, "LearnedOptimizerGradients%llx",
                static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(&tensorFlow())));
  return text;
}

void noOutputs(TF_ShapeInferenceContext*, TF_Status*) {}

BorrowOp registerOp() {
  BorrowOp op;
  TensorFlow& api = tensorFlow();
  op.problem = findTensorFlow(api);
  if (!op.problem.empty()) return op;
  op.version = api.version();
  if (!stayLoaded()) {
    op.problem = "the addon cannot be kept loaded";
    return op;
  }
  const std::string name = uniqueName();
  const Status status;
  TF_OpDefinitionBuilder* const definition = api.newOpDefinitionBuilder(name.c_str());
  api.addAttribute(definition, "N: int >= 1");
  api.addAttribute(definition, "owner: int");
  api.addInput(definition, "gradients: N * float");
  // Neither left out nor moved nor merged with another run.
  api.setIsStateful(definition, true);
  api.setShapeInference(definition, &noOutputs);
  api.registerOpDefinition(definition, status.get());
  if (status.ok()) {
    TF_KernelBuilder* const kernel = api.newKernelBuilder(name.c_str(), "CPU", &BorrowKernel::create,
                                                          &BorrowKernel::compute, &BorrowKernel::destroy);
    api.registerKernelBuilder(name.c_str(), kernel, status.get());
  }
  if (status.ok()) op.name = name;
  else op.problem = "TensorFlow " + op.version + " refused the registration: " + status.message();
  return op;
}

}  // namespace

const BorrowOp& borrowOp() {
  static std::mutex mutex;
  static auto* const op = new BorrowOp;
  const std::lock_guard<std::mutex> lock(mutex);
  // Without a library one may be loaded later; a library that refused is not asked again.
  if (op->name.empty() && op->version.empty()) *op = registerOp();
  return *op;
}

BorrowedTensors::BorrowedTensors()
    : owner_([] {
        const std::lock_guard<std::mutex> lock(owners().mutex);
        return owners().next++;
      }()) {
  const std::lock_guard<std::mutex> lock(owners().mutex);
  owners().all[owner_] = this;
}

BorrowedTensors::~BorrowedTensors() {
  const std::lock_guard<std::mutex> lock(owners().mutex);
  owners().all.erase(owner_);
}

void BorrowedTensors::begin() {
  end();
  const std::lock_guard<std::mutex> lock(mutex_);
  state_ = State::open;
}

void BorrowedTensors::end() {
  std::vector<TF_Tensor*> tensors;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    tensors.swap(tensors_);
    state_ = State::closed;
  }
  for (TF_Tensor* tensor : tensors) tensorFlow().deleteTensor(tensor);
}

std::size_t BorrowedTensors::count() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return tensors_.size();
}

const float* BorrowedTensors::data(std::size_t index, std::size_t length) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (index >= tensors_.size()) return nullptr;
  const TensorFlow& api = tensorFlow();
  const TF_Tensor* const tensor = tensors_[index];
  if (api.tensorType(tensor) != kTfFloat || api.tensorByteSize(tensor) != length * sizeof(float)) return nullptr;
  return static_cast<const float*>(api.tensorData(tensor));
}

}  // namespace lo
