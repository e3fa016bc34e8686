#!/usr/bin/env python3
"""Measures millrace-agent beside its peers in one run. Delivery is judged from outside: by lines in the
output file, for J1 (no output) by the position of the file descriptor and then silence.

  bench.py run  [--peers a,b] [--jobs J1,J2,J3] [--lines N] [--runs R]   CPU seconds per million lines, wall time, peak RSS
  bench.py lat  [--peers a,b]                                           latency of a trickle of 20 lines/s
  bench.py idle [--peers a,b] [--files K] [--seconds S]                 RSS and CPU over quiet files

Prints a Markdown table with ratios to millrace; --out appends each run as JSON."""
import argparse
import glob
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import inputs
import peers

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    text = open("/proc/%d/stat" % pid).read()
    fields = text[text.rindex(")") + 2:].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def status(pid, key):
    match = re.search(r"^%s:\s+(\d+)" % key, open("/proc/%d/status" % pid).read(), re.M)
    return int(match.group(1)) if match else 0


def file_position(pid, path):
    best = -1
    for fd in glob.glob("/proc/%d/fd/*" % pid):
        try:
            if os.readlink(fd) == path:
                best = max(best, int(open(fd.replace("/fd/", "/fdinfo/")).readline().split()[1]))
        except OSError:
            pass
    return best


class LineCounter:
    """Counts the lines of a growing file without reading anything twice."""

    def __init__(self, path):
        self.path, self.offset, self.lines = path, 0, 0

    def count(self):
        try:
            with open(self.path, "rb", buffering=0) as f:
                f.seek(self.offset)
                while block := f.read(1 << 20):
                    self.lines += block.count(b"\n")
                    self.offset += len(block)
        except OSError:
            pass
        return self.lines


class Program:
    def __init__(self, name, job, source):
        self.work = tempfile.mkdtemp(prefix="bench-%s-" % name, dir=WORK)
        made = peers.PEERS[name](job, self.work, source)
        self.out = made[1] if made else None
        self.process = None
        if made:
            log = open(self.work + "/log", "ab")
            self.process = subprocess.Popen(made[0], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
            self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.work, ignore_errors=True)


def measure(name, job, source, lines, timeout=300):
    size = os.path.getsize(source)
    start = time.monotonic()
    with Program(name, job, source) as p:
        if p.process is None:
            return None
        result = {"peer": name, "job": job, "lines": lines}
        counter = LineCounter(p.out)
        last_size, last_cpu, changed, done = -1, 0.0, start, None
        while time.monotonic() - start < timeout and done is None:
            time.sleep(0.02)
            if p.process.poll() is not None:
                result["error"] = "exited with %d: %s" % (p.process.returncode, open(p.work + "/log").read()[-500:])
                return result
            now = time.monotonic()
            if job == "J1":
                cpu = cpu_seconds(p.pid)
                if cpu > last_cpu + 0.011:
                    last_cpu, changed = cpu, now
                elif now - changed > 1.0 and file_position(p.pid, source) in (size, -1) and cpu > 0:
                    done = changed
            else:
                written = os.path.getsize(p.out) if os.path.exists(p.out) else 0
                if written != last_size:
                    last_size, changed = written, now
                elif now - changed > 0.5 and written > 0 and counter.count() >= lines:
                    done = changed
        if done is None:
            result["error"] = "timeout after %d lines" % counter.count()
            return result
        result.update(wall=round(done - start, 3), cpu=round(cpu_seconds(p.pid) / lines * 1e6, 3), rss=round(status(p.pid, "VmHWM") / 1024, 1))
        return result


def unpack_debian_peers():
    """rsyslog and syslog-ng conflict in apt: unpacked side by side instead."""
    for variable, packages, name in (("RSYSLOG_ROOT", ["rsyslog", "libestr0", "libfastjson4", "liblognorm5"], "rsyslog"),
                                     ("SYSLOGNG_ROOT", ["syslog-ng-core", "libivykis0", "libnet1", "libpcre3"], "syslog-ng")):
        if variable in os.environ:
            continue
        root = os.path.join(CACHE, name)
        if not os.path.isdir(root + "/usr"):
            folder = os.path.join(CACHE, name + "-debs")
            os.makedirs(folder, exist_ok=True)
            for package in packages:
                subprocess.run(["apt-get", "download", package], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for deb in glob.glob(folder + "/*.deb"):
                subprocess.run(["dpkg", "-x", deb, root], check=True)
        os.environ[variable] = root


def table(rows, jobs, names, keys):
    print("\n| job | program | " + " | ".join(k for k, _ in keys) + " | ratio of CPU |\n| --- | --- |" + " --- |" * (len(keys) + 1))
    for job in jobs:
        best = {}
        for name in names:
            mine = [r for r in rows if r["job"] == job and r["peer"] == name and "error" not in r]
            if mine:
                best[name] = {k: min(r[k] for r in mine) if k != "rss" else statistics.median(r[k] for r in mine) for _, k in keys}
        for name, values in best.items():
            ratio = "%.1f" % (values["cpu"] / best["millrace"]["cpu"]) if "millrace" in best and best["millrace"]["cpu"] else ""
            print("| %s | %s | %s | %s |" % (job, name, " | ".join(str(values[k]) for _, k in keys), ratio))


def command_run(args):
    rows = []
    for job in args.jobs:
        source = os.path.join(DATA, peers.INPUT[job])
        for _ in range(args.runs):
            for name in args.peers:
                row = measure(name, job, source, args.lines)
                if row is None:
                    continue
                rows.append(row)
                if "error" in row:
                    print("%s %s: %s" % (job, name, row["error"]), file=sys.stderr)
                if args.out:
                    with open(args.out, "a") as f:
                        f.write(json.dumps(row) + "\n")
    table(rows, args.jobs, args.peers, [("CPU s per million lines", "cpu"), ("wall s", "wall"), ("peak RSS MB", "rss")])
    return 1 if any("error" in r and r["peer"] == "millrace" for r in rows) else 0


def command_lat(args):
    lines = open(os.path.join(DATA, "access.log")).read(200000).split("\n")[:201]
    print("| program | lines | p50 ms | p99 ms | max ms |\n| --- | --- | --- | --- | --- |")
    for name in args.peers:
        folder = tempfile.mkdtemp(dir=WORK)
        source = folder + "/in.log"
        with open(source, "a", buffering=1) as f:
            f.write(lines[0] + "\n")
            with Program(name, "J2", source) as p:
                counter = LineCounter(p.out)
                deadline = time.monotonic() + 20
                while counter.count() < 1 and time.monotonic() < deadline:
                    time.sleep(0.05)
                time.sleep(2)
                sent, latency = [], []
                due = start = time.monotonic()
                while len(latency) < 199 and time.monotonic() - start < 40:
                    now = time.monotonic()
                    if len(sent) < 199 and now >= due:
                        f.write(lines[len(sent) + 1] + "\n")
                        sent.append(time.monotonic())
                        due += 0.05
                    arrived = counter.count() - 1
                    while len(latency) < arrived:
                        latency.append((time.monotonic() - sent[len(latency)]) * 1000)
                    time.sleep(0.0001)
        latency.sort()
        if latency:
            print("| %s | %d | %.2f | %.2f | %.2f |" % (name, len(latency), latency[len(latency) // 2], latency[int(len(latency) * .99)], latency[-1]))
    return 0


def command_idle(args):
    folder = tempfile.mkdtemp(dir=WORK)
    lines = open(os.path.join(DATA, "access.log")).read(4000000).split("\n")
    for i in range(args.files):
        with open("%s/f%05d.log" % (folder, i), "w") as f:
            f.write("\n".join(lines[i % 500 * 20:i % 500 * 20 + 20]) + "\n")
    print("| program | files | RSS MB | CPU % of a core | threads | descriptors |\n| --- | --- | --- | --- | --- | --- |")
    for name in args.peers:
        if name == "syslog-ng" and args.files > 1:
            continue  # its file() takes no pattern
        with Program(name, "J2", folder + "/*.log") as p:
            time.sleep(10)
            before, start = cpu_seconds(p.pid), time.monotonic()
            time.sleep(args.seconds)
            share = 100 * (cpu_seconds(p.pid) - before) / (time.monotonic() - start)
            print("| %s | %d | %.1f | %.2f | %d | %d |" % (name, args.files, status(p.pid, "VmRSS") / 1024, share, status(p.pid, "Threads"),
                                                       len(os.listdir("/proc/%d/fd" % p.pid))))
    return 0


def main():
    global WORK, DATA, CACHE
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["run", "lat", "idle"])
    parser.add_argument("--peers", default="millrace,rsyslog,syslog-ng,vector,fluent-bit")
    parser.add_argument("--jobs", default="J1,J2,J3")
    parser.add_argument("--lines", type=int, default=1000000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--cache", default=os.path.join(peers.TOP, "build/bench"), help="inputs, unpacked peers and work files")
    parser.add_argument("--out", help="append every run as a line of JSON")
    args = parser.parse_args()
    CACHE, DATA, WORK = args.cache, args.cache + "/data", args.cache + "/work"
    for folder in (CACHE, DATA, WORK):
        os.makedirs(folder, exist_ok=True)
    args.jobs = args.jobs.split(",")
    inputs.ensure(args.lines, DATA)
    wanted = args.peers.split(",")
    if {"rsyslog", "syslog-ng"} & set(wanted):
        unpack_debian_peers()
    args.peers = []
    for name in wanted:
        why = peers.available(name)
        if why:
            print("skipped: %s (%s)" % (name, why), file=sys.stderr)
        else:
            args.peers.append(name)
    return {"run": command_run, "lat": command_lat, "idle": command_idle}[args.command](args)


if __name__ == "__main__":
    sys.exit(main())
