// Where tensors lie in memory, as an operation: ThawAddresses gives two numbers of 32 bits for each input, the lower half first. It reads no values, so that on a
// GPU nothing is waited for, where TFE_TensorHandleDevicePointer waits for all queued work. Registered as soon as the addon is loaded, for both devices.
#include <cstdint>
#include <cstring>

#include "kernels/tensorflow_c.h"

namespace {

constexpr char kName[] = "ThawAddresses";
constexpr const char* kDevices[] = {"CPU", "GPU"};

void Compute(void*, TF_OpKernelContext* context) {
  TF_Status* status = TF_NewStatus();
  const int64_t count = 2 * TF_NumInputs(context);
  TF_Tensor* output = TF_AllocateOutput(context, 0, TF_INT32, &count, 1, sizeof(int32_t) * count, status);
  for (int index = 0; TF_GetCode(status) == TF_OK && index < TF_NumInputs(context); ++index) {
    TF_Tensor* input = nullptr;
    TF_GetInput(context, index, &input, status);
    if (TF_GetCode(status) != TF_OK) break;
    const auto address = reinterpret_cast<uint64_t>(TF_TensorData(input));
    std::memcpy(static_cast<int32_t*>(TF_TensorData(output)) + 2 * index, &address, sizeof(address));
    TF_DeleteTensor(input);
  }
  if (TF_GetCode(status) != TF_OK) TF_OpKernelContext_Failure(context, status);
  if (output != nullptr) TF_DeleteTensor(output);
  TF_DeleteStatus(status);
}

bool Register() {
  TF_Status* status = TF_NewStatus();
  TF_OpDefinitionBuilder* operation = TF_NewOpDefinitionBuilder(kName);
  TF_OpDefinitionBuilderAddAttr(operation, "N: int >= 1");
  TF_OpDefinitionBuilderAddAttr(operation, "T: type");
  TF_OpDefinitionBuilderAddInput(operation, "tensors: N * T");
  TF_OpDefinitionBuilderAddOutput(operation, "addresses: int32");
  TF_OpDefinitionBuilderSetIsStateful(operation, true);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(operation, &TF_ShapeInferenceContextSetUnknownShape);
  TF_RegisterOpDefinition(operation, status);
  for (const char* device : kDevices) {
    TF_KernelBuilder* kernel = TF_NewKernelBuilder(kName, device, nullptr, &Compute, nullptr);
    TF_KernelBuilder_HostMemory(kernel, "addresses");
    TF_RegisterKernelBuilder(kName, kernel, status);
  }
  const bool is_done = TF_GetCode(status) == TF_OK;
  TF_DeleteStatus(status);
  return is_done;
}

[[maybe_unused]] const bool kIsRegistered = Register();

}  // namespace
