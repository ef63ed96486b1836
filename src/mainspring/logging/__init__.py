"""What a run says and remembers: log lines, scalars, progress."""

from mainspring.logging.history_buffer import HistoryBuffer
from mainspring.logging.logger import IN_FILE, ON_TERMINAL, MMLogger
from mainspring.logging.message_hub import MessageHub
from mainspring.logging.print_log import print_log, warn
from mainspring.logging.progress_display import ProgressDisplay

__all__ = [
    "IN_FILE",
    "ON_TERMINAL",
    "HistoryBuffer",
    "MMLogger",
    "MessageHub",
    "ProgressDisplay",
    "print_log",
    "warn",
]
