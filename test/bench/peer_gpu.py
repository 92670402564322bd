"""Peer on a GPU: transformers + torch, the cases of peer_transformers.py in float32, TF32 and bfloat16, one JSON line a case.

All in one process: one that fails prints its error and the next one runs. Memory is what torch's allocator had at most in tensors.
bfloat16: frozen parts are converted to bfloat16, the rest runs under autocast with float32 weights (with everything trained: autocast alone).
The optimizer is AdamW in one kernel; --compile compiles every layer.

  python peer_gpu.py --size M --modes projector projector_cached all --precisions float32 tf32 bfloat16
"""

import argparse
import json
import statistics
import time

import peer_transformers as peer

LARGE = dict(
    vision=dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16),
    text=dict(hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32,
              num_key_value_heads=8, vocab_size=128256),
)
LARGE_SIZES = {
    "1B": LARGE,
    "7B": dict(
        vision=LARGE["vision"],
        text=dict(hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32,
                  num_key_value_heads=32, vocab_size=32064),
    ),
}


# Every linear layer of the decoder.
ADAPTED = r".*language_model\.layers\.\d+\..*_proj"


def prepare(model, mode):
    """The parameters that train. `lora` puts PEFT's adapters (rank 16) into the model, which then serves that mode alone."""
    if mode != "lora":
        return peer.freeze(model, mode)
    from peft import LoraConfig, inject_adapter_in_model

    inject_adapter_in_model(LoraConfig(r=16, lora_alpha=16, target_modules=ADAPTED), model)
    model.model.multi_modal_projector.requires_grad_(True)
    return [p for p in model.parameters() if p.requires_grad]


def to_bfloat16(torch, module):
    """What is frozen in it."""
    for p in module.parameters():
        if not p.requires_grad:
            p.data = p.data.to(torch.bfloat16)


def case(torch, device, model, mode, precision, batch, steps, warmup):
    on_gpu = device == "cuda"
    tf32 = precision != "float32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    trainable = prepare(model, mode)
    if precision == "bfloat16" and mode != "all":
        for part in (model.model.vision_tower, model.model.language_model, model.lm_head):
            to_bfloat16(torch, part)
    optimizer = torch.optim.AdamW(trainable, lr=1e-3, fused=on_gpu)
    images, ids, labels = (t.to(device) for t in peer.make_data(torch, batch, model.config.image_token_id))
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    losses, times = [], []
    with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
        loss_fn = peer.make_loss(torch, model, "projector" if mode == "lora" else mode, images, ids, labels)
    if on_gpu:
        torch.cuda.synchronize()
    for i in range(warmup + steps):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            loss = loss_fn()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        losses.append(loss.item())
        if i >= warmup:
            times.append((time.perf_counter() - start) * 1e3)
    for p in model.parameters():
        p.grad = None
    return dict(steps=len(times), step_ms_min=min(times), step_ms_median=statistics.median(times), loss_first=losses[0],
                loss_last=losses[-1], peak_mb=torch.cuda.max_memory_allocated() / 1e6 if on_gpu else None)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--size", choices=["S", "M", "1B", "7B"], default="M")
    p.add_argument("--modes", nargs="+", default=["projector", "projector_cached", "all"])
    p.add_argument("--precisions", nargs="+", default=["float32", "tf32", "bfloat16"])
    p.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="cpu: to try the script where no GPU is")
    p.add_argument("--compile", action="store_true", help="compile every layer of tower and decoder, as layer.compile() does")
    p.add_argument("--batch", type=int)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--warmup", type=int, default=3)
    a = p.parse_args()
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    if a.size in LARGE_SIZES:
        peer.SIZES[a.size] = LARGE_SIZES[a.size]
        peer.IMAGE, peer.PATCH, peer.IMAGE_TOKENS = 336, 14, 576
    batch = a.batch or (8 if a.size in LARGE_SIZES else 4)
    with torch.device(a.device):
        model = peer.build(a.size, "sdpa")
    if a.compile:
        for layer in peer.layers_of(torch, model):
            layer.compile()
    # Parts are converted for bfloat16 with something frozen, so that comes last.
    order = [(m, q) for q in a.precisions for m in a.modes]
    order.sort(key=lambda one: one[1] == "bfloat16" and one[0] != "all")
    for mode, precision in order:
        line = dict(side="torch", compiled=a.compile, size=a.size, mode=mode, precision=precision, batch=batch, torch=torch.__version__,
                    transformers=transformers.__version__, device=torch.cuda.get_device_name() if a.device == "cuda" else "cpu")
        start = time.perf_counter()
        try:
            line.update(case(torch, a.device, model, mode, precision, batch, a.steps, a.warmup))
        except Exception as error:
            line["error"] = f"{type(error).__name__}: {error}"[:300]
        torch.cuda.empty_cache()
        line["seconds"] = round(time.perf_counter() - start)
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
