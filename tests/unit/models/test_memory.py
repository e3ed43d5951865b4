import subprocess
import sys

PROGRAM = """
import resource
from rkd_online.models.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(1 << 26)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
given_back = faults()
keep_freed_memory()
faults()
print(given_back, faults())
"""


def test_memory_of_64_mib_that_was_freed_is_used_again_without_a_fault_per_page() -> None:
    """16,384 pages of 4 KiB; a system that makes larger pages has fewer faults."""
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, timeout=60)
    given_back, kept = map(int, ran.stdout.split())
    assert kept < 8 <= 32 <= given_back, ran.stderr
