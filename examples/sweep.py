"""Search a learning rate and a norm with two processes that share one journal, then run the best recipe.

In a shell it is the same command in two terminals; here this script starts them. The first ten trials are drawn at
random, each from its own number, so that they are the same whichever process runs which.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

INFOTORCH = [sys.executable, "-m", "infotorch"]
folder = Path(tempfile.mkdtemp())
command = [*INFOTORCH, "sweep", "demo", "--variant", "bp", "--set", "epochs=5", "--device", "cpu", "--quiet"]
command += ["--set-range", "optimizer.lr=1e-4:1e-1:log", "--set-range", "network.norm=none,batch"]
command += ["--trials", "10", "--seeds", "1", "--no-prune", "--out", str(folder / "sweep")]

workers = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
assert [worker.wait() for worker in workers] == [0, 0]

lines = (folder / "sweep" / "tuning" / "trials.jsonl").read_text().splitlines()
trials = sorted((json.loads(line) for line in lines), key=lambda trial: -trial["mean"])
print(f"{len(trials)} trials by two processes: accuracy on validation samples")
for trial in trials:
    rate, norm = (trial["settings"][key] for key in ("optimizer.lr", "network.norm"))
    print(f"rate {rate:.5f}, norm {norm:5s}  {trial['mean']:.3f}")

best = [*INFOTORCH, "run", str(folder / "sweep" / "best.json"), "--device", "cpu", "--quiet"]
subprocess.run([*best, "--out", str(folder / "run")], check=True, stdout=subprocess.DEVNULL)
found = json.loads((folder / "run" / "outcome.json").read_text())["metrics"]["test_accuracy"]
print(f"\nthe best recipe with a seed that no trial had: {found:.1%} of the test samples are right")
