// One operation of TensorFlow as it is described and run here.
#pragma once

#include <cstdint>
#include <vector>

#include "table.h"
#include "tensorflow_c.h"

namespace thaw {

// An input, held while the kernel runs.
struct Input {
  TF_Tensor* tensor = nullptr;
  ~Input() { if (tensor != nullptr) TF_DeleteTensor(tensor); }
  const float* data() const { return static_cast<const float*>(TF_TensorData(tensor)); }
  int rank() const { return TF_NumDims(tensor); }
  int64_t dim(int axis) const { return TF_Dim(tensor, axis < 0 ? axis + rank() : axis); }
  int64_t size() const { return TF_TensorElementCount(tensor); }
  std::vector<int64_t> shape() const {
    std::vector<int64_t> sizes(rank());
    for (int axis = 0; axis < rank(); axis++) sizes[axis] = dim(axis);
    return sizes;
  }
};

// One run of a kernel: inputs, outputs, and the first thing that goes wrong.
class Run {
 public:
  explicit Run(TF_OpKernelContext* context) : context_(context), status_(TF_NewStatus()) {}
  ~Run() {
    if (!isFine()) TF_OpKernelContext_Failure(context_, status_);
    TF_DeleteStatus(status_);
  }

  bool Read(int index, Input* input) {
    if (isFine()) TF_GetInput(context_, index, &input->tensor, status_);
    return isFine();
  }

  float* Output(int index, const std::vector<int64_t>& shape) {
    int64_t size = 1;
    for (const int64_t length : shape) size *= length;
    if (!isFine()) return nullptr;
    TF_Tensor* tensor = TF_AllocateOutput(context_, index, TF_FLOAT, shape.data(), static_cast<int>(shape.size()), size * sizeof(float), status_);
    if (!isFine()) return nullptr;
    float* data = static_cast<float*>(TF_TensorData(tensor));
    TF_DeleteTensor(tensor);  // the context holds it too
    return data;
  }

  bool Check(bool isRight, const char* problem) {
    if (isFine() && !isRight) TF_SetStatus(status_, TF_INVALID_ARGUMENT, problem);
    return isFine();
  }

  bool isFine() const { return TF_GetCode(status_) == TF_OK; }

 private:
  TF_OpKernelContext* const context_;
  TF_Status* const status_;
};

// All attributes that some operation has; each reads those that it declares.
struct Attributes {
  float epsilon = 0, offset = 0, scale = 1;
  int64_t kind = 0, heads = 1, keyHeads = 1, rows = 0, columns = 0, bits = 8, block = 1, nestedBlock = 0;
  bool isInverse = false, wantsParameters = false, transposeA = false, transposeB = false;
};

struct Operation {
  const char* name;
  std::vector<const char*> inputs, outputs, attributes;
  void (*compute)(const KernelTable& kernels, const Attributes& attributes, Run& run);
};

// All operations, in a fixed order (operations.cc).
const std::vector<Operation>& Operations();
constexpr int kOperationCount = 15;

}  // namespace thaw
