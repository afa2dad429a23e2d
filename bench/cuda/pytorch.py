#!/usr/bin/env python3
"""PyTorch beside the CUDA library on one device: Adam(fused=True) in turns with lo_cuda_bench, then the same RNN in eager mode
and by torch.compile. Prints one table with ratios, and writes JSON, after every row, so that nothing is lost when it is stopped.

Before that the RNN (rnn.py) is held against steps of the CPU core, which the program dump_steps writes.
Exit code: 0; 1 if a result is wrong; 3 without PyTorch or without a device.
"""

import argparse
import gc
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = {"hrnn-3": ROOT / "weights/hrnn-3.safetensors", "paper": ROOT / "weights/prototype.safetensors"}
# The formulas are the same, so that roundings alone are between them: 5e-15 and 4e-6 were seen.
TOLERANCE = {"float64": 1e-11, "float32": 1e-4}


def check_rnn(dump_program, device, only_double=False):
    """Compares rnn.py with the CPU core; prints; whether all is within the tolerances."""
    import torch
    from rnn import deviation_from

    right = True
    with tempfile.TemporaryDirectory() as folder:
        for name, weights in WEIGHTS.items():
            file = Path(folder) / "steps.json"
            subprocess.run([str(dump_program), str(weights), str(file)], check=True)
            dump = json.loads(file.read_text())
            for dtype in (torch.float64,) if only_double else (torch.float64, torch.float32):
                kind = str(dtype).split(".")[1]
                worst = deviation_from(dump, weights, device, dtype)
                good = worst <= TOLERANCE[kind]
                right = right and good
                verdict = "" if good else "   WRONG"
                print(f"RNN in PyTorch, {name}, {kind} on {device}: differs from the CPU core by {worst:.2g}, allowed {TOLERANCE[kind]:.2g}{verdict}")
    return right


class Clock:
    """Nanoseconds of device work."""

    def __init__(self, torch, device):
        self.torch, self.cuda = torch, device == "cuda"

    def time(self, body, times):
        if not self.cuda:
            begin = time.perf_counter()
            for _ in range(times):
                body()
            return (time.perf_counter() - begin) * 1e9 / times
        begin, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(times):
            body()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) * 1e6 / times


def median_time(clock, body, rounds, round_seconds):
    """Median over the rounds, and median absolute deviation, of one call of `body`, which has been warmed up."""
    once = clock.time(body, 3)
    times = max(1, int(round_seconds * 1e9 / once))
    all_times = [clock.time(body, times) for _ in range(rounds)]
    middle = statistics.median(all_times)
    return middle, statistics.median(abs(t - middle) for t in all_times)


def adam(torch, n, device):
    """A step of Adam(fused=True) on one parameter; whether it did its work is for `moved` to say."""
    theta = torch.nn.Parameter(torch.full((n,), 0.1, device=device))
    theta.grad = torch.randn(n, device=device) * 0.01
    optimizer = torch.optim.Adam([theta], lr=1e-3, fused=True)
    return optimizer.step, lambda: theta.detach()


def rnn(torch, model, n, device, compiled):
    from rnn import Rnn

    state = Rnn(WEIGHTS[model], [n], -6.9, device, compiled=compiled)
    holder = {"theta": [torch.full((n,), 0.1, device=device)]}
    gradient = [torch.randn(n, device=device) * 0.01]

    def step():
        holder["theta"] = state.step(holder["theta"], gradient)

    return step, lambda: holder["theta"][0]


def measure(torch, name, make, n, device, options):
    """One row: time of a step, or why there is none."""
    row = {"name": name, "parameters": n}
    try:
        step, theta = make()
        begin = time.perf_counter()
        for _ in range(3):
            step()
        values = theta()
        moved = (values != 0.1).double().mean().item()
        row["warmUpSeconds"] = time.perf_counter() - begin
        if not bool(torch.isfinite(values).all()) or moved < 0.5:
            return {**row, "wrong": "parameters are not finite or have not moved"}
        middle, spread = median_time(Clock(torch, device), step, options.rounds, options.round_seconds)
        return {**row, "nsPerParameter": middle / n, "mad": spread / n, "rounds": options.rounds}
    except Exception as e:  # out of memory, or a compiler that is not there: the row says so
        lines = str(e).strip().splitlines()
        return {**row, "skipped": f"{type(e).__name__}: {lines[0][:160] if lines else ''}"}


def library_rows(options, sizes):
    """Rows of lo_cuda_bench for the default preset and the paper's sizes, one tensor."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.json"
        command = [str(options.bench), "--json", str(file)] + (["--quick"] if options.quick else [])
        for n in sizes:
            for bits in (32, 16):
                command += ["--case", f"hrnn-3,{bits},one,{n}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if not file.exists():
            return [{"name": "this library", "parameters": 0, "wrong": done.stdout.strip()[-300:]}]
        rows = json.loads(file.read_text())["rows"]
        return [{**r, "name": f"this library, {r['model']}, {r['stateBits']} bits"} for r in rows]


def contestants(torch, sizes, options):
    """What is to be timed, in order: turn, size, name and maker; without one, the library's program is."""
    device = options.device
    for turn in range(options.turns):
        for n in sizes:
            if options.bench:
                yield turn, n, "this library", None
            yield turn, n, "Adam(fused=True)", lambda n=n: adam(torch, n, device)
    # Eager mode keeps some hundred bytes per parameter while it works, and every compilation takes long: once, not for the
    # largest sizes, and after all else.
    for n in (n for n in sizes if n <= options.largest_rnn):
        yield 0, n, "RNN eager, hrnn-3", lambda n=n: rnn(torch, "hrnn-3", n, device, False)
        yield 0, n, "RNN compiled, hrnn-3", lambda n=n: rnn(torch, "hrnn-3", n, device, True)


def print_table(rows):
    """Medians over the turns, with the times of others relative to the library's with 32 bits."""
    times = {}
    for row in rows:
        times.setdefault((row["parameters"], row["name"]), []).append(row.get("nsPerParameter", math.nan))
    ours = "this library, hrnn-3, 32 bits"
    base = {n: statistics.median(t) for (n, name), t in times.items() if name == ours and not any(map(math.isnan, t))}
    print(f"{'parameters':>11}  {'':34} {'ns/param':>9} {'G par/s':>8} {'time/ours':>9}")
    notes = {(r["parameters"], r["name"]): r.get("skipped") or r.get("wrong") for r in rows}
    for (n, name), values in sorted(times.items(), key=lambda entry: entry[0][0]):
        known = [v for v in values if not math.isnan(v)]
        if not known:
            print(f"{n:>11}  {name:34} {notes[n, name]}")
            continue
        middle = statistics.median(known)
        ratio = f"{middle / base[n]:9.2f}" if n in base else f"{'':9}"
        print(f"{n:>11}  {name:34} {middle:9.4f} {1 / middle:8.2f} {ratio}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dump-steps", type=Path, help="the program dump_steps: compare the RNN with the CPU core")
    parser.add_argument("--check-only", action="store_true", help="nothing but this comparison, on the CPU too")
    parser.add_argument("--bench", type=Path, help="the program lo_cuda_bench, to be timed in turns with PyTorch")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="cpu is for trying this program")
    parser.add_argument("--sizes", default="1e6,1e7,1e8,1e9", help="numbers of parameters (default: %(default)s)")
    parser.add_argument("--largest-rnn", type=float, default=3e7, help="of the RNN in PyTorch (default: %(default)g)")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin nothing after so many seconds")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, help="write all rows")
    options = parser.parse_args()
    options.rounds, options.round_seconds = (3, 0.01) if options.quick else (5, 0.03)
    return options


def write_json(torch, rows, options):
    device = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    about = {"torch": torch.__version__, "cuda": torch.version.cuda, "device": device}
    options.json.write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n")


def main():
    sys.stdout.reconfigure(line_buffering=True)
    options = parse()
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed for this Python: no comparison")
        return 3
    right = True
    on_cuda = torch.cuda.is_available()
    if options.dump_steps:
        right = check_rnn(options.dump_steps, "cpu")
        # Matrix products of the device in single precision may use fewer bits than float32 has, so double alone.
        if on_cuda and options.device == "cuda":
            right = check_rnn(options.dump_steps, "cuda", only_double=True) and right
    if options.check_only:
        return 0 if right else 1
    if options.device == "cuda" and not on_cuda:
        print("PyTorch sees no device: nothing to time")
        return 3
    begin, rows = time.monotonic(), []
    sizes = [int(float(s)) for s in options.sizes.split(",")]
    for turn, n, name, make in contestants(torch, sizes, options):
        if time.monotonic() - begin > options.seconds:
            new = [{"name": name, "parameters": n, "skipped": "out of time"}]
        elif make is None:
            new = library_rows(options, [n])
        else:
            new = [measure(torch, name, make, n, options.device, options)]
        rows += [{**r, "turn": turn} for r in new]
        # An RNN and its step refer to each other, so its memory is free only when such circles have been looked for.
        gc.collect()
        if on_cuda:
            torch.cuda.empty_cache()
        if options.json:
            write_json(torch, rows, options)
    print_table(rows)
    right = right and not any("wrong" in r for r in rows)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
