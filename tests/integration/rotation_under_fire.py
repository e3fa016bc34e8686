#!/usr/bin/env python3
"""Rotation under fire: a log that is rotated faster than the agent lives.

A writer appends 20,000 lines a second to app.log and rotates it every 0.7 s, keeping six, by rename
or by copy and truncate. The agent (file source -> file sink) is killed with SIGKILL about every 6 s
and stays down 1 to 2 s; everything is still on disk when it comes back. Checked at the end:

  lost       lines that never arrived: must be 0
  repeated   lines that arrived twice: at most one unacknowledged batch (64 KiB of lines) a kill
  disorder   lines whose first arrival came after a younger one's: must be 0

Usage: rotation_under_fire.py --agent PATH [--seconds 30] [--mode rename|copytruncate|both]
                              [--include app.log|app.log*|both] [--rate 20000]
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

# The source reads blocks of 64 KiB; the sink writes what has queued up before it acknowledges.
BATCH_BYTES = 64 * 1024
LINE = "%010d " + "x" * 88 + "\n"  # 100 bytes


class Writer(threading.Thread):
    """Writes lines and rotates; one thread, so copy and truncate are one step for its own lines."""

    def __init__(self, folder, mode, rate, period, keep):
        super().__init__(daemon=True)
        self.log = os.path.join(folder, "app.log")
        self.mode, self.rate, self.period, self.keep = mode, rate, period, keep
        self.finish = threading.Event()
        self.written = self.rotations = 0

    def rotate(self):
        name = lambda i: f"{self.log}.{i}"
        if os.path.exists(name(self.keep)):
            os.remove(name(self.keep))
        for i in range(self.keep - 1, 0, -1):
            if os.path.exists(name(i)):
                os.rename(name(i), name(i + 1))
        if self.mode == "rename":
            self.file.close()
            os.rename(self.log, name(1))
            self.file = open(self.log, "ab", buffering=0)
        else:
            shutil.copyfile(self.log, name(1))
            self.file.truncate(0)
        self.rotations += 1

    def run(self):
        self.file = open(self.log, "ab", buffering=0)
        start = time.monotonic()
        next_rotation = start + self.period
        while not self.finish.is_set():
            now = time.monotonic()
            due = int((now - start) * self.rate) - self.written
            if due > 0:
                lines = "".join(LINE % n for n in range(self.written, self.written + due))
                self.file.write(lines.encode())
                self.written += due
            if now >= next_rotation:
                self.rotate()
                next_rotation += self.period
            time.sleep(0.001)
        self.file.close()


def write_config(folder, include):
    path = os.path.join(folder, "agent.yaml")
    with open(path, "w") as f:
        f.write(f"""data_dir: {folder}/data
web: {{enabled: false}}
sources:
  logs: {{type: file, include: ["{folder}/logs/{include}"]}}
sinks:
  out:
    type: file
    inputs: [logs]
    path: {folder}/out.log
    encoding: {{codec: raw_message}}
""")
    return path


def check(out_path, written):
    """(lost, repeated, disorder) of the arrived lines."""
    seen = bytearray(written)
    repeated = disorder = 0
    highest = -1
    with open(out_path, "rb") as f:
        for line in f:
            if len(line) != 100:  # torn by a kill in the middle of a write; repeated after it
                continue
            n = int(line[:10])
            if seen[n]:
                repeated += 1
                continue
            seen[n] = 1
            if n < highest:
                disorder += 1
            highest = max(highest, n)
    return seen.count(0), repeated, disorder


def wait_until_delivered(out_path, last, seconds):
    """The last line is in the file, or time is up."""
    want = (LINE % last).encode()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with open(out_path, "rb") as f:
                f.seek(max(0, os.path.getsize(out_path) - 100 * 1000))
                if want in f.read():
                    return
        except FileNotFoundError:
            pass
        time.sleep(0.1)


def run(agent, mode, include, seconds, rate, keep_folder):
    folder = tempfile.mkdtemp(prefix="millrace-fire-")
    os.mkdir(os.path.join(folder, "logs"))
    config = write_config(folder, include)
    stderr = open(os.path.join(folder, "agent.stderr"), "ab")

    def start():
        return subprocess.Popen([agent, "run", "--config", config], stdout=stderr, stderr=stderr)

    chance = random.Random(42)
    out_path = os.path.join(folder, "out.log")
    # The first start is before the first line: what lay there before is not the agent's to read.
    process = start()
    deadline = time.monotonic() + 30
    while not os.path.exists(os.path.join(folder, "data/sources/logs/checkpoints")):
        if time.monotonic() > deadline or process.poll() is not None:
            print(open(stderr.name).read())
            sys.exit("the agent does not start")
        time.sleep(0.01)
    writer = Writer(os.path.join(folder, "logs"), mode, rate, period=0.7, keep=6)
    writer.start()
    kills = 0
    end = time.monotonic() + seconds
    try:
        while True:
            up = chance.uniform(3.5, 5.5)
            if time.monotonic() + up > end:
                break
            time.sleep(up)
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            time.sleep(chance.uniform(1, 2))
            process = start()
        time.sleep(max(0, end - time.monotonic()))
        writer.finish.set()
        writer.join()
        wait_until_delivered(out_path, writer.written - 1, 60)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    finally:
        writer.finish.set()
        if process.poll() is None:
            process.kill()
            process.wait()
    lost, repeated, disorder = check(out_path, writer.written)
    allowed = kills * (BATCH_BYTES // 100 + 1)
    good = lost == 0 and disorder == 0 and repeated <= allowed
    print(f"{'ok  ' if good else 'FAIL'} mode={mode} include={include} written={writer.written} "
          f"rotations={writer.rotations} kills={kills} lost={lost} repeated={repeated} "
          f"(allowed {allowed}) disorder={disorder}" + ("" if good else f"  kept: {folder}"),
          flush=True)
    if good and not keep_folder:
        shutil.rmtree(folder)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agent", required=True)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--mode", choices=["rename", "copytruncate", "both"], default="both")
    parser.add_argument("--include", choices=["app.log", "app.log*", "both"], default="both")
    parser.add_argument("--rate", type=int, default=20000)
    parser.add_argument("--keep", action="store_true", help="keep the folder of a good run too")
    args = parser.parse_args()
    modes = ["rename", "copytruncate"] if args.mode == "both" else [args.mode]
    includes = ["app.log", "app.log*"] if args.include == "both" else [args.include]
    good = [run(args.agent, m, i, args.seconds, args.rate, args.keep)
            for m in modes for i in includes]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
