"""The transformers side of `npm run bench -- families`: a golden folder's model, wider and deeper, and its steps.

    python peer_families.py write GOLDEN FOLDER              # about 30 million random float32 weights
    python peer_families.py train GOLDEN FOLDER REPEATS WARMUP STEPS THREADS  # projector-only, the golden's batch so often
"""
import json
import resource
import shutil
import statistics
import sys
import time
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

PARAMETERS = 30e6
WIDER = 16
WIDTHS = set(
    "hidden_size intermediate_size head_dim global_head_dim d_model encoder_ffn_dim embed_dim out_hidden_size "
    "projection_dim projector_hidden_size mm_embed_dim output_proj_dims hidden_size_per_layer_input linear_key_head_dim "
    "linear_value_head_dim moe_intermediate_size shared_expert_intermediate_size mrope_section query_pre_attn_scalar".split()
)
DEPTHS = {"num_hidden_layers", "depth", "encoder_layers"}
COPIED = "*token*.json *.jinja *processor*.json generation_config.json"


def grown(value, deeper, key=None):
    """A config with other widths and depths; what says how pictures, sounds and heads are counted stays."""
    if isinstance(value, dict):
        new = {name: grown(one, deeper, name) for name, one in value.items()}
        layers = value.get("num_hidden_layers")
        if new.get("per_layer_config"):  # by number of layer
            new["per_layer_config"] = {
                str(int(at) + turn * layers): own for turn in range(deeper) for at, own in new["per_layer_config"].items()
            }
        return new
    if key in WIDTHS and value is not None:
        return [WIDER * one for one in value] if isinstance(value, list) else WIDER * value
    if key in DEPTHS and value is not None:
        return deeper * value
    if key == "layer_types" and value is not None:
        return value * deeper
    return value


def shapes(golden, deeper):
    facts = json.loads((golden / "golden.json").read_text())
    config = transformers.AutoConfig.from_pretrained(golden)
    config = type(config)(**grown(config.to_dict(), deeper))
    with torch.device("meta"):
        return getattr(transformers, facts["architecture"])(config)


def write(golden, folder):
    golden, folder = Path(golden), Path(folder)
    count = lambda model: sum(one.numel() for one in model.parameters())
    model = min((shapes(golden, deeper) for deeper in range(1, 7)), key=lambda one: abs(count(one) - PARAMETERS))
    torch.manual_seed(0)
    model = type(model)(model.config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.02)
    model.save_pretrained(folder)
    for pattern in COPIED.split():
        for file in golden.glob(pattern):
            shutil.copy(file, folder / file.name)
    print(json.dumps(dict(parameters=count(model))))


def batch_of(golden, facts, repeats):
    tensors = load_file(golden / "golden.safetensors")
    batch = {}
    for name in [*facts["inputs"], "labels"]:
        value = tensors[f"in.{name}"]
        value = value if value.is_floating_point() else value.bool() if name == "input_features_mask" else value.long()
        side = -1 if name == "pixel_values" and facts["model_type"] == "minicpmv4_6" else 0  # patches side by side
        batch[name] = torch.cat([value] * repeats, side)
    return batch


def train(golden, folder, repeats, warmup, steps, threads):
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    golden, imported = Path(golden), peak()
    torch.set_num_threads(int(threads))
    facts = json.loads((golden / "golden.json").read_text())
    model = getattr(transformers, facts["architecture"]).from_pretrained(folder, dtype=torch.float32).train()
    projector = facts["runs"]["projector"]["trainable"]
    trained = {facts["module_names"].get(name, name) for name, owner in facts["owner"].items() if owner in projector}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trained)
    trained = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.01)
    batch, losses, times, processor = batch_of(golden, facts, int(repeats)), [], [], []
    for step in range(int(warmup) + int(steps)):
        start, of_processor = time.perf_counter(), time.process_time()
        optimizer.zero_grad(set_to_none=True)
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        losses.append(loss.item())
        if step >= int(warmup):
            times.append((time.perf_counter() - start) * 1e3)
            processor.append((time.process_time() - of_processor) * 1e3)
    print(json.dumps(dict(
        step_ms_min=min(times), step_ms_median=statistics.median(times), step_cpu_ms=min(processor), loss_first=losses[0], loss_last=losses[-1],
        rss_import_mb=imported, peak_rss_mb=peak(), trained=sum(one.numel() for one in trained),
    )))


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    {"write": write, "train": train}[sys.argv[1]](*sys.argv[2:])
