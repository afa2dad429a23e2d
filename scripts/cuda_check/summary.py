"""What a run came to: the stages, and the aims of the benchmark."""

import json

# The aims of docs/cuda.md, for steps so long that launches do not count.
SHARE, RATIO, FROM = 0.7, 8.0, 10_000_000


def targets(bench_file):
    """Lines about the aims, from the benchmark's JSON."""
    if not bench_file.exists():
        return []
    rows = [r for r in json.loads(bench_file.read_text())["rows"] if "nsPerParameter" in r and r["parameters"] >= FROM]
    if not rows:
        return []
    lines = []
    for key, aim, text in (("shareOfCopy", SHARE, "share of the copy bandwidth"), ("ratioToPylo", RATIO, "times 10^9 parameters per second")):
        lowest = min(rows, key=lambda r: r[key])
        met = sum(r[key] >= aim for r in rows)
        where = f"{lowest['model']}, {lowest['stateBits']} bits, {lowest['list']}, {lowest['parameters']} parameters"
        verdict = "MET" if met == len(rows) else "NOT MET"
        lines.append(f"{text}, at least {aim:g}: {verdict} ({met} of {len(rows)} cases; the lowest is {lowest[key]:.2f}: {where})")
    return lines


def write(folder, about, results, mode):
    """Prints the summary, writes summary.txt and summary.json; whether no stage failed."""
    lines = [f"mode: {mode}"] + [f"{k}: {v}" for k, v in about.items()] + [""]
    for r in results:
        lines.append(f"{r['status']:8} {r['seconds']:6.1f} s  {r['name']}{': ' + r['why'] if r['why'] else ''}")
    aims = targets(folder / "bench.json")
    lines += [""] + [f"target: {t}" for t in aims]
    count = {s: sum(r["status"] == s for r in results) for s in ("passed", "failed", "skipped")}
    total = sum(r["seconds"] for r in results)
    lines.append(f"{count['passed']} stages passed, {count['failed']} failed, {count['skipped']} skipped, in {total:.0f} s")
    (folder / "summary.txt").write_text("\n".join(lines) + "\n")
    (folder / "summary.json").write_text(json.dumps({"mode": mode, "about": about, "stages": results, "targets": aims}, indent=2) + "\n")
    return lines, count["failed"] == 0
