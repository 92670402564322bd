// Strings of JavaScript for the addons.
#pragma once

#include <node_api.h>

#include <string>

namespace thaw {

// False if the value is no string.
inline bool ReadString(napi_env env, napi_value value, std::string* text) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return false;
  text->resize(length + 1);
  if (napi_get_value_string_utf8(env, value, &(*text)[0], text->size(), &length) != napi_ok) return false;
  text->resize(length);
  return true;
}

}  // namespace thaw
