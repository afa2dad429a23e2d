// The C API of the TensorFlow that another module of this process (tfjs-node) has loaded, found at run time: nothing of it
// is linked, and nothing is loaded. Declared here as its public headers tensorflow/c/{ops,kernels,tf_tensor,tf_status}.h do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

extern "C" {
struct TF_Status;
struct TF_Tensor;
struct TF_OpDefinitionBuilder;
struct TF_ShapeInferenceContext;
struct TF_KernelBuilder;
struct TF_OpKernelConstruction;
struct TF_OpKernelContext;
}

namespace lo {

// Numbers of the C API (TF_Code, TF_DataType).
constexpr int kTfOk = 0;
constexpr int kTfFailedPrecondition = 9;
constexpr int kTfResourceExhausted = 8;
constexpr int kTfFloat = 1;

struct TensorFlow {
  const char* (*version)();

  TF_Status* (*newStatus)();
  void (*deleteStatus)(TF_Status*);
  void (*setStatus)(TF_Status*, int code, const char* message);
  int (*getCode)(const TF_Status*);
  const char* (*message)(const TF_Status*);

  int (*tensorType)(const TF_Tensor*);
  void* (*tensorData)(const TF_Tensor*);
  std::size_t (*tensorByteSize)(const TF_Tensor*);
  void (*deleteTensor)(TF_Tensor*);

  TF_OpDefinitionBuilder* (*newOpDefinitionBuilder)(const char* name);
  void (*addAttribute)(TF_OpDefinitionBuilder*, const char* spec);
  void (*addInput)(TF_OpDefinitionBuilder*, const char* spec);
  void (*setIsStateful)(TF_OpDefinitionBuilder*, bool);
  void (*setShapeInference)(TF_OpDefinitionBuilder*, void (*)(TF_ShapeInferenceContext*, TF_Status*));
  void (*registerOpDefinition)(TF_OpDefinitionBuilder*, TF_Status*);

  TF_KernelBuilder* (*newKernelBuilder)(const char* op, const char* device, void* (*create)(TF_OpKernelConstruction*),
                                        void (*compute)(void*, TF_OpKernelContext*), void (*destroy)(void*));
  void (*registerKernelBuilder)(const char* name, TF_KernelBuilder*, TF_Status*);
  void (*getAttributeInt64)(TF_OpKernelConstruction*, const char* name, std::int64_t* value, TF_Status*);
  void (*constructionFailure)(TF_OpKernelConstruction*, TF_Status*);
  int (*numInputs)(TF_OpKernelContext*);
  void (*getInput)(TF_OpKernelContext*, int index, TF_Tensor**, TF_Status*);
  void (*computationFailure)(TF_OpKernelContext*, TF_Status*);
};

// Looks for the library and all of the functions above. Returns an empty string, or why they cannot be had.
std::string findTensorFlow(TensorFlow& found);

}  // namespace lo
