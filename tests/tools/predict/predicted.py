"""Models and data sets of the tests of `mainspring predict`."""

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import Dataset

from mainspring.model import BaseModel


class Pairs(Dataset):
    """Two classes of points; a class for names and nothing to read inputs with."""

    metainfo = dict(classes=("left", "right"))

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.zeros(2), 0


class Points(Pairs):
    """Reads points that are written as ``x y``."""

    def read_input(self, source):
        return torch.tensor([float(word) for word in source.split()])


class Photos(Pairs):
    """As torchvision's data sets, with a transform of PIL images."""

    transform = staticmethod(lambda image: torch.tensor(float(np.asarray(image).mean())).view(1))


class Brightness(nn.Module):
    def forward(self, inputs):
        return inputs.flatten(1).mean(1)


class Boxes(BaseModel):
    """Says what to write and to draw."""

    def read_input(self, source):
        return {"size": torch.tensor(float(np.asarray(Image.open(source)).shape[0]))}

    def forward(self, size, mode="tensor"):
        return list(size)

    def prediction_row(self, prediction):
        return {"height": prediction, "all": torch.zeros(20, 20)}

    def draw_prediction(self, visualizer, image, prediction):
        return 255 - image


class Loader:
    """Makes a picture of a path, as the first transform of OpenMMLab's pipelines."""

    def __call__(self, results):
        pixels = np.asarray(Image.open(results["img_path"]))
        return dict(inputs=torch.tensor(pixels).permute(2, 0, 1))


class Thresholds(BaseModel):
    """Masks of what is bright."""

    def forward(self, inputs, data_samples=None, mode="tensor"):
        return [{"mask": image.float().mean(0) > 100} for image in inputs]
