// Kernels that TensorFlow lacks, for the processor: norms, gates, rotary positions, attention and AdamW, each in one pass over its inputs where
// TensorFlow's own operations take five to twenty. They are operations like any other (`ThawRmsNorm`, ...), made through the C interface of
// libtensorflow_framework, and are there once this addon is loaded.
#include <node_api.h>

#include "kernels/instruction_sets.h"
#include "kernels/register.h"

namespace {

napi_value Init(napi_env env, napi_value exports) {
  const thaw::KernelTable& table = *thaw::RunnableTables().front();
  const char* problem = thaw::RegisterOperations(table);
  if (problem != nullptr) {
    napi_throw_error(env, nullptr, problem);
    return exports;
  }
  napi_value name, threads;
  napi_create_string_utf8(env, table.name, NAPI_AUTO_LENGTH, &name);
  napi_create_int32(env, thaw::ThreadCount(), &threads);
  napi_set_named_property(env, exports, "instructionSet", name);
  napi_set_named_property(env, exports, "threadCount", threads);
  return exports;
}

}  // namespace

NAPI_MODULE(thaw_kernels, Init)
