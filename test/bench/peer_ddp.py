"""Peer of several cards: the cases of peer_gpu.py under DistributedDataParallel, one JSON line a case by rank 0.

The model is on every card, which has a batch of its own; the loss is computed inside what DDP wraps. Buckets are DDP's own (25 MB, their gradients
views of them), the graph is static. `lora`: PEFT's adapters of rank 16 on every linear layer of the decoder, and the projector.

  torchrun --nproc-per-node 2 peer_ddp.py --size 1B --compile --modes projector lora all --precisions bfloat16
"""

import argparse
import json
import os
import statistics
import time

import peer_gpu
import peer_transformers as peer


def build(torch, mode, size, device):
    with torch.device(device):
        model = peer.build(size, "sdpa")
    peer.freeze(model, "projector" if mode == "lora" else mode)
    return model


def adapt(model):
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=16, lora_alpha=16, lora_dropout=0.0, target_modules=r".*language_model.*\.(q|k|v|o|gate|up|down)_proj")
    inject_adapter_in_model(config, model)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()
            parameter.requires_grad_(True)


def case(torch, mode, precision, a, batch, device, world):
    model = build(torch, mode, a.size, device)
    if precision == "bfloat16" and mode != "all":
        core = model.model
        core.vision_tower.to(torch.bfloat16)
        core.language_model.to(torch.bfloat16)
        model.lm_head.to(torch.bfloat16)
    if mode == "lora":
        adapt(model)
    if a.compile:
        for layer in peer_gpu.peer.layers_of(torch, model):
            layer.compile()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "float32"
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-3, fused=device != "cpu")
    images, ids, labels = (t.to(device) for t in peer.make_data(torch, batch, model.config.image_token_id))
    pixels, mask = peer.pixels(images), torch.ones_like(ids)
    kind = "cpu" if device == "cpu" else "cuda"

    class Loss(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, pixels, ids, mask, labels):
            with torch.autocast(kind, torch.bfloat16, enabled=precision == "bfloat16"):
                return self.model(input_ids=ids, attention_mask=mask, pixel_values=pixels, labels=labels).loss

    loss_of = Loss()
    if world > 1:
        loss_of = torch.nn.parallel.DistributedDataParallel(
            loss_of, device_ids=None if device == "cpu" else [torch.cuda.current_device()], broadcast_buffers=False, gradient_as_bucket_view=True,
            static_graph=True)
    losses, times = [], []
    for i in range(a.warmup + a.steps):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(pixels, ids, mask, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        losses.append(loss.item())
        if i >= a.warmup:
            times.append((time.perf_counter() - start) * 1e3)
    memory = torch.cuda.max_memory_allocated() / 1e6 if device != "cpu" else None
    return dict(steps=len(times), step_ms_min=min(times), step_ms_median=statistics.median(times), loss_first=losses[0], loss_last=losses[-1],
                peak_mb=memory)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--size", choices=["S", "M", "1B", "7B"], default="M")
    p.add_argument("--modes", nargs="+", default=["projector", "lora", "all"])
    p.add_argument("--precisions", nargs="+", default=["bfloat16"])
    p.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    p.add_argument("--compile", action="store_true")
    p.add_argument("--batch", type=int)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--warmup", type=int, default=4)
    a = p.parse_args()
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    world, rank, local = (int(os.environ.get(name, fallback)) for name, fallback in (("WORLD_SIZE", 1), ("RANK", 0), ("LOCAL_RANK", 0)))
    device = "cpu" if a.device == "cpu" else f"cuda:{local}"
    if device != "cpu":
        torch.cuda.set_device(local)
    if world > 1:
        torch.distributed.init_process_group("gloo" if device == "cpu" else "nccl")
    if a.size in peer_gpu.LARGE_SIZES:
        peer.SIZES[a.size] = peer_gpu.LARGE_SIZES[a.size]
        peer.IMAGE, peer.PATCH, peer.IMAGE_TOKENS = 336, 14, 576
    batch = a.batch or (8 if a.size in peer_gpu.LARGE_SIZES else 4)
    for precision in a.precisions:
        for mode in a.modes:
            start = time.perf_counter()
            line = dict(side="torch", world=world, compiled=a.compile, size=a.size, mode=mode, precision=precision, batch=batch)
            try:
                line.update(case(torch, mode, precision, a, batch, device, world))
            except Exception as error:
                line["error"] = f"{type(error).__name__}: {error}"[:300]
            torch.cuda.empty_cache()
            line["seconds"] = round(time.perf_counter() - start)
            if rank == 0:
                print(json.dumps(line), flush=True)
    if world > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
