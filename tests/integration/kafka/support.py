"""Real brokers, real agents: what the Kafka integration tests share. Plain Python, no packages."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
AGENT = os.environ.get("MILLRACE_AGENT", TOP + "/build/release/bin/millrace-agent")
SKIPPED = 77  # what ctest takes for "skipped"


def log(text):
    print("[%s] %s" % (time.strftime("%H:%M:%S"), text), flush=True)


def skip(why):
    print("\n*** SKIPPED: %s ***\n" % why, flush=True)
    sys.exit(SKIPPED)


next_port = 24500 + os.getpid() % 37 * 100


def free_port_base(count):
    """The first of `count` ports in a row that nobody listens on, different at each call. Not in the
    ephemeral range, where the kernel might give one of them to somebody else meanwhile."""
    global next_port
    for base in range(next_port, 32000, 10):
        next_port = base + 10
        sockets = []
        try:
            for port in range(base, base + count):
                s = socket.socket()
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
                sockets.append(s)
            return base
        except OSError:
            continue
        finally:
            for s in sockets:
                s.close()
    raise RuntimeError("no free ports")


def wait_for(what, condition, limit=120.0):
    """Polls until condition() is true and returns that; fails after `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %.0f s: %s" % (limit, what))
        time.sleep(0.1)


class Folder:
    """A temporary folder; kept when the test failed, for its logs."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="millrace-kafka-")
        return self.path

    def __exit__(self, kind, *_):
        if kind is None:
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            log("logs are kept in " + self.path)


class Broker:
    """One Kafka broker. The jars are kept in .servers between runs."""

    def __init__(self, folder, *options, partitions=4):
        self.script = TOP + "/tests/servers/kafka-server"
        self.port = free_port_base(5)
        home = folder + "/broker"
        os.makedirs(home)
        store = os.environ.get("MILLRACE_SERVERS", TOP + "/.servers") + "/kafka"
        self.environment = dict(os.environ, KAFKA_HOME_DIR=store)
        if not shutil.which("java") or not shutil.which("mvn"):
            skip("the Kafka tests need a JDK and Maven (Debian: openjdk-17-jdk-headless maven)")
        installed = subprocess.run([self.script, "install"], env=self.environment, capture_output=True, text=True)
        if installed.returncode != 0:
            skip("Kafka cannot be had from Maven Central:\n" + installed.stderr)
        # Data and certificates of its own, the jars shared.
        for name in os.listdir(store):
            if name.startswith("libs-"):
                os.symlink(store + "/" + name, home + "/" + name)
        self.environment["KAFKA_HOME_DIR"] = self.home = home
        self._run("start", str(self.port), "--auto-create", "--partitions", str(partitions), "--heap", "512m", *options)
        self._run("wait", "180")

    def _run(self, *arguments):
        done = subprocess.run([self.script, *arguments], env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError("kafka-server %s: %s" % (" ".join(arguments), done.stderr))
        return done.stdout

    def address(self, offset=0):
        return "127.0.0.1:%d" % (self.port + offset)

    def restart(self):
        self._run("kill", "1")
        self._run("start-node", "1")
        self._run("wait", "180")

    def kill(self):
        self._run("kill", "1")

    def start_again(self):
        self._run("start-node", "1")
        self._run("wait", "180")

    def topics(self, *arguments):
        return self._run("topics", *arguments)

    def lag(self, group):
        """Messages of the group's partitions that are not committed; None before it has any."""
        total = 0
        lines = self._run("consumer-groups", "--describe", "--group", group).splitlines()
        rows = [line.split() for line in lines if line.startswith(group + " ")]
        for row in rows:
            if row[5] == "-":
                return None
            total += int(row[5])
        return total if rows else None

    def stop(self):
        subprocess.run([self.script, "stop"], env=self.environment, capture_output=True)


class Agent:
    """An agent process. `config` is its configuration as a dict (JSON is YAML)."""

    def __init__(self, folder, name, config, environment=None):
        self.name, self.folder = name, folder
        self.port = free_port_base(1)
        config = dict(config)
        config["data_dir"] = folder + "/data-" + name
        config["web"] = {"listen_addresses": ["127.0.0.1:%d" % self.port]}
        self.file = "%s/%s.yaml" % (folder, name)
        with open(self.file, "w") as f:
            json.dump(config, f, indent=1)
        self.environment = dict(os.environ, **(environment or {}))
        self.process = None
        self.start()

    def start(self):
        with open("%s/%s.log" % (self.folder, self.name), "ab") as f:
            self.process = subprocess.Popen([AGENT, "run", "--config", self.file], stdout=f, stderr=f, env=self.environment)

    def kill9(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, limit=90):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(limit)

    def log_text(self):
        with open("%s/%s.log" % (self.folder, self.name)) as f:
            return f.read()

    def metric(self, name, **labels):
        """Sum of the series of that name with these labels; None while it does not answer."""
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % self.port, timeout=10) as reply:
                text = reply.read().decode()
        except OSError:
            return None
        total, found = 0.0, False
        for line in text.splitlines():
            if line.startswith("millrace_" + name + "{") and all('%s="%s"' % kv in line for kv in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
                found = True
        return total if found else None


def validate(folder, config, environment=None):
    file = folder + "/validate.yaml"
    with open(file, "w") as f:
        json.dump(config, f)
    return subprocess.run([AGENT, "validate", "--config", file], capture_output=True, text=True,
                          env=dict(os.environ, **(environment or {})))


def kafka_source(broker, group, topics, **more):
    return {"type": "kafka", "bootstrap_servers": broker, "group_id": group, "topics": topics,
            "auto_offset_reset": "earliest", "commit_interval_ms": 200, **more}


def kafka_sink(broker, topic, inputs, **more):
    return {"type": "kafka", "bootstrap_servers": broker, "topic": topic, "inputs": inputs,
            "encoding": {"codec": "raw_message"}, "compression": "zstd", **more}


def write_lines(path, first, count, files=4):
    """JSON lines {"n": ...} over several files: `path`-0.log, ..."""
    out = [open("%s-%d.log" % (path, i), "a") for i in range(files)]
    for n in range(first, first + count):
        out[n % files].write('{"n":%d,"text":"a line of a log, number %d, of some length as lines have"}\n' % (n, n))
    for f in out:
        f.close()


def numbers_in(folder):
    """Counts of the "n" of all events in the files of a folder."""
    counts = {}
    for name in os.listdir(folder):
        with open(folder + "/" + name) as f:
            for line in f:
                n = json.loads(json.loads(line)["message"])["n"]
                counts[n] = counts.get(n, 0) + 1
    return counts
