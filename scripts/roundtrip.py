"""For `npm run roundtrip`: folders that Thaw wrote, read by transformers and compared with what it computed before, and
adapters that Thaw trained, read by PEFT and compared with what Thaw computes with them.

Reads [{ "golden", "written", "adapter" }] from standard input; writes a line of JSON for each folder and each adapter.
"""
import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

KEYS = ("missing_keys", "unexpected_keys", "mismatched_keys")
# Inputs that hold each file once where golden.json says the files of each row (goldens/make_both.py).
ITEMS = {
    "images": ("pixel_values", "image_position_ids"),
    "audio": ("input_features", "input_features_mask"),
}


def read_batch(golden):
    facts = json.loads((Path(golden) / "golden.json").read_text())
    tensors = load_file(Path(golden) / "golden.safetensors")
    batch = {name: tensors[f"in.{name}"] for name in [*facts["inputs"], "labels"]}
    for media, kinds in ITEMS.items():
        files = facts.get(media, [])
        order = [files.index(file) for row in facts.get("media", []) for file in row if file in files]
        batch |= {kind: batch[kind][order] for kind in kinds if order}
    masks = {"input_features_mask"}  # Gemma 4 takes rows by it
    batch = {
        name: value if value.is_floating_point() else value.bool() if name in masks else value.long()
        for name, value in batch.items()
    }
    return getattr(transformers, facts["architecture"]), batch, tensors["out.logits"]


def apart(model, batch, wanted):
    with torch.no_grad():
        logits = model.train()(**batch).logits  # PaliGemma's prefix sees itself where labels are given
    seen = batch["attention_mask"].bool()
    return (logits - wanted)[seen].abs().max().item()


def compare(golden, written):
    architecture, batch, wanted = read_batch(golden)
    model, info = architecture.from_pretrained(written, dtype=torch.float32, output_loading_info=True)
    keys = {kind: sorted(map(str, info[kind])) for kind in KEYS}
    return {"maxError": apart(model, batch, wanted), **{kind: names for kind, names in keys.items() if names}}


def compare_adapter(golden, adapter):
    from peft import PeftModel, get_peft_model_state_dict  # without PEFT the others still run

    architecture, batch, before = read_batch(golden)
    model = PeftModel.from_pretrained(architecture.from_pretrained(golden, dtype=torch.float32), adapter)
    wanted = load_file(Path(adapter) / "logits.safetensors")["logits"].reshape(before.shape)
    stored, read = set(load_file(Path(adapter) / "adapter_model.safetensors")), set(get_peft_model_state_dict(model))
    keys = {"missing_keys": sorted(read - stored), "unexpected_keys": sorted(stored - read)}
    moved = (wanted - before)[batch["attention_mask"].bool()].abs().max().item()
    layers = sum(name.endswith("lora_A.weight") for name in stored)
    return {
        "maxError": apart(model, batch, wanted), "moved": moved, "layers": layers,
        **{kind: names for kind, names in keys.items() if names},
    }


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for given in json.load(sys.stdin):
        golden = given["golden"]
        for kind, check in (("written", compare), ("adapter", compare_adapter)):
            if kind not in given:
                continue
            try:
                found = check(golden, given[kind])
            except Exception as error:  # of one folder: the others still run
                found = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps({"folder": golden, "kind": kind, **found}), flush=True)


main()
