"""The transformers side of `npm run bench -- real-size`: random bfloat16 folders of published shapes, and their steps.

    python real_size.py write smolvlm-256m FOLDER GOLDEN    # sharded; tokenizer and template are the golden's
    python real_size.py train FOLDER BATCH                  # three projector-only steps of the batch that Thaw wrote
    python real_size.py load FOLDER                         # whether an export loads, key by key
"""
import json
import resource
import shutil
import sys
import time
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

TOKENIZER = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"]
PROJECTOR = ("connector", "merger", "multi_modal_projector")
LEARNING_RATE = 1e-3


def smolvlm(tokens):
    """SmolVLM-256M: Idefics3's tower and connector, Llama's text."""
    config = transformers.SmolVLMConfig(
        text_config=dict(
            model_type="llama", hidden_size=576, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
            intermediate_size=1536, vocab_size=49280, max_position_embeddings=8192, rope_theta=100000.0,
            tie_word_embeddings=True,
        ),
        vision_config=dict(
            hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072, image_size=512,
            patch_size=16,
        ),
        image_token_id=tokens["image"], scale_factor=4, tie_word_embeddings=True,
    )
    processor = {"size": {"longest_edge": 512}, "max_image_size": {"longest_edge": 512}, "do_image_splitting": False}
    return transformers.SmolVLMForConditionalGeneration, config, processor, {"image_seq_len": 64}


def qwen3_vl(tokens):
    """Qwen3-VL-2B."""
    config = transformers.Qwen3VLConfig(
        text_config=dict(
            hidden_size=2048, num_hidden_layers=28, num_attention_heads=16, num_key_value_heads=8, head_dim=128,
            intermediate_size=6144, vocab_size=151936, tie_word_embeddings=True,
            rope_parameters=dict(
                rope_type="default", rope_theta=5e6, mrope_section=[24, 20, 20], mrope_interleaved=True
            ),
        ),
        vision_config=dict(
            depth=24, hidden_size=1024, num_heads=16, intermediate_size=4096, out_hidden_size=2048, patch_size=16,
            spatial_merge_size=2, deepstack_visual_indexes=[5, 11, 17], num_position_embeddings=2304,
        ),
        image_token_id=tokens["image"], tie_word_embeddings=True,
    )
    size = {"shortest_edge": 65536, "longest_edge": 16777216}
    return transformers.Qwen3VLForConditionalGeneration, config, {"patch_size": 16, "merge_size": 2, "size": size}, {}


MODELS = {"smolvlm-256m": smolvlm, "qwen3-vl-2b": qwen3_vl}


def write(name, folder, golden):
    folder, golden = Path(folder), Path(golden)
    known = json.loads((golden / "config.json").read_text())
    model_class, config, pictures, processor = MODELS[name]({"image": known["image_token_id"]})
    torch.manual_seed(0)
    with torch.device("meta"):
        shape = model_class(config)
    shape = shape.to(torch.bfloat16).to_empty(device="cpu")
    with torch.no_grad():
        for key, tensor in shape.named_parameters():
            if tensor.ndim > 1:
                tensor.normal_(0, 0.02)
            else:
                tensor.fill_(0.0 if key.endswith("bias") else 1.0)
    shape.tie_weights()
    shape.save_pretrained(folder, max_shard_size="400MB")
    for file in TOKENIZER:
        if (golden / file).exists():
            shutil.copy(golden / file, folder / file)
    for file, more in (("preprocessor_config.json", pictures), ("processor_config.json", processor)):
        if (golden / file).exists():
            settings = json.loads((golden / file).read_text())
            settings.update(more)
            if "image_processor" in settings:
                settings["image_processor"].update(pictures)
            (folder / file).write_text(json.dumps(settings, indent=2))


def pixels_of(config, batch):
    """The rows of patches as the model reads them."""
    rows = batch["pixels"]
    if config.model_type == "qwen3_vl":
        return dict(pixel_values=rows, image_grid_thw=batch["grid"].long(), mm_token_type_ids=batch["types"].long())
    # Patches come in the blocks that become one token.
    patch, block = config.vision_config.patch_size, config.scale_factor
    blocks = config.vision_config.image_size // patch // block
    tiles = rows.reshape(-1, blocks, blocks, block, block, 3, patch, patch).permute(0, 5, 1, 3, 6, 2, 4, 7)
    side = config.vision_config.image_size
    return dict(pixel_values=tiles.reshape(1, -1, 3, side, side))


def train(folder, path):
    batch = load_file(path)
    torch.set_num_threads(2)
    start = time.time()
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).train()
    opened = time.time() - start
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(part in name for part in PROJECTOR))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, weight_decay=0.0)
    inputs = {k: batch[k].long() for k in ("input_ids", "attention_mask", "labels")} | pixels_of(model.config, batch)
    losses, times = [], []
    for _ in range(3):
        start = time.time()
        loss = model(**inputs).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        times.append((time.time() - start) * 1000)
        losses.append(loss.item())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(dict(losses=losses, step_ms=sorted(times)[1], open_s=opened, peak_mb=peak)))


def load(folder):
    auto = transformers.AutoModelForImageTextToText
    _, info = auto.from_pretrained(folder, dtype=torch.bfloat16, output_loading_info=True)
    print(json.dumps({key: sorted(map(str, info[key])) for key in ("missing_keys", "unexpected_keys", "mismatched_keys")}))


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    {"write": write, "train": train, "load": load}[sys.argv[1]](*sys.argv[2:])
