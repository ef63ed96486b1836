"""A small GAN, written as the generative models of OpenMMLab are."""

from .constructor import MultiOptimWrapperConstructor
from .datasets import RingDataset
from .gan import GAN, Discriminator, GANDataPreprocessor, Generator
from .hooks import SampleHook
from .metrics import RingMetric

__all__ = [
    "GAN",
    "Discriminator",
    "GANDataPreprocessor",
    "Generator",
    "MultiOptimWrapperConstructor",
    "RingDataset",
    "RingMetric",
    "SampleHook",
]
