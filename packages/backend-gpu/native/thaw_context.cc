// Linked into tfjs-node's addon, whose sources stay as they are, in place of two functions of TensorFlow's that it calls: one remembers the context that the
// addon makes, so that functions can be added to it; the other brings large tensors to a GPU through memory that the GPU can read by itself.
#include <dlfcn.h>

#include <cstring>
#include <vector>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/eager/c_api.h"

namespace {

TFE_Context* context = nullptr;

// Smaller tensors gain less than a copy costs.
constexpr size_t kStagedBytes = 256 * 1024;

// Memory of the host that a GPU reads by itself, of the size asked for last or more. What is in it is read before a copy returns, so one is enough.
class Staging {
 public:
  // Null if there is none to be had.
  void* OfSize(size_t bytes) {
    if (bytes <= size_) return memory_;
    if (is_broken_ || !Load()) return nullptr;
    void* device_context = nullptr;
    if (retain_(&device_context, 0) != 0 || push_(device_context) != 0) return Fail();
    if (memory_ != nullptr) free_(memory_);
    constexpr unsigned kPortable = 1;
    const bool is_made = allocate_(&memory_, bytes, kPortable) == 0;
    pop_(&device_context);
    size_ = is_made ? bytes : 0;
    return is_made ? memory_ : Fail();
  }

 private:
  // Of CUDA's driver, which is there if a GPU is: no need to link against it.
  bool Load() {
    if (allocate_ != nullptr) return true;
    void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
    if (driver == nullptr) return Fail() != nullptr;
    Find(driver, "cuDevicePrimaryCtxRetain", &retain_);
    Find(driver, "cuCtxPushCurrent_v2", &push_);
    Find(driver, "cuCtxPopCurrent_v2", &pop_);
    Find(driver, "cuMemFreeHost", &free_);
    Find(driver, "cuMemHostAlloc", &allocate_);
    return (retain_ != nullptr && push_ != nullptr && pop_ != nullptr && free_ != nullptr && allocate_ != nullptr) || Fail() != nullptr;
  }

  template <typename Function>
  static void Find(void* library, const char* name, Function* function) {
    *function = reinterpret_cast<Function>(dlsym(library, name));
  }

  void* Fail() {
    is_broken_ = true;
    memory_ = nullptr;
    return nullptr;
  }

  void* memory_ = nullptr;
  size_t size_ = 0;
  bool is_broken_ = false;
  int (*retain_)(void**, int) = nullptr;
  int (*push_)(void*) = nullptr;
  int (*pop_)(void**) = nullptr;
  int (*free_)(void*) = nullptr;
  int (*allocate_)(void**, size_t, unsigned) = nullptr;
};

// The same values in staging memory, or null where that does not pay or is not to be had.
TFE_TensorHandle* Staged(TFE_TensorHandle* handle, const char* device) {
  static Staging staging;
  if (std::strstr(device, "GPU") == nullptr) return nullptr;
  TF_Status* status = TF_NewStatus();
  TF_Tensor* tensor = TFE_TensorHandleResolve(handle, status);
  TFE_TensorHandle* staged = nullptr;
  const size_t bytes = tensor == nullptr ? 0 : TF_TensorByteSize(tensor);
  void* memory = bytes < kStagedBytes ? nullptr : staging.OfSize(bytes);
  if (memory != nullptr) {
    std::memcpy(memory, TF_TensorData(tensor), bytes);
    std::vector<int64_t> shape(TF_NumDims(tensor));
    for (size_t axis = 0; axis < shape.size(); ++axis) shape[axis] = TF_Dim(tensor, static_cast<int>(axis));
    TF_Tensor* copy = TF_NewTensor(TF_TensorType(tensor), shape.data(), static_cast<int>(shape.size()), memory, bytes, [](void*, size_t, void*) {}, nullptr);
    if (copy != nullptr) staged = TFE_NewTensorHandle(copy, status);
    if (copy != nullptr) TF_DeleteTensor(copy);
  }
  if (tensor != nullptr) TF_DeleteTensor(tensor);
  TF_DeleteStatus(status);
  return staged;
}

}  // namespace

// The linker's --wrap brings the addon's calls to __wrap_..., and TensorFlow's own functions are __real_...
extern "C" {

TFE_Context* __real_TFE_NewContext(const TFE_ContextOptions* options, TF_Status* status);
TFE_TensorHandle* __real_TFE_TensorHandleCopyToDevice(TFE_TensorHandle* handle, TFE_Context* owner, const char* device, TF_Status* status);

TFE_Context* __wrap_TFE_NewContext(const TFE_ContextOptions* options, TF_Status* status) { return context = __real_TFE_NewContext(options, status); }

TFE_TensorHandle* __wrap_TFE_TensorHandleCopyToDevice(TFE_TensorHandle* handle, TFE_Context* owner, const char* device, TF_Status* status) {
  TFE_TensorHandle* staged = Staged(handle, device);
  TFE_TensorHandle* result = __real_TFE_TensorHandleCopyToDevice(staged == nullptr ? handle : staged, owner, device, status);
  if (staged != nullptr) TFE_DeleteTensorHandle(staged);
  return result;
}

__attribute__((visibility("default"))) TFE_Context* ThawContext() { return context; }

}  // extern "C"
