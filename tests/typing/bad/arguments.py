"""Arguments that are not there, are of the wrong type, or are missing."""

from torch.optim import SGD, AdamW
from zoo import Coco, CocoMetric, Digits, Resize, ResNet, RetinaNet

from mainspring.config import later
from mainspring.dataset import DataLoader, DefaultSampler
from mainspring.evaluator import Accuracy
from mainspring.hooks import CheckpointHook, EarlyStoppingHook, EMAHook, LoggerHook
from mainspring.model import ImgDataPreprocessor
from mainspring.optim import (
    AmpOptimWrapper,
    CosineAnnealingLR,
    LinearLR,
    LinearMomentum,
    MultiStepLR,
    OptimWrapper,
)
from mainspring.runner import ByEpoch, LogProcessor
from mainspring.visualization import Visualizer

unknown_inside = RetinaNet(backbone=ResNet(dept=50), num_classes=80)  # error: dept
unknown_outside = RetinaNet(backbone=ResNet(), classes=80)  # error: classes
not_a_depth = ResNet(depth=52)  # error: 52
text_for_number = RetinaNet(ResNet(), num_classes="80")  # error: num_classes
part_of_wrong_class = RetinaNet(Resize((8, 8)), num_classes=80)  # error: Resize

batchsize = DataLoader(Coco("train.json"), batchsize=2)  # error: batchsize
no_dataset = DataLoader(batch_size=2)  # error: dataset
not_a_dataset = DataLoader(ResNet(), batch_size=2)  # error: ResNet
wrong_stream = DataLoader(Coco("train.json"), sample_rng="samples")  # error: samples
sampler_now = DataLoader(Coco("a.json"), sampler=DefaultSampler(shuffle=True))  # error: dataset
shufle = DataLoader(Digits("val"), sampler=later(DefaultSampler)(shufle=True))  # error: shufle
sampler_class = DataLoader(Digits("val"), sampler=later(Resize)(keep_ratio=True))  # error: Resize

optimizer_now = OptimWrapper(AdamW(lr=1e-3))  # error: params
learning_rate = OptimWrapper(later(AdamW)(learning_rate=1e-3))  # error: learning_rate
rate_as_text = OptimWrapper(later(SGD)(lr="0.1"))  # error: lr
no_optimizer = OptimWrapper(later(ResNet)())  # error: ResNet
clipping = OptimWrapper(later(SGD)(lr=0.1), clip_grad="35")  # error: clip_grad
clip_norm = OptimWrapper(later(SGD)(lr=0.1), clip_norm=35)  # error: clip_norm
precision = AmpOptimWrapper(optimizer=later(SGD)(lr=0.1), dtype="bf16")  # error: bf16
amp_without = AmpOptimWrapper(dtype="bfloat16")  # error: optimizer

warm_up = later(LinearLR)(start=1e-3)  # error: start
warm_up_now = LinearLR(start_factor=1e-3)  # error: optimizer
no_milestones = later(MultiStepLR)(gamma=0.1)  # error(mypy): Too few # error(pyright): milestones
one_milestone = later(MultiStepLR)(milestones=8)  # error: milestones
half = later(CosineAnnealingLR)(T_max="12")  # error: T_max
momentum = later(LinearMomentum)(end_factr=1.0)  # error: end_factr

save_best = CheckpointHook(save_bset="acc")  # error: save_bset
rule = CheckpointHook(save_best="acc", rule="max")  # error: max
average = EMAHook(momentun=1e-4)  # error: No overload
stopping = EarlyStoppingHook(patience=3)  # error: monitor
interval = LoggerHook(interval="50")  # error: interval
top = Accuracy(top_k=5)  # error: top_k
segments = CocoMetric("val.json", metric="mask")  # error: mask
mean = ImgDataPreprocessor(mean=0.5, std=[0.2])  # error: mean
window = LogProcessor(windows_size=10)  # error: windows_size
backends = Visualizer(vis_backends=5)  # error: vis_backends
length = ByEpoch(epochs=12)  # error: epochs
