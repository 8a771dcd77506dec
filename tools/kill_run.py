"""Kill a run of `learnable-wavelets reproduce` at random moments, many times, and compare it with an undisturbed one.

    python tools/kill_run.py --kills 20 --folder FOLDER -- mnist --data sample --epochs 20 --threads 1

Both runs get `--resume --checkpoint-seconds 0.2`; the killed one is started again after every SIGKILL until it has had
enough of them, then it may finish. Its files must equal those of the undisturbed run: metrics, every epoch,
the digest of the network's state, everything but the seconds. Exit status 1 if not.

A kill comes at a moment drawn between the start of the process and `--window` seconds after its first sign of life (a
checkpoint newer than the process), so that some hit the start, most the training, and the run gets on.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PATIENCE = 120.0  # seconds to wait for a checkpoint


def untimed(value: Any) -> Any:
    """Drop the seconds from a record, which differ between runs."""
    if isinstance(value, dict):
        return {key: untimed(item) for key, item in value.items() if key != "seconds"}
    return [untimed(item) for item in value] if isinstance(value, list) else value


def results(folder: Path) -> dict[str, Any]:
    """Read records and JSON lines of all runs in `folder`, by name."""
    found = {path.name: untimed(json.loads(path.read_text())) for path in folder.glob("runs/*.json")}
    for path in folder.glob("runs/*.jsonl"):
        found[path.name] = [untimed(json.loads(line)) for line in path.read_text().splitlines()]
    return found


def start(folder: Path, words: list[str], checkpoint_seconds: float) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "learnable_wavelets.cli", "reproduce", *words, "--out", str(folder), "--resume"]
    command += ["--checkpoint-seconds", str(checkpoint_seconds)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def newest_checkpoint(folder: Path) -> float:
    try:
        return max((path.stat().st_mtime for path in folder.glob("**/*.checkpoint")), default=0.0)
    except FileNotFoundError:  # its run has just finished
        return 0.0


def kill_once(folder: Path, words: list[str], options: argparse.Namespace, chance: random.Random) -> bool:
    """Start, and kill at a random moment; return False if the run finished before."""
    process = start(folder, words, options.checkpoint_seconds)
    began = time.time()
    if chance.random() < options.early:  # while Python, torch or the data are loaded, or a checkpoint is read
        time.sleep(chance.uniform(0, options.window))
    else:
        while process.poll() is None and newest_checkpoint(folder) < began and time.time() - began < PATIENCE:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, options.window))
    if process.poll() is not None:
        return False
    process.send_signal(signal.SIGKILL)
    process.wait()
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--window", type=float, default=3.0)
    parser.add_argument("--early", type=float, default=0.2, help="share of the kills that may hit the start")
    parser.add_argument("--checkpoint-seconds", type=float, default=0.2)
    parser.add_argument("words", nargs="+", help="after --: the experiment and its options")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    whole, killed = options.folder / "undisturbed", options.folder / "killed"
    if start(whole, options.words, options.checkpoint_seconds).wait() != 0:
        sys.exit("the undisturbed run failed")
    kills = 0
    while kills < options.kills and kill_once(killed, options.words, options, chance):
        kills += 1
        print(f"kill {kills}", flush=True)
    if kills < options.kills:
        sys.exit(f"the run finished after {kills} kills: give it more epochs")
    if start(killed, options.words, options.checkpoint_seconds).wait() != 0:
        sys.exit("the killed run did not finish")
    expected, found = results(whole), results(killed)
    same = bool(expected) and expected == found
    print(f"{kills} kills, {len(expected)} files: {'the same' if same else 'DIFFERENT'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
