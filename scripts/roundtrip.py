"""For `npm run roundtrip`: folders that Thaw wrote, read by transformers and compared with what it computed before.

Reads [{ "golden", "written" }] from standard input; writes a line of JSON for each.
"""
import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file


def compare(golden, written):
    facts = json.loads((Path(golden) / "golden.json").read_text())
    tensors = load_file(Path(golden) / "golden.safetensors")
    model, info = getattr(transformers, facts["architecture"]).from_pretrained(
        written, dtype=torch.float32, output_loading_info=True
    )
    batch = {name: tensors[f"in.{name}"] for name in [*facts["inputs"], "labels"]}
    masks = {"input_features_mask"}  # Gemma 4 takes rows by it
    batch = {
        name: value if value.is_floating_point() else value.bool() if name in masks else value.long()
        for name, value in batch.items()
    }
    with torch.no_grad():
        logits = model.train()(**batch).logits  # PaliGemma's prefix sees itself where labels are given
    seen = batch["attention_mask"].bool()
    wanted = tensors["out.logits"]
    error = (logits - wanted)[seen].abs().max().item()
    keys = {kind: sorted(map(str, info[kind])) for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")}
    return {"maxError": error, **{kind: names for kind, names in keys.items() if names}}


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for pair in json.load(sys.stdin):
        try:
            found = compare(**pair)
        except Exception as error:  # of one folder: the others still run
            found = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"folder": pair["golden"], **found}), flush=True)


main()
