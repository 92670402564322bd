// Makes the operations known to TensorFlow.
#include <string>
#include <utility>

#include "operation.h"
#include "register.h"

namespace thaw {
namespace {

const KernelTable* registered = nullptr;

struct Instance {
  Attributes attributes;
  void (*compute)(const KernelTable&, const Attributes&, Run&);
};

void ReadAttribute(TF_OpKernelConstruction* context, const std::string& spec, Attributes* a, TF_Status* status) {
  const std::string name = spec.substr(0, spec.find(':'));
  unsigned char flag = 0;
  const auto readFlag = [&](bool* value) {
    TF_OpKernelConstruction_GetAttrBool(context, name.c_str(), &flag, status);
    *value = flag != 0;
  };
  if (name == "epsilon") TF_OpKernelConstruction_GetAttrFloat(context, "epsilon", &a->epsilon, status);
  else if (name == "offset") TF_OpKernelConstruction_GetAttrFloat(context, "offset", &a->offset, status);
  else if (name == "scale") TF_OpKernelConstruction_GetAttrFloat(context, "scale", &a->scale, status);
  else if (name == "kind") TF_OpKernelConstruction_GetAttrInt64(context, "kind", &a->kind, status);
  else if (name == "heads") TF_OpKernelConstruction_GetAttrInt64(context, "heads", &a->heads, status);
  else if (name == "key_heads") TF_OpKernelConstruction_GetAttrInt64(context, "key_heads", &a->keyHeads, status);
  else if (name == "rows") TF_OpKernelConstruction_GetAttrInt64(context, "rows", &a->rows, status);
  else if (name == "columns") TF_OpKernelConstruction_GetAttrInt64(context, "columns", &a->columns, status);
  else if (name == "bits") TF_OpKernelConstruction_GetAttrInt64(context, "bits", &a->bits, status);
  else if (name == "block") TF_OpKernelConstruction_GetAttrInt64(context, "block", &a->block, status);
  else if (name == "nested_block") TF_OpKernelConstruction_GetAttrInt64(context, "nested_block", &a->nestedBlock, status);
  else if (name == "is_inverse") readFlag(&a->isInverse);
  else if (name == "wants_parameters") readFlag(&a->wantsParameters);
  else if (name == "transpose_a") readFlag(&a->transposeA);
  else if (name == "transpose_b") readFlag(&a->transposeB);
}

template <int index>
void* Create(TF_OpKernelConstruction* context) {
  const Operation& operation = Operations()[index];
  auto* instance = new Instance{Attributes{}, operation.compute};
  TF_Status* status = TF_NewStatus();
  for (const char* spec : operation.attributes) if (TF_GetCode(status) == TF_OK) ReadAttribute(context, spec, &instance->attributes, status);
  if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(context, status);
  TF_DeleteStatus(status);
  return instance;
}

void ComputeInstance(void* instance, TF_OpKernelContext* context) {
  Run run(context);
  const auto* made = static_cast<const Instance*>(instance);
  made->compute(*registered, made->attributes, run);
}

void Destroy(void* instance) { delete static_cast<Instance*>(instance); }

void AnyShape(TF_ShapeInferenceContext* context, TF_Status* status) { TF_ShapeInferenceContextSetUnknownShape(context, status); }

template <int index>
bool Register(TF_Status* status) {
  const Operation& operation = Operations()[index];
  TF_OpDefinitionBuilder* builder = TF_NewOpDefinitionBuilder(operation.name);
  for (const char* spec : operation.inputs) TF_OpDefinitionBuilderAddInput(builder, spec);
  for (const char* spec : operation.outputs) TF_OpDefinitionBuilderAddOutput(builder, spec);
  for (const char* spec : operation.attributes) TF_OpDefinitionBuilderAddAttr(builder, spec);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, AnyShape);
  TF_RegisterOpDefinition(builder, status);
  if (TF_GetCode(status) != TF_OK) return false;
  TF_RegisterKernelBuilder(operation.name, TF_NewKernelBuilder(operation.name, "CPU", Create<index>, ComputeInstance, Destroy), status);
  return TF_GetCode(status) == TF_OK;
}

template <int... indices>
bool RegisterAll(std::integer_sequence<int, indices...>, TF_Status* status) {
  bool isFine = true;
  for (const bool one : {(isFine = isFine && Register<indices>(status))...}) (void)one;
  return isFine;
}

}  // namespace

const char* RegisterOperations(const KernelTable& table) {
  if (registered != nullptr) return nullptr;
  static std::string problem;
  TF_Status* status = TF_NewStatus();
  const bool isFine = static_cast<int>(Operations().size()) == kOperationCount && RegisterAll(std::make_integer_sequence<int, kOperationCount>{}, status);
  if (isFine) registered = &table;
  else problem = std::string("Thaw's kernels could not be registered: ") + TF_Message(status);
  TF_DeleteStatus(status);
  return isFine ? nullptr : problem.c_str();
}

}  // namespace thaw
