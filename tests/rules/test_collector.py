"""What has lived for a moment, and knows itself, does not stay in memory."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from collections import deque
from schema.asgi import tune_collector

class Connection:
    def __init__(self):
        self.itself = self

tune_collector()
open_now, most = deque(maxlen=100_000), 0  # so many at a time, each closed long after it has become old
for number in range(1_500_000):
    open_now.append(Connection())
    if number % 50_000 == 0:
        most = max(most, len(gc.get_objects()))
print(most)
"""


def test_connections_that_close_late_are_collected() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True)
    assert int(done.stdout) < 1_000_000  # and 1,450,000 if old garbage stays
