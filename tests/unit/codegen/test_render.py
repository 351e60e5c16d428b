"""Black, where a module needs it: imported once, whoever comes first."""

import subprocess
import sys

THREADS = """
import sys, threading
from skelgen.codegen.render import blackened
sys.setswitchinterval(1e-6)
start = threading.Barrier(8)
made = []
def run():
    start.wait()
    made.append(blackened("a  =  1"))
threads = [threading.Thread(target=run) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(made == ["a = 1\\n"] * 8)
"""


def test_threads_that_import_black_at_once_all_get_the_whole_of_it() -> None:
    words = [sys.executable, "-c", THREADS]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True\n", "")
