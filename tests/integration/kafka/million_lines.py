#!/usr/bin/env python3
"""million_lines.py [COUNT] [FLAVOR]: file -> Kafka -> two members of one group -> search index.

COUNT lines (1,000,000) are written to four files that are rotated all the while. Underway each agent is
killed with SIGKILL and started again, the broker and the search node are restarted, and partitions move
between the members. At the end every line is in the index exactly once. FLAVOR: es9 (default), es8, os3.
"""
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

from support import TOP, Agent, Broker, Folder, free_port_base, kafka_sink, kafka_source, log, skip, wait_for

INDEX = "lines"
KEPT = 200  # Rotated files of each log; far more than there will be: everything stays on disk.


class SearchNode:
    def __init__(self, flavor):
        self.script = TOP + "/tests/servers/search-server"
        self.port = free_port_base(2)
        store = os.environ.get("MILLRACE_SERVERS", TOP + "/.servers") + "/search"
        self.environment = dict(os.environ, SEARCH_DIR=store, SEARCH_FLAVOR=flavor, SEARCH_HEAP="1g")
        installed = self._call("install")
        if installed.returncode != 0:
            skip("the search server cannot be had: " + installed.stderr)
        self.start()
        mapping = {"settings": {"number_of_shards": 2, "number_of_replicas": 0, "refresh_interval": "1s"},
                   "mappings": {"dynamic": False, "properties": {"n": {"type": "long"}}}}
        self.request("PUT", "/" + INDEX, mapping)

    def _call(self, *arguments):
        return subprocess.run([self.script, *arguments], env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)

    def start(self):
        for command in ("start", "wait"):
            done = self._call(command, str(self.port))
            assert done.returncode == 0, done.stderr

    def restart(self):
        self.stop()
        self.environment["SEARCH_KEEP"] = "1"
        self.start()

    def stop(self):
        self._call("stop", str(self.port))

    def remove(self):
        self.stop()
        for name in os.listdir(self.environment["SEARCH_DIR"]):
            if name.startswith("node-") and name.endswith("-%d" % self.port):
                shutil.rmtree(self.environment["SEARCH_DIR"] + "/" + name, ignore_errors=True)

    def request(self, method, path, body=None):
        call = urllib.request.Request("http://127.0.0.1:%d%s" % (self.port, path), method=method,
                                      data=None if body is None else json.dumps(body).encode(),
                                      headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(call, timeout=60) as reply:
            return json.loads(reply.read())

    def count(self):
        try:
            return self.request("GET", "/%s/_count" % INDEX)["count"]
        except (OSError, ValueError):
            return -1

    def check_every_number_once(self, total):
        """Reads all numbers back, 5,000 at a time."""
        step = 5000
        self.request("POST", "/%s/_refresh" % INDEX)
        for first in range(0, total, step):
            last = min(total, first + step)
            answer = self.request("POST", "/%s/_search" % INDEX, {
                "query": {"range": {"n": {"gte": first, "lt": last}}}, "size": 10000, "sort": ["n"],
                "_source": False, "docvalue_fields": ["n"]})
            numbers = [hit["fields"]["n"][0] for hit in answer["hits"]["hits"]]
            assert numbers == list(range(first, last)), "wrong between %d and %d" % (first, last)


class Writer(threading.Thread):
    """Writes numbered lines over four logs and renames each log every second or so."""

    def __init__(self, folder, total, per_second):
        super().__init__(daemon=True)
        self.folder, self.total, self.per_second, self.written = folder, total, per_second, 0

    def run(self):
        logs = [open("%s/app-%d.log" % (self.folder, i), "a") for i in range(4)]
        turn, step, began, rotated = 0, 500, time.monotonic(), time.monotonic()
        while self.written < self.total:
            last = min(self.total, self.written + step)
            logs[turn % 4].write("".join(
                '{"n":%d,"level":"info","service":"checkout","message":"request %d of the day was served",'
                '"path":"/api/v1/orders/%d","status":200,"latency_ms":%d}\n' % (n, n, n % 9973, n % 500)
                for n in range(self.written, last)))
            logs[turn % 4].flush()
            self.written, turn = last, turn + 1
            if time.monotonic() - rotated > 0.3:
                self.rotate(logs, turn % 4)
                rotated = time.monotonic()
            ahead = self.written / self.per_second - (time.monotonic() - began)
            if ahead > 0:
                time.sleep(ahead)

    def rotate(self, logs, i):
        name = "%s/app-%d.log" % (self.folder, i)
        logs[i].close()
        for k in range(KEPT, 0, -1):
            if os.path.exists("%s.%d" % (name, k)):
                os.rename("%s.%d" % (name, k), "%s.%d" % (name, k + 1))
        os.rename(name, name + ".1")
        logs[i] = open(name, "a")


def main():
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
    flavor = sys.argv[2] if len(sys.argv) > 2 else "es9"
    with Folder() as folder:
        os.makedirs(folder + "/logs")
        broker, agents, search = Broker(folder), [], None
        try:
            search = SearchNode(flavor)
            run(folder, broker, search, agents, total)
        finally:
            for agent in agents:
                if agent.process.poll() is None:
                    agent.kill9()
            broker.stop()
            if search is not None:
                search.remove()


def run(folder, broker, search, agents, total):
    tail = Agent(folder, "tail", {
        "sources": {"in": {"type": "file", "include": [folder + "/logs/app-*.log"], "read_from": "beginning"}},
        "sinks": {"out": kafka_sink(broker.address(), "app-logs", ["in"])}})
    agents.append(tail)

    def member(name):
        return Agent(folder, name, {
            "sources": {"in": kafka_source(broker.address(), "indexers", ["app-logs"], session_timeout_ms=6000)},
            "transforms": {"parsed": {"type": "json", "inputs": ["in"]}},
            "sinks": {"out": {"type": "elasticsearch", "inputs": ["parsed"], "bulk": {"index": INDEX},
                              "endpoints": ["http://127.0.0.1:%d" % search.port],
                              "batch": {"timeout_secs": 1}}}})

    members = [member("member-0"), member("member-1")]
    agents.extend(members)
    began = time.monotonic()
    # Slow enough that every fault happens under load.
    writer = Writer(folder + "/logs", total, per_second=max(2000, total / 90))
    writer.start()

    def kill(agent, down):
        agent.kill9()
        time.sleep(down)
        agent.start()

    faults = [(0.12, "kill -9 of the tailing agent", lambda: kill(tail, 1.5)),
              (0.25, "kill -9 of member 0", lambda: kill(members[0], 1)),
              (0.38, "broker restart", broker.restart),
              (0.50, "search node restart", search.restart),
              (0.62, "member 0 leaves and comes back", lambda: (members[0].stop(), members[0].start())),
              (0.74, "kill -9 of member 1", lambda: kill(members[1], 1)),
              (0.86, "kill -9 of the tailing agent", lambda: kill(tail, 1.5))]
    for share, what, do in faults:
        wait_for("%d%% in the index before: %s" % (share * 100, what),
                 lambda s=share: search.count() >= total * s, 300)
        log("%s, with %d written and %d in the index" % (what, writer.written, search.count()))
        do()
    writer.join(300)
    assert writer.written == total
    wait_for("all %d lines in the index" % total, lambda: search.count() >= total, 300)
    log("all %d lines were there after %.0f s" % (total, time.monotonic() - began))
    time.sleep(3)  # Would something come twice, it would come now.
    assert search.count() == total, search.count()
    search.check_every_number_once(total)
    for agent in agents:
        assert agent.stop() == 0, agent.log_text()[-2000:]
    assert broker.lag("indexers") == 0
    assert search.count() == total
    for agent in agents:
        dead = "%s/data-%s/sinks/out/dead_letter.ndjson" % (folder, agent.name)
        assert not os.path.exists(dead), open(dead).read()[:2000]
    log("every line is in the index exactly once")


if __name__ == "__main__":
    main()
