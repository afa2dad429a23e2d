"""Stages: commands with a time limit, whose output goes to the screen and to a log, and which do not stop one another."""

import os
import signal
import subprocess
import sys
import threading
import time


class Stages:
    """Runs stages and keeps what became of them."""

    def __init__(self, log_file, seconds):
        self.log = open(log_file, "w", encoding="utf8")
        self.begin = time.monotonic()
        self.seconds = seconds
        self.results = []

    def say(self, text):
        print(text, flush=True)
        self.log.write(text + "\n")
        self.log.flush()

    def left(self):
        return self.seconds - (time.monotonic() - self.begin)

    def record(self, name, status, seconds=0.0, why=""):
        """`status`: passed, failed or skipped."""
        self.results.append({"name": name, "status": status, "seconds": round(seconds, 1), "why": why})
        self.say(f"--- {name}: {status} in {seconds:.0f} s{': ' + why if why else ''}")
        return status == "passed"

    def skip(self, name, why):
        return self.record(name, "skipped", 0.0, why)

    def run(self, name, command, limit, environment=None, codes=None, skip_if=()):
        """Runs a command for at most `limit` seconds; whether it passed. `codes`: exit codes other than 0 with the status and the
        reason that they stand for. `skip_if`: pairs of a text in the output and why it means that the stage cannot be had here."""
        self.say(f"\n=== {name}: {' '.join(str(c) for c in command)}")
        limit = min(limit, self.left())
        if limit < 5:
            return self.record(name, "failed", 0.0, "no time was left")
        begin = time.monotonic()
        code, output = self.execute(command, limit, environment)
        seconds = time.monotonic() - begin
        if code == 0:
            return self.record(name, "passed", seconds)
        for text, why in skip_if:
            if text in output:
                return self.record(name, "skipped", seconds, why)
        if code is None:
            return self.record(name, "failed", seconds, f"stopped after {limit:.0f} s")
        status, why = (codes or {}).get(code, ("failed", f"exit code {code}"))
        return self.record(name, status, seconds, why)

    def execute(self, command, limit, environment=None):
        """Exit code, or None past the limit, and the output. What the command started ends with it."""
        env = {**os.environ, **(environment or {})}
        try:
            process = subprocess.Popen(
                [str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, errors="replace", env=env, start_new_session=True,
            )
        except OSError as error:
            self.say(str(error))
            return 127, str(error)
        late = threading.Event()

        def stop():
            late.set()
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

        timer = threading.Timer(limit, stop)
        timer.start()
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                sys.stdout.write(line)
                sys.stdout.flush()
                self.log.write(line)
            process.wait()
        finally:
            timer.cancel()
            self.log.flush()
        return (None if late.is_set() else process.returncode), "".join(lines)
