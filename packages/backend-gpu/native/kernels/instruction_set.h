// All kernels for one instruction set: THAW_ISA names it, THAW_WIDTH is its floats a vector. Included once a set.
#include "vector.h"
#include "rows.h"
#include "attention.h"
#include "product.h"
#include "quantized.h"

namespace thaw {
namespace THAW_ISA {

#define THAW_TEXT_OF(name) #name
#define THAW_TEXT(name) THAW_TEXT_OF(name)
static const KernelTable kTable = {THAW_TEXT(THAW_ISA), RmsNorm,    RmsNormGradient, LayerNorm, LayerNormGradient, Activate,     ActivateGradient, Gate,
                                   GateGradient,        Rotary,     Attention,       AttentionGradient, Multiply, AdamW,     SumOfSquares, Dequantize};
#undef THAW_TEXT
#undef THAW_TEXT_OF

}  // namespace THAW_ISA
}  // namespace thaw
