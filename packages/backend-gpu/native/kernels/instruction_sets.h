// The kernels for every instruction set. Their sources are compiled once for each; the best that the processor has is taken when the addon is loaded.
#pragma once

#include <vector>

#include "parallel.h"
#include "table.h"

#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma")
#endif
#define THAW_ISA avx512
#define THAW_WIDTH 16
#include "instruction_set.h"
#undef THAW_ISA
#undef THAW_WIDTH
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define THAW_ISA avx2
#define THAW_WIDTH 8
#include "instruction_set.h"
#undef THAW_ISA
#undef THAW_WIDTH
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

#define THAW_ISA baseline
#define THAW_WIDTH 4
#include "instruction_set.h"
#undef THAW_ISA
#undef THAW_WIDTH

namespace thaw {

// Those that this processor runs, the best first.
inline std::vector<const KernelTable*> RunnableTables() {
  std::vector<const KernelTable*> tables;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool hasAvx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
  if (hasAvx512) tables.push_back(&avx512::kTable);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables.push_back(&avx2::kTable);
#endif
  tables.push_back(&baseline::kTable);
  return tables;
}

}  // namespace thaw
