"""Try a config out: where an iteration's time goes, which learning rate, which batch size."""

from mainspring.tools.profiling.advice import Advice, best_advice
from mainspring.tools.profiling.batch_size import BatchSizeSearch, TriedSize, find_batch_size
from mainspring.tools.profiling.config_words import applicable
from mainspring.tools.profiling.curves import (
    batch_sizes_as_text,
    plot_range_test,
    range_test_as_text,
)
from mainspring.tools.profiling.learning_rate import RangeTest, range_test
from mainspring.tools.profiling.measurement import Measurement, Occasional, Section, Setup
from mainspring.tools.profiling.profile import profile_run
from mainspring.tools.profiling.report import profile_as_text

__all__ = [
    "Advice",
    "BatchSizeSearch",
    "Measurement",
    "Occasional",
    "RangeTest",
    "Section",
    "Setup",
    "TriedSize",
    "applicable",
    "batch_sizes_as_text",
    "best_advice",
    "find_batch_size",
    "plot_range_test",
    "profile_as_text",
    "profile_run",
    "range_test",
    "range_test_as_text",
]
