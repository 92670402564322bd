// Makes graphs functions of tfjs-node's context, after which they run by name like operations. The C interface does the work; the context comes from
// thaw_context.cc, which is linked into the addon.
#include <dlfcn.h>
#include <node_api.h>

#include <memory>
#include <string>
#include <vector>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/eager/c_api.h"

#include "node_text.h"

namespace {

struct Deleter {
  void operator()(TF_Status* status) const { TF_DeleteStatus(status); }
  void operator()(TF_Graph* graph) const { TF_DeleteGraph(graph); }
  void operator()(TF_Buffer* buffer) const { TF_DeleteBuffer(buffer); }
  void operator()(TF_ImportGraphDefOptions* options) const { TF_DeleteImportGraphDefOptions(options); }
  void operator()(TF_Function* function) const { TF_DeleteFunction(function); }
};
template <typename T>
using Owned = std::unique_ptr<T, Deleter>;

using thaw::ReadString;

bool ReadStrings(napi_env env, napi_value value, std::vector<std::string>* texts) {
  uint32_t count = 0;
  if (napi_get_array_length(env, value, &count) != napi_ok) return false;
  texts->resize(count);
  for (uint32_t index = 0; index < count; ++index) {
    napi_value element;
    if (napi_get_element(env, value, index, &element) != napi_ok || !ReadString(env, element, &(*texts)[index])) return false;
  }
  return true;
}

TFE_Context* FindContext(const std::string& addon) {
  void* library = dlopen(addon.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  auto find = library == nullptr ? nullptr : reinterpret_cast<TFE_Context* (*)()>(dlsym(library, "ThawContext"));
  if (library != nullptr) dlclose(library);
  return find == nullptr ? nullptr : find();
}

// `names` as outputs of nodes, each `node:output`. Empty text if all are there, else the first that is not.
std::string FindOutputs(TF_Graph* graph, const std::vector<std::string>& names, std::vector<TF_Output>* outputs) {
  for (const std::string& name : names) {
    const size_t colon = name.rfind(':');
    TF_Operation* operation = colon == std::string::npos ? nullptr : TF_GraphOperationByName(graph, name.substr(0, colon).c_str());
    if (operation == nullptr) return name;
    outputs->push_back({operation, std::stoi(name.substr(colon + 1))});
  }
  return "";
}

// Adds the graph (a serialised GraphDef) as a function. Returns what went wrong, or an empty text.
std::string Add(TFE_Context* context, const std::string& name, const void* bytes, size_t length, const std::vector<std::string>& input_names, const std::vector<std::string>& output_names,
                bool is_compiled) {
  Owned<TF_Status> status(TF_NewStatus());
  Owned<TF_Graph> graph(TF_NewGraph());
  Owned<TF_Buffer> buffer(TF_NewBufferFromString(bytes, length));
  Owned<TF_ImportGraphDefOptions> options(TF_NewImportGraphDefOptions());
  TF_GraphImportGraphDef(graph.get(), buffer.get(), options.get(), status.get());
  if (TF_GetCode(status.get()) != TF_OK) return TF_Message(status.get());
  std::vector<TF_Output> inputs, outputs;
  std::string missing = FindOutputs(graph.get(), input_names, &inputs);
  if (missing.empty()) missing = FindOutputs(graph.get(), output_names, &outputs);
  if (!missing.empty()) return "The graph has no " + missing + ".";
  Owned<TF_Function> function(TF_GraphToFunction(graph.get(), name.c_str(), 0, -1, nullptr, static_cast<int>(inputs.size()), inputs.data(), static_cast<int>(outputs.size()), outputs.data(),
                                                 nullptr, nullptr, nullptr, status.get()));
  if (TF_GetCode(status.get()) != TF_OK) return TF_Message(status.get());
  // An AttrValue whose field 5, `b`, is true.
  constexpr char kTrue[] = {0x28, 0x01};
  if (is_compiled) TF_FunctionSetAttrValueProto(function.get(), "_XlaMustCompile", kTrue, sizeof(kTrue), status.get());
  if (TF_GetCode(status.get()) == TF_OK) TFE_ContextAddFunction(context, function.get(), status.get());
  return TF_GetCode(status.get()) == TF_OK ? "" : TF_Message(status.get());
}

// addFunction(addon, name, graphDef, inputs, outputs, isCompiled): `addon` is the file of tfjs-node's, `inputs` and `outputs` are `node:output`.
napi_value AddFunction(napi_env env, napi_callback_info info) {
  size_t count = 6;
  napi_value arguments[6];
  std::string addon, name;
  std::vector<std::string> inputs, outputs;
  napi_typedarray_type type;
  size_t length = 0;
  void* bytes = nullptr;
  bool is_compiled = false;
  if (napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr) != napi_ok || count != 6 || !ReadString(env, arguments[0], &addon) || !ReadString(env, arguments[1], &name) ||
      napi_get_typedarray_info(env, arguments[2], &type, &length, &bytes, nullptr, nullptr) != napi_ok || type != napi_uint8_array || !ReadStrings(env, arguments[3], &inputs) ||
      !ReadStrings(env, arguments[4], &outputs) || napi_get_value_bool(env, arguments[5], &is_compiled) != napi_ok) {
    napi_throw_type_error(env, nullptr, "addFunction takes two strings, bytes, two lists of strings and a boolean.");
    return nullptr;
  }
  TFE_Context* context = FindContext(addon);
  const std::string problem = context == nullptr ? "TensorFlow's context is not known." : Add(context, name, bytes, length, inputs, outputs, is_compiled);
  if (!problem.empty()) napi_throw_error(env, nullptr, problem.c_str());
  return nullptr;
}

napi_value Init(napi_env env, napi_value exports) {
  const napi_property_descriptor property = {"addFunction", nullptr, AddFunction, nullptr, nullptr, nullptr, napi_enumerable, nullptr};
  napi_define_properties(env, exports, 1, &property);
  return exports;
}

}  // namespace

NAPI_MODULE(thaw_functions, Init)
