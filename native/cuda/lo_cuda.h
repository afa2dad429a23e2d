/* The optimizer on a CUDA device: a C interface of a library that is loaded at run time (docs/cuda.md).
 *
 * Usable without CUDA. No function throws or aborts: what fails says so by its status, and lo_cuda_last_error has the text, of
 * the calling thread. An optimizer is used by one thread at a time; different optimizers are independent. Functions that are
 * given an optimizer leave its device the current one of the thread. */
#ifndef LO_CUDA_H
#define LO_CUDA_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define LO_CUDA_API __declspec(dllexport)
#else
#define LO_CUDA_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Changes whenever a structure or the meaning of a function does. */
#define LO_CUDA_ABI 2

typedef enum lo_cuda_status {
  LO_CUDA_OK = 0,
  LO_CUDA_UNAVAILABLE = 1,   /* no driver, no device, or none that this library has code for */
  LO_CUDA_INVALID = 2,       /* an argument */
  LO_CUDA_OUT_OF_MEMORY = 3, /* of the device or of the host; the optimizer is as it was before the call */
  LO_CUDA_FAILED = 4,        /* anything else that CUDA reports */
  LO_CUDA_LOST = 5           /* the device's context: every later call of this process fails, and what was on the device is gone */
} lo_cuda_status;

typedef struct lo_cuda_optimizer lo_cuda_optimizer;

typedef struct lo_cuda_device {
  char name[256];
  int compute_major, compute_minor;
  int multiprocessors;
  uint64_t memory; /* bytes, of which `free` are free now */
  uint64_t free;
} lo_cuda_device;

/* y = x·matrix + bias, row-major [inputs][outputs]. Null where the architecture has no such part. */
typedef struct lo_cuda_affine {
  const double* matrix;
  const double* bias;
} lo_cuda_affine;

/* Sizes and switches; `flags` are those of ConfigFlag in native/config.h. */
typedef struct lo_cuda_architecture {
  int hidden, timescales;
  unsigned flags;
  double max_log_rate;
  double gradient_scale;
  int levels; /* 1 to 3 */
  int tensor_hidden, global_hidden;
  int state_bits; /* 32, or 16 (native/compact_state.h) */
} lo_cuda_architecture;

/* Meta-parameters, as CellWeights (native/optimizer.h) and LevelWeights (native/levels.h) have them; copied. */
typedef struct lo_cuda_weights {
  const double *gates, *candidate, *initial_hidden;
  const double *update_readout, *update_shortcut, *attention_readout, *attention_shortcut;
  const double *scale_decay_readout, *input_decay_readout, *rate_readout;
  double scale_decay_bias, input_decay_bias, rate_bias, rate_momentum, step_offset;
  const double* cell_bias; /* [3·hidden] */
  lo_cuda_affine tensor_gates, tensor_candidate, global_gates, global_candidate;
  const double *tensor_initial, *global_initial;
  lo_cuda_affine tensor_to_parameter, global_to_parameter, global_to_tensor;
} lo_cuda_weights;

/* Canonical state of one tensor on the host, [coordinate][field]; the same as the CPU's TensorStateView. */
typedef struct lo_cuda_state {
  float* hidden;   /* [length][hidden] */
  float* momentum; /* [length][timescales] */
  float* scale;    /* [length][timescales] */
  float* log_rate; /* [length] */
  float* position; /* [length], or null: θ, with attention after a first step */
  float* tensor;   /* [tensor_hidden], or null: the state of the tensor's own network */
} lo_cuda_state;

typedef struct lo_cuda_step_request {
  size_t count;
  const int* tensors;            /* handles, none twice */
  const float* const* gradients; /* on the device (lo_cuda_step_host: on the host); host array of [count] */
  float* const* parameters;      /* as gradients, updated in place; null: the state advances alone */
  double clip_norm;              /* infinity: no clipping */
  double multiplier, weight_decay;
  uint64_t iteration; /* steps done before: what state in 16 bits is rounded by is drawn from it */
} lo_cuda_step_request;

typedef struct lo_cuda_step_report {
  double gradient_norm; /* NaN without clipping */
  uint64_t skipped;     /* coordinates whose gradient is not finite */
} lo_cuda_step_report;

LO_CUDA_API uint32_t lo_cuda_abi(void);
/* Of the last call of this thread that failed; never null. */
LO_CUDA_API const char* lo_cuda_last_error(void);

/* LO_CUDA_UNAVAILABLE, and the reason as the last error, where there is no usable device. */
LO_CUDA_API lo_cuda_status lo_cuda_device_count(int* count);
LO_CUDA_API lo_cuda_status lo_cuda_describe_device(int device, lo_cuda_device* out);

LO_CUDA_API lo_cuda_status lo_cuda_create(const lo_cuda_architecture* architecture, const lo_cuda_weights* weights,
                                          int device, lo_cuda_optimizer** out);
/* Waits for the steps that are under way. Null is allowed. */
LO_CUDA_API void lo_cuda_destroy(lo_cuda_optimizer* optimizer);

/* `log_rates`: η of every coordinate, on the host; null: `log_rate` for all. */
LO_CUDA_API lo_cuda_status lo_cuda_add_tensor(lo_cuda_optimizer* optimizer, size_t length, const float* log_rates,
                                              float log_rate, int* handle);
LO_CUDA_API lo_cuda_status lo_cuda_remove_tensor(lo_cuda_optimizer* optimizer, int handle);

/* Puts a step into `stream` (a cudaStream_t; null: the default stream) and returns; the first, and one of other tensors than the
 * one before, waits for what is in the stream. Steps of the same tensors, gradients and parameters as the one before allocate and
 * upload nothing. All steps of an optimizer are to be in one stream, or ordered by
 * the caller. */
LO_CUDA_API lo_cuda_status lo_cuda_step(lo_cuda_optimizer* optimizer, const lo_cuda_step_request* request, void* stream);
/* The same step with gradients and parameters in memory of the host, which may be pageable; returns when the parameters are
 * there again. Chunks of both pass through pinned buffers and are copied while other chunks are computed; a tensor's place on
 * the device is the optimizer's, 8 bytes per coordinate. The bits are those of lo_cuda_step. Steps of the same tensors as the
 * one before allocate nothing. `report` may be null.
 * LO_CUDA_OUT_OF_MEMORY and LO_CUDA_INVALID: nothing has changed. LO_CUDA_FAILED and LO_CUDA_LOST: any number of parameters may
 * have been written, each wholly; the optimizer's state is undefined. */
LO_CUDA_API lo_cuda_status lo_cuda_step_host(lo_cuda_optimizer* optimizer, const lo_cuda_step_request* request,
                                             lo_cuda_step_report* report);
/* Of the last step; waits for it. */
LO_CUDA_API lo_cuda_status lo_cuda_report(lo_cuda_optimizer* optimizer, lo_cuda_step_report* out);

/* These wait for the steps that are under way. */
LO_CUDA_API lo_cuda_status lo_cuda_export_tensor(lo_cuda_optimizer* optimizer, int handle, const lo_cuda_state* out);
LO_CUDA_API lo_cuda_status lo_cuda_import_tensor(lo_cuda_optimizer* optimizer, int handle, const lo_cuda_state* in);
LO_CUDA_API lo_cuda_status lo_cuda_export_global(lo_cuda_optimizer* optimizer, float* out); /* [global_hidden] */
LO_CUDA_API lo_cuda_status lo_cuda_import_global(lo_cuda_optimizer* optimizer, const float* in);
/* With attention: 1 if the state holds θ. After a reset θ is taken from the parameters at the next step. */
LO_CUDA_API lo_cuda_status lo_cuda_has_position(lo_cuda_optimizer* optimizer, int handle, int* out);
/* θ, [length]; LO_CUDA_INVALID where the state holds none. */
LO_CUDA_API lo_cuda_status lo_cuda_export_position(lo_cuda_optimizer* optimizer, int handle, float* out);
LO_CUDA_API lo_cuda_status lo_cuda_reset_position(lo_cuda_optimizer* optimizer, int handle);
/* Bytes of device memory that the optimizer holds. */
LO_CUDA_API uint64_t lo_cuda_bytes(const lo_cuda_optimizer* optimizer);

/* Device memory for callers that have no other CUDA library, in the current device. The copies wait for `stream`. */
LO_CUDA_API lo_cuda_status lo_cuda_use_device(int device); /* makes it the current one of this thread */
LO_CUDA_API lo_cuda_status lo_cuda_allocate(size_t bytes, void** out);
LO_CUDA_API lo_cuda_status lo_cuda_free(void* memory);
LO_CUDA_API lo_cuda_status lo_cuda_upload(void* device, const void* host, size_t bytes, void* stream);
LO_CUDA_API lo_cuda_status lo_cuda_download(void* host, const void* device, size_t bytes, void* stream);
LO_CUDA_API lo_cuda_status lo_cuda_synchronize(void* stream);

#ifdef __cplusplus
}
#endif

#endif
