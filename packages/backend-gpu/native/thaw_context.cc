// Linked into tfjs-node's addon, whose sources stay as they are, in place of functions of TensorFlow's that it calls: one remembers the context that the
// addon makes, so that functions can be added to it; the others bring tensors to a GPU without waiting for what it computes (device_uploads.h).
#include <cstring>
#include <string>
#include <vector>

#include "device_uploads.h"
#include "tensorflow/c/c_api.h"
#include "tensorflow/c/eager/c_api.h"

// Declared in tensorflow/c/eager/c_api_experimental.h, which is not among the wheel's headers.
extern "C" TFE_TensorHandle* TFE_NewTensorHandleFromDeviceMemory(TFE_Context* context, const char* device, TF_DataType type, const int64_t* shape, int rank, void* data, size_t bytes,
                                                                 void (*free)(void* data, size_t bytes, void* argument), void* argument, TF_Status* status);

namespace {

TFE_Context* context = nullptr;

// Where tensors go that are not the host's, as TensorFlow names it; empty as long as none did.
std::string gpu;

// Never destroyed: TensorFlow frees tensors until the process ends.
thaw::DeviceUploads& Uploads() {
  static auto* uploads = new thaw::DeviceUploads();
  return *uploads;
}

// Inputs that these operations read on the GPU: integers, which tfjs-node leaves on the host.
struct IndexInput {
  const char* operation;
  int place;
};
constexpr IndexInput kIndexInputs[] = {{"GatherNd", 1}, {"ScatterNd", 0}, {"OneHot", 0}};

class Status {
 public:
  ~Status() { TF_DeleteStatus(status_); }
  TF_Status* get() const { return status_; }
  bool IsOk() const { return TF_GetCode(status_) == TF_OK; }

 private:
  TF_Status* status_ = TF_NewStatus();
};

bool IsOn(TFE_TensorHandle* handle, const char* kind) {
  Status status;
  const char* device = TFE_TensorHandleBackingDeviceName(handle, status.get());
  return status.IsOk() && device != nullptr && std::strstr(device, kind) != nullptr;
}

// The values of a tensor of the host's on the device, or null where that is not to be had.
TFE_TensorHandle* Uploaded(TFE_TensorHandle* handle, TFE_Context* owner, const char* device) {
  if (std::strstr(device, "GPU") == nullptr || !IsOn(handle, "CPU")) return nullptr;
  Status status;
  TF_Tensor* tensor = TFE_TensorHandleResolve(handle, status.get());
  if (tensor == nullptr) return nullptr;
  TFE_TensorHandle* uploaded = nullptr;
  const size_t bytes = TF_TensorByteSize(tensor);
  void* memory = Uploads().Upload(TF_TensorData(tensor), bytes);
  if (memory != nullptr) {
    std::vector<int64_t> shape(TF_NumDims(tensor));
    for (size_t axis = 0; axis < shape.size(); ++axis) shape[axis] = TF_Dim(tensor, static_cast<int>(axis));
    const auto free = [](void* data, size_t length, void*) { Uploads().Free(data, length); };
    uploaded = TFE_NewTensorHandleFromDeviceMemory(owner, device, TF_TensorType(tensor), shape.data(), static_cast<int>(shape.size()), memory, bytes, free, nullptr, status.get());
    if (uploaded == nullptr) Uploads().Free(memory, bytes);
  }
  TF_DeleteTensor(tensor);
  return uploaded;
}

}  // namespace

// The linker's --wrap brings the addon's calls to __wrap_..., and TensorFlow's own functions are __real_...
extern "C" {

TFE_Context* __real_TFE_NewContext(const TFE_ContextOptions* options, TF_Status* status);
TFE_TensorHandle* __real_TFE_TensorHandleCopyToDevice(TFE_TensorHandle* handle, TFE_Context* owner, const char* device, TF_Status* status);
void __real_TFE_OpAddInput(TFE_Op* operation, TFE_TensorHandle* input, TF_Status* status);
TF_Tensor* __real_TFE_TensorHandleResolve(TFE_TensorHandle* handle, TF_Status* status);

TFE_Context* __wrap_TFE_NewContext(const TFE_ContextOptions* options, TF_Status* status) { return context = __real_TFE_NewContext(options, status); }

TFE_TensorHandle* __wrap_TFE_TensorHandleCopyToDevice(TFE_TensorHandle* handle, TFE_Context* owner, const char* device, TF_Status* status) {
  if (gpu.empty() && std::strstr(device, "GPU") != nullptr) gpu = device;
  TFE_TensorHandle* uploaded = Uploaded(handle, owner, device);
  return uploaded != nullptr ? uploaded : __real_TFE_TensorHandleCopyToDevice(handle, owner, device, status);
}

void __wrap_TFE_OpAddInput(TFE_Op* operation, TFE_TensorHandle* input, TF_Status* status) {
  TFE_TensorHandle* uploaded = nullptr;
  if (!gpu.empty() && TFE_TensorHandleDataType(input) == TF_INT32) {
    Status own;
    const char* name = TFE_OpGetName(operation, own.get());
    const int place = TFE_OpGetFlatInputCount(operation, own.get());
    for (const IndexInput& one : kIndexInputs)
      if (own.IsOk() && place == one.place && std::strcmp(name, one.operation) == 0) uploaded = Uploaded(input, context, gpu.c_str());
  }
  __real_TFE_OpAddInput(operation, uploaded == nullptr ? input : uploaded, status);
  if (uploaded != nullptr) TFE_DeleteTensorHandle(uploaded);
}

// A result of a GPU is there once everything before it is done.
TF_Tensor* __wrap_TFE_TensorHandleResolve(TFE_TensorHandle* handle, TF_Status* status) {
  if (gpu.empty() || !IsOn(handle, "GPU")) return __real_TFE_TensorHandleResolve(handle, status);
  const auto blocks = Uploads().BeginRead();
  TF_Tensor* tensor = __real_TFE_TensorHandleResolve(handle, status);
  Uploads().EndRead(blocks);
  return tensor;
}

__attribute__((visibility("default"))) TFE_Context* ThawContext() { return context; }

}  // extern "C"
