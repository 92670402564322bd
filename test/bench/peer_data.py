"""Pictures per second of a PyTorch DataLoader with two workers: decode, resize to 336 (bicubic), centre crop, normalise.

python peer_data.py FOLDER COUNT, where FOLDER has 0.jpg to COUNT-1.jpg; prints one JSON object.
"""

import json
import sys
import time

import numpy
import torch
from PIL import Image

SIDE = 336
MEAN = numpy.array([0.48145466, 0.4578275, 0.40821073], dtype=numpy.float32)
STD = numpy.array([0.26862954, 0.26130258, 0.27577711], dtype=numpy.float32)


class Pictures(torch.utils.data.Dataset):
    def __init__(self, folder, count):
        self.folder, self.count = folder, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        image = Image.open(f"{self.folder}/{index}.jpg").convert("RGB")
        scale = SIDE / min(image.size)
        width, height = (round(side * scale) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
        left, top = (width - SIDE) // 2, (height - SIDE) // 2
        image = image.crop((left, top, left + SIDE, top + SIDE))
        values = (numpy.asarray(image, dtype=numpy.float32) / 255 - MEAN) / STD
        return torch.from_numpy(values.transpose(2, 0, 1).copy())


def main():
    torch.set_num_threads(1)
    pictures = Pictures(sys.argv[1], int(sys.argv[2]))
    loader = torch.utils.data.DataLoader(pictures, batch_size=8, shuffle=True, num_workers=2, persistent_workers=True)
    for _ in range(2):
        start = time.perf_counter()
        count = sum(len(batch) for batch in loader)
        seconds = time.perf_counter() - start
    print(json.dumps({"peerPerSecond": round(count / seconds, 1)}))


main()
