#!/usr/bin/env python3
"""run.py [TEST...]: agents against a real Kafka broker. Without arguments all tests.

Needs a JDK (17 or newer) and Maven; the jars come from Maven Central (tests/servers/kafka-server).
"""
import os
import subprocess
import sys
import time

from support import (TOP, Agent, Broker, Folder, kafka_sink, kafka_source, log, numbers_in, validate, wait_for,
                     write_lines)


def producer(folder, broker, topic, name="producer", sink=None):
    return Agent(folder, name, {
        "sources": {"in": {"type": "file", "include": [folder + "/in-*.log"], "read_from": "beginning"}},
        "sinks": {"out": kafka_sink(broker.address(), topic, ["in"], **(sink or {}))}})


def consumer(folder, broker, topics, name, source=None, out=None):
    out = out or folder + "/out"
    os.makedirs(out, exist_ok=True)
    return Agent(folder, name, {
        "sources": {"in": kafka_source(broker.address(), "g", topics, **(source or {}))},
        "sinks": {"out": {"type": "file", "inputs": ["in"], "path": "%s/%s.ndjson" % (out, name),
                          "encoding": {"codec": "json"}}}})


def check_counts(counts, total, exactly_once):
    missing = [n for n in range(total) if n not in counts]
    assert not missing, "%d of %d are missing, the first is %d" % (len(missing), total, missing[0])
    repeated = sum(1 for c in counts.values() if c > 1)
    assert not (exactly_once and repeated), "%d are there more than once" % repeated
    return repeated


def test_two_members_share_and_hand_over(broker, folder):
    """A second member joins under load, the first leaves: nothing lost, nothing twice."""
    total = 60000
    write_lines(folder + "/in", 0, total // 2)
    out = producer(folder, broker, "hand-over")
    first = consumer(folder, broker, ["^hand-ov.*"], "first")
    wait_for("the first member reads", lambda: (first.metric("component_sent_events_total", component_id="out") or 0) > 1000)
    second = consumer(folder, broker, ["^hand-ov.*"], "second")
    wait_for("the second member has partitions", lambda: (second.metric("kafka_assigned_partitions") or 0) >= 1)
    write_lines(folder + "/in", total // 2, total // 2)
    wait_for("the second member reads", lambda: (second.metric("component_sent_events_total", component_id="out") or 0) > 100)
    assert first.stop() == 0
    wait_for("the second member has all partitions", lambda: second.metric("kafka_assigned_partitions") == 4)
    wait_for("all lines", lambda: len(numbers_in(folder + "/out")) == total)
    wait_for("no lag", lambda: second.metric("kafka_consumer_lag_messages") == 0)
    assert out.stop() == 0 and second.stop() == 0
    check_counts(numbers_in(folder + "/out"), total, exactly_once=True)
    assert broker.lag("g") == 0


def test_killed_members_and_broker_lose_nothing(broker, folder):
    """kill -9 of the producing and of a consuming agent and of the broker, under load."""
    total, step = 120000, 20000
    out = producer(folder, broker, "kills")
    members = [consumer(folder, broker, ["kills"], "member%d" % i, {"session_timeout_ms": 6000}) for i in range(2)]
    for i in range(0, total, step):
        write_lines(folder + "/in", i, step)
        wait_for("something arrives", lambda: len(numbers_in_if_whole(folder + "/out")) > i)
        if i == step:
            out.kill9()
            out.start()
        if i == 2 * step:
            members[0].kill9()
            members[0].start()
        if i == 3 * step:
            broker.restart()
        if i == 4 * step:
            out.kill9()
            members[1].kill9()
            members[1].start()
            out.start()
    wait_for("all lines", lambda: len(numbers_in_if_whole(folder + "/out")) == total, 240)
    for agent in [out, *members]:
        assert agent.stop() == 0, agent.name
    repeated = check_counts(numbers_in(folder + "/out"), total, exactly_once=False)
    log("%d lines of %d arrived more than once after the kills" % (repeated, total))
    assert broker.lag("g") == 0


def numbers_in_if_whole(folder):
    try:
        return numbers_in(folder)
    except ValueError:  # Half a line, being written.
        return {}


def test_broker_away_is_said_once_and_survived(broker, folder):
    write_lines(folder + "/in", 0, 1000)
    out = producer(folder, broker, "away")
    wait_for("delivery", lambda: out.metric("component_sent_events_total", component_id="out") == 1000)
    broker.kill()
    write_lines(folder + "/in", 1000, 1000)
    wait_for("it is said", lambda: "No Kafka broker can be reached" in out.log_text())
    time.sleep(3)  # Long enough for a second line, were it written at each attempt.
    assert out.log_text().count("No Kafka broker can be reached") == 1, out.log_text()
    broker.start_again()
    wait_for("delivery goes on", lambda: out.metric("component_sent_events_total", component_id="out") == 2000)
    assert "Kafka works again" in out.log_text()
    assert out.stop() == 0


def test_too_large_for_the_topic(broker, folder):
    """The topic's limit is below ours: batches are cut, what is too large alone is buried."""
    broker.topics("--create", "--topic", "small", "--partitions", "1", "--config", "max.message.bytes=20000")
    import random
    letters = random.Random(1)
    with open(folder + "/in-0.log", "w") as f:
        for n in range(200):
            size = 50000 if n == 77 else 1000
            f.write("%d %s\n" % (n, "".join(letters.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=size))))
    out = producer(folder, broker, "small", sink={"compression": "none"})
    wait_for("all but one", lambda: out.metric("component_sent_events_total", component_id="out") == 199)
    wait_for("one is buried", lambda: out.metric("component_discarded_events_total", component_id="out") == 1)
    assert out.stop() == 0
    with open(folder + "/data-producer/sinks/out/dead_letter.ndjson") as f:
        dead = f.readlines()
    assert len(dead) == 1 and '"reason":"too_large"' in dead[0] and '"message":"77 ' in dead[0]


def test_tls_and_sasl(broker, folder):
    """TLS with the right and the wrong authority, PLAIN over TLS, SCRAM with a newer librdkafka."""
    tls = {"enabled": True, "ca_file": broker.home + "/tls/ca.crt"}
    plain = {"enabled": True, "mechanism": "PLAIN", "username": "tester", "password": "tester-secret"}
    write_lines(folder + "/in", 0, 100)

    def run(name, port, sink, environment=None):
        config = {"sources": {"in": {"type": "file", "include": [folder + "/in-*.log"], "read_from": "beginning"}},
                  "sinks": {"out": kafka_sink(broker.address(port), "secure", ["in"], **sink)}}
        return Agent(folder, name, config, environment), config

    delivered = lambda a: lambda: a.metric("component_sent_events_total", component_id="out") == 100
    for name, port, sink in [("tls", 2, {"tls": tls}), ("plain", 4, {"tls": tls, "sasl": plain})]:
        agent, _ = run(name, port, sink)
        wait_for(name + " delivers", delivered(agent))
        assert agent.stop() == 0

    wrong = folder + "/wrong.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=another",
                    "-keyout", folder + "/wrong.key", "-out", wrong], check=True, capture_output=True)
    agent, _ = run("wrong-ca", 2, {"tls": {"enabled": True, "ca_file": wrong}})
    wait_for("the wrong authority is said", lambda: "Kafka refuses the connection" in agent.log_text())
    assert "certificate" in agent.log_text(), agent.log_text()
    agent.kill9()
    agent, _ = run("wrong-password", 4, {"tls": tls, "sasl": dict(plain, password="wrong")})
    wait_for("the wrong password is said", lambda: "Kafka refuses the connection" in agent.log_text())
    assert agent.metric("component_sent_events_total", component_id="out") == 0
    agent.kill9()

    scram = {"tls": tls, "sasl": dict(plain, mechanism="SCRAM-SHA-512")}
    got = subprocess.run([TOP + "/tests/servers/librdkafka-new"], capture_output=True, text=True, cwd=TOP)
    assert got.returncode == 0, got.stderr
    newer = {"MILLRACE_LIBRDKAFKA": got.stdout.strip()}
    agent, config = run("scram", 4, scram, newer)
    wait_for("SCRAM delivers with a newer librdkafka", delivered(agent))
    assert agent.stop() == 0 and "cannot log in" not in agent.log_text()
    text = validate(folder, config, {"MILLRACE_LIBRDKAFKA": ""})
    if "cannot log in to Kafka 4 with SCRAM" not in text.stderr:
        # Only a system whose own librdkafka is new enough may stay silent.
        agent, _ = run("scram-system", 4, scram)
        wait_for("SCRAM delivers with the system's librdkafka", delivered(agent))
        assert agent.stop() == 0


BROKERS = {test_tls_and_sasl: ("--tls", "--sasl")}
TESTS = [f for name, f in list(globals().items()) if name.startswith("test_")]


def main():
    wanted = sys.argv[1:]
    for test in TESTS:
        if wanted and test.__name__ not in wanted:
            continue
        log(test.__name__)
        began = time.monotonic()
        with Folder() as folder:
            broker = Broker(folder, *BROKERS.get(test, ()))
            agents = []
            make = Agent.__init__

            def remember(self, *arguments, **named):
                agents.append(self)
                make(self, *arguments, **named)

            Agent.__init__ = remember
            try:
                test(broker, folder)
            finally:
                Agent.__init__ = make
                for agent in agents:
                    if agent.process is not None and agent.process.poll() is None:
                        agent.kill9()
                broker.stop()
        log("%s: passed in %.0f s" % (test.__name__, time.monotonic() - began))


if __name__ == "__main__":
    main()
