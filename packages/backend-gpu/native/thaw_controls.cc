// What Thaw sets in TensorFlow's library that its C interface does not offer: environment variables that the library reads while it is
// loaded, and TensorFloat-32; and in the C library, that large blocks go back to the system when they are freed. Not linked against the library, so that this can be loaded before it.
#include <dlfcn.h>
#include <node_api.h>

#include <cstdlib>
#include <string>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "node_text.h"

namespace {

// tsl::enable_tensor_float_32_execution(bool) and tsl::tensor_float_32_execution_enabled(), declared in
// tsl/platform/tensor_float_32_utils.h and exported by libtensorflow_framework.so.2.
using Enable = void (*)(bool);
using Enabled = bool (*)();
constexpr char kEnable[] = "_ZN3tsl32enable_tensor_float_32_executionEb";
constexpr char kEnabled[] = "_ZN3tsl33tensor_float_32_execution_enabledEv";

template <typename Function>
Function Find(napi_env env, const char* name) {
  void* library = dlopen("libtensorflow_framework.so.2", RTLD_LAZY | RTLD_NOLOAD);
  void* symbol = library == nullptr ? nullptr : dlsym(library, name);
  if (library != nullptr) dlclose(library);
  if (symbol == nullptr) napi_throw_error(env, nullptr, "TensorFlow's library is not loaded, or lacks one of the switches that Thaw sets.");
  return reinterpret_cast<Function>(symbol);
}

// absl::SetMinLogLevel(absl::LogSeverityAtLeast), which the same library exports under the name of its version of Abseil.
using SetMinLogLevel = void (*)(int);
constexpr char kSetMinLogLevel[] = "_ZN4absl12lts_2025081414SetMinLogLevelENS0_18LogSeverityAtLeastE";
constexpr int kFatal = 3;

using thaw::ReadString;

// setEnvironment(name, value): what is set already stays.
napi_value SetEnvironment(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2];
  std::string name, value;
  if (napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr) != napi_ok || count != 2 ||
      !ReadString(env, arguments[0], &name) || !ReadString(env, arguments[1], &value)) {
    napi_throw_type_error(env, nullptr, "setEnvironment takes two strings.");
    return nullptr;
  }
  setenv(name.c_str(), value.c_str(), 0);
  return nullptr;
}

// setTensorFloat32(enabled)
napi_value SetTensorFloat32(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  bool enabled = false;
  if (napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr) != napi_ok || count != 1 ||
      napi_get_value_bool(env, argument, &enabled) != napi_ok) {
    napi_throw_type_error(env, nullptr, "setTensorFloat32 takes a boolean.");
    return nullptr;
  }
  Enable enable = Find<Enable>(env, kEnable);
  if (enable != nullptr) enable(enabled);
  return nullptr;
}

// tensorFloat32(): boolean
napi_value TensorFloat32(napi_env env, napi_callback_info) {
  napi_value result = nullptr;
  Enabled is_enabled = Find<Enabled>(env, kEnabled);
  if (is_enabled != nullptr) napi_get_boolean(env, is_enabled(), &result);
  return result;
}

// muteErrors(): of the library's own lines on standard error, only what ends the process is left. What goes wrong comes back as a status; and reading what XLA kept
// writes a line for each function, as it tries a text format first.
napi_value MuteErrors(napi_env env, napi_callback_info) {
  SetMinLogLevel set = Find<SetMinLogLevel>(env, kSetMinLogLevel);
  if (set != nullptr) set(kFatal);
  return nullptr;
}

napi_value Init(napi_env env, napi_value exports) {
#if defined(__GLIBC__)
  // Arrays of JavaScript that weights come in or are hashed from: freed, they would stay with malloc, whose threshold grows up to 32 MB.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
  const napi_property_descriptor properties[] = {
      {"setEnvironment", nullptr, SetEnvironment, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"muteErrors", nullptr, MuteErrors, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"setTensorFloat32", nullptr, SetTensorFloat32, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"tensorFloat32", nullptr, TensorFloat32, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, 4, properties);
  return exports;
}

}  // namespace

NAPI_MODULE(thaw_controls, Init)
