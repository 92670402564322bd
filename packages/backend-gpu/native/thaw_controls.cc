// What Thaw sets in TensorFlow's library that its C interface does not offer: environment variables that the library reads (a
// JavaScript process could set them too, but only before another part of it did), and TensorFloat-32.
#include <node_api.h>

#include <cstdlib>
#include <string>

namespace tsl {
// Declared in tsl/platform/tensor_float_32_utils.h; exported by libtensorflow_framework.so.2.
void enable_tensor_float_32_execution(bool enabled);
bool tensor_float_32_execution_enabled();
}  // namespace tsl

namespace {

bool ReadString(napi_env env, napi_value value, std::string* text) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return false;
  text->resize(length + 1);
  if (napi_get_value_string_utf8(env, value, &(*text)[0], text->size(), &length) != napi_ok) return false;
  text->resize(length);
  return true;
}

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
  tsl::enable_tensor_float_32_execution(enabled);
  return nullptr;
}

// tensorFloat32(): boolean
napi_value TensorFloat32(napi_env env, napi_callback_info) {
  napi_value result = nullptr;
  napi_get_boolean(env, tsl::tensor_float_32_execution_enabled(), &result);
  return result;
}

napi_value Init(napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {
      {"setEnvironment", nullptr, SetEnvironment, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"setTensorFloat32", nullptr, SetTensorFloat32, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"tensorFloat32", nullptr, TensorFloat32, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, 3, properties);
  return exports;
}

}  // namespace

NAPI_MODULE(thaw_controls, Init)
