"""What a run says and remembers: log lines, scalars, progress."""

from mainspring.logging.history_buffer import HistoryBuffer
from mainspring.logging.logger import MMLogger
from mainspring.logging.message_hub import MessageHub
from mainspring.logging.print_log import print_log
from mainspring.logging.progress import ProgressDisplay

__all__ = ["HistoryBuffer", "MMLogger", "MessageHub", "ProgressDisplay", "print_log"]
