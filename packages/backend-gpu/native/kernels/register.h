// Registers the kernels of a table as operations of TensorFlow.
#pragma once

#include "table.h"

namespace thaw {

// Null, or what went wrong. A second call does nothing: operations belong to the process.
const char* RegisterOperations(const KernelTable& table);

}  // namespace thaw
