#include "tensorflow_library.h"

#if defined(__linux__)
#include <dlfcn.h>
#endif

namespace lo {

#if defined(__linux__)

namespace {

// The names under which the library has its interface; a wheel's library has `_cc` in it.
constexpr const char* kNames[] = {"libtensorflow.so.2", "libtensorflow_cc.so.2", "libtensorflow_framework.so.2"};

// Libraries that are loaded already. They are never given back: what is registered with TensorFlow stays with it.
class Libraries {
 public:
  Libraries() {
    for (const char* name : kNames) {
      if (void* handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD)) handles_[count_++] = handle;
    }
  }

  bool empty() const { return count_ == 0; }

  template <class F>
  bool find(const char* name, F& function) const {
    for (int i = 0; i < count_; ++i) {
      if (void* symbol = dlsym(handles_[i], name)) {
        function = reinterpret_cast<F>(symbol);
        return true;
      }
    }
    return false;
  }

 private:
  void* handles_[sizeof(kNames) / sizeof(kNames[0])] = {};
  int count_ = 0;
};

}  // namespace

std::string findTensorFlow(TensorFlow& found) {
  const Libraries libraries;
  if (libraries.empty()) return "no TensorFlow library is loaded in this process";
  std::string missing;
  const auto need = [&](const char* name, auto& function) {
    if (!libraries.find(name, function)) missing += (missing.empty() ? "" : ", ") + std::string(name);
  };
  need("TF_Version", found.version);
  need("TF_NewStatus", found.newStatus);
  need("TF_DeleteStatus", found.deleteStatus);
  need("TF_SetStatus", found.setStatus);
  need("TF_GetCode", found.getCode);
  need("TF_Message", found.message);
  need("TF_TensorType", found.tensorType);
  need("TF_TensorData", found.tensorData);
  need("TF_TensorByteSize", found.tensorByteSize);
  need("TF_DeleteTensor", found.deleteTensor);
  need("TF_NewOpDefinitionBuilder", found.newOpDefinitionBuilder);
  need("TF_OpDefinitionBuilderAddAttr", found.addAttribute);
  need("TF_OpDefinitionBuilderAddInput", found.addInput);
  need("TF_OpDefinitionBuilderSetIsStateful", found.setIsStateful);
  need("TF_OpDefinitionBuilderSetShapeInferenceFunction", found.setShapeInference);
  need("TF_RegisterOpDefinition", found.registerOpDefinition);
  need("TF_NewKernelBuilder", found.newKernelBuilder);
  need("TF_RegisterKernelBuilder", found.registerKernelBuilder);
  need("TF_OpKernelConstruction_GetAttrInt64", found.getAttributeInt64);
  need("TF_OpKernelConstruction_Failure", found.constructionFailure);
  need("TF_NumInputs", found.numInputs);
  need("TF_GetInput", found.getInput);
  need("TF_OpKernelContext_Failure", found.computationFailure);
  return missing.empty() ? "" : "the TensorFlow library in this process lacks " + missing;
}

#else

std::string findTensorFlow(TensorFlow&) { return "the library is looked for on Linux only"; }

#endif

}  // namespace lo
