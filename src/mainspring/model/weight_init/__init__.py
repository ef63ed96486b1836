"""Weight initialisation: functions for one module, initialisers for ``init_cfg``."""

from mainspring.model.weight_init.functions import (
    bias_init_with_prob,
    caffe2_xavier_init,
    constant_init,
    kaiming_init,
    normal_init,
    trunc_normal_,
    trunc_normal_init,
    uniform_init,
    xavier_init,
)
from mainspring.model.weight_init.initialize import InitCfg, initialize
from mainspring.model.weight_init.initializers import (
    BaseInit,
    Caffe2XavierInit,
    ConstantInit,
    KaimingInit,
    NormalInit,
    PretrainedInit,
    TruncNormalInit,
    UniformInit,
    XavierInit,
)
from mainspring.model.weight_init.report import InitReport, update_init_info

__all__ = [
    "BaseInit",
    "Caffe2XavierInit",
    "ConstantInit",
    "InitCfg",
    "InitReport",
    "KaimingInit",
    "NormalInit",
    "PretrainedInit",
    "TruncNormalInit",
    "UniformInit",
    "XavierInit",
    "bias_init_with_prob",
    "caffe2_xavier_init",
    "constant_init",
    "initialize",
    "kaiming_init",
    "normal_init",
    "trunc_normal_",
    "trunc_normal_init",
    "uniform_init",
    "update_init_info",
    "xavier_init",
]
