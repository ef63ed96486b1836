"""Data sets, samplers, collate functions and the loader."""

from mainspring.dataset.base_dataset import BaseDataset
from mainspring.dataset.collate import COLLATE_FUNCTIONS, default_collate, pseudo_collate
from mainspring.dataset.compose import Compose
from mainspring.dataset.in_memory import InMemoryDataset
from mainspring.dataset.lazy_init import force_full_init
from mainspring.dataset.loader.build import build_dataloader
from mainspring.dataset.loader.combined_loader import CombinedLoader
from mainspring.dataset.loader.data_loader import DataLoader
from mainspring.dataset.order.samplers import DefaultSampler, InfiniteSampler
from mainspring.dataset.order.token_batches import TokenBudgetBatchSampler
from mainspring.dataset.wrappers import ClassBalancedDataset, ConcatDataset, RepeatDataset
from mainspring.rng.seeding import worker_init_fn

__all__ = [
    "COLLATE_FUNCTIONS",
    "BaseDataset",
    "ClassBalancedDataset",
    "CombinedLoader",
    "Compose",
    "ConcatDataset",
    "DataLoader",
    "DefaultSampler",
    "InMemoryDataset",
    "InfiniteSampler",
    "RepeatDataset",
    "TokenBudgetBatchSampler",
    "build_dataloader",
    "default_collate",
    "force_full_init",
    "pseudo_collate",
    "worker_init_fn",
]
