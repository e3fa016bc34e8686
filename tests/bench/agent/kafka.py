#!/usr/bin/env python3
"""J4 and J5 of the agent: tail -> Kafka (zstd), and Kafka -> JSON -> Elasticsearch _bulk.

  kafka.py j4|j5|j5-null FILE [--runs R] [--sink JSON] [--source JSON]

FILE holds one event a line (j5: JSON objects; it is loaded into the topic by an agent first). Prints wall
time, CPU seconds (user + system, all threads) per million lines and peak RSS from the process's start to
the last confirmation. The broker and the search node are those of tests/servers. j5-null has no sink."""
import argparse
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../../integration/kafka")
from million_lines import SearchNode  # noqa: E402
from support import Agent, Broker, Folder, kafka_sink, kafka_source, wait_for  # noqa: E402


def tail_to_kafka(folder, broker, name, file, topic, sink):
    return Agent(folder, name, {
        "sources": {"in": {"type": "file", "include": [file], "read_from": "beginning"}},
        "sinks": {"out": {**kafka_sink(broker.address(), topic, ["in"]), **sink}}})


def measure(agent, lines, what):
    began = time.monotonic()
    wait_for("all lines", lambda: agent.metric("component_sent_events_total", component_id="out") == lines, 600)
    wall = time.monotonic() - began
    pid = agent.process.pid
    fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    tick = os.sysconf("SC_CLK_TCK")
    user, system = int(fields[11]) / tick, int(fields[12]) / tick
    rss = int(re.search(r"VmHWM:\s+(\d+)", open("/proc/%d/status" % pid).read()).group(1)) / 1024
    million = lines / 1e6
    print("%s: wall %.1f s, CPU %.2f s per million (user %.2f, system %.2f), peak RSS %.0f MB"
          % (what, wall, (user + system) / million, user / million, system / million, rss), flush=True)
    assert agent.stop() == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=["j4", "j5", "j5-null"])
    parser.add_argument("file", type=os.path.abspath)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sink", type=json.loads, default={})
    parser.add_argument("--source", type=json.loads, default={})
    a = parser.parse_args()
    with open(a.file, "rb") as f:
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: f.read(1 << 20), b""))
    with Folder() as folder:
        broker, search = Broker(folder), None
        try:
            if a.job != "j4":
                # A file is one stream, and so one partition, unless told otherwise.
                loader = tail_to_kafka(folder, broker, "loader", a.file, "j5", {"partition_by": "random"})
                wait_for("the topic is loaded", lambda: loader.metric("component_sent_events_total", component_id="out") == lines, 600)
                loader.stop()
            if a.job == "j5":
                search = SearchNode("es9")
            for run in range(a.runs):
                if a.job == "j4":
                    agent = tail_to_kafka(folder, broker, "j4-%d" % run, a.file, "j4-%d" % run, a.sink)
                else:
                    out = {"type": "blackhole", "inputs": ["parsed"]} if search is None else {
                        "type": "elasticsearch", "inputs": ["parsed"], "bulk": {"index": "j5-%d" % run},
                        "endpoints": ["http://127.0.0.1:%d" % search.port]}
                    agent = Agent(folder, "j5-%d" % run, {
                        "sources": {"in": {**kafka_source(broker.address(), "g%d" % run, ["j5"]), **a.source}},
                        "transforms": {"parsed": {"type": "json", "inputs": ["in"]}},
                        "sinks": {"out": {**out, **a.sink}}})
                measure(agent, lines, "%s run %d" % (a.job, run + 1))
        finally:
            broker.stop()
            if search is not None:
                search.remove()


if __name__ == "__main__":
    main()
