"""What the search tests stand on: a real node, the agent as a process, small servers that misbehave."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
SERVER = HERE.parents[1] / 'servers' / 'search-server'
DEADLINE = 120


def until(what, done, seconds=DEADLINE):
    """Polls `done` until it gives something true, and gives that back."""
    end = time.monotonic() + seconds
    while True:
        value = done()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'not within {seconds} s: {what}')
        time.sleep(0.05)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Node:
    """One Elasticsearch or OpenSearch, started by tests/servers/search-server."""

    def __init__(self, flavor, port, work):
        self.flavor, self.port, self.work = flavor, port, work
        self.password = None

    @property
    def url(self):
        return f'http://127.0.0.1:{self.port}'

    @property
    def elasticsearch(self):
        return self.flavor.startswith('es')

    def _run(self, *args, **env):
        environment = dict(os.environ, SEARCH_DIR=self.work, SEARCH_FLAVOR=self.flavor, SEARCH_HEAP='512m', **env)
        if self.password:
            environment['SEARCH_PASSWORD'] = self.password
        done = subprocess.run([SERVER, *args], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f'search-server {" ".join(args)}: {done.stdout}')
        return done.stdout

    def install(self):
        self._run('install')

    def start(self, settings='', keep=False):
        self._run('start', str(self.port), SEARCH_SETTINGS=settings, SEARCH_KEEP='1' if keep else '0')
        self._run('wait', str(self.port), '300')

    def stop(self):
        self._run('stop', str(self.port))

    def call(self, method, path, body=None):
        """Status and parsed reply."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        headers = {'Content-Type': 'application/json'}
        if self.password:
            import base64
            headers['Authorization'] = 'Basic ' + base64.b64encode(f'elastic:{self.password}'.encode()).decode()
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            reply = connection.getresponse()
            data = reply.read()
        finally:
            connection.close()
        try:
            return reply.status, json.loads(data)
        except ValueError:
            return reply.status, data

    def count(self, index):
        if self.call('POST', f'/{index}/_refresh')[0] != 200:
            return 0
        status, reply = self.call('GET', f'/{index}/_count')
        return reply['count'] if status == 200 else 0

    def messages(self, index):
        """All values of the field `n`."""
        out, after = [], None
        self.call('POST', f'/{index}/_refresh')
        while True:
            query = {'size': 5000, 'sort': [{'n': 'asc'}], '_source': ['n']}
            if after:
                query['search_after'] = after
            status, reply = self.call('POST', f'/{index}/_search', query)
            assert status == 200, reply
            hits = reply['hits']['hits']
            if not hits:
                return out
            out += [h['_source']['n'] for h in hits]
            after = hits[-1]['sort']

    def deleted(self, index):
        return self.call('GET', f'/{index}/_stats/docs')[1]['_all']['primaries']['docs']['deleted']


class Agent:
    """millrace-agent with a file source, JSON parsing and one elasticsearch sink."""

    def __init__(self, binary, folder, sink, name='agent'):
        self.binary, self.folder, self.name = binary, pathlib.Path(folder), name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / 'in.log'
        self.stderr = self.folder / f'{name}.stderr'
        self.data = self.folder / 'data'
        self.dead = self.data / 'dead.ndjson'
        self.process = None
        self.set_sink(sink)

    def set_sink(self, sink):
        sink = {'type': 'elasticsearch', 'inputs': ['parsed'],
                'batch': {'timeout_secs': 0.2},
                'request': {'retry_initial_backoff_secs': 0.1, 'retry_max_backoff_secs': 1},
                'dead_letter': {'path': str(self.dead)}} | sink
        self.config = self.folder / 'agent.yaml'
        self.config.write_text(json.dumps({  # JSON is YAML
            'data_dir': str(self.data),
            'web': {'enabled': False},
            'sources': {'in': {'type': 'file', 'include': [str(self.log)], 'read_from': 'beginning', 'max_line_bytes': 4000000}},
            'transforms': {'parsed': {'type': 'json', 'inputs': ['in']}},
            'sinks': {'out': sink}}))

    def write(self, lines):
        with open(self.log, 'a') as f:
            f.writelines(line if isinstance(line, str) else json.dumps(line) + '\n' for line in lines)

    def start(self, **env):
        self.process = subprocess.Popen([self.binary, 'run', '--config', self.config], env=dict(os.environ, **env),
                                        stdout=subprocess.DEVNULL, stderr=open(self.stderr, 'a'))
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM; returns the exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError('the agent did not stop within 60 s')
        finally:
            self.process = None

    def said(self, text):
        return self.stderr.read_text().count(text)

    def dead_letters(self):
        if not self.dead.exists():
            return []
        return [json.loads(line) for line in self.dead.read_text().splitlines()]


class Hanging:
    """Accepts connections and never answers."""

    def __enter__(self):
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        return self

    def __exit__(self, *_):
        self.socket.close()


class TlsFront:
    """TLS in front of a plain port, with a certificate of its own authority."""

    def __init__(self, folder, target):
        self.folder, self.target = pathlib.Path(folder), target
        self.folder.mkdir(parents=True, exist_ok=True)
        run = lambda *a: subprocess.run(a, check=True, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for ca in ('ca', 'other'):
            run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', f'/CN={ca}',
                '-keyout', f'{ca}.key', '-out', f'{ca}.pem')
        (self.folder / 'ext').write_text('subjectAltName=IP:127.0.0.1,DNS:localhost\n')
        run('openssl', 'req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-keyout', 'server.key', '-out', 'server.csr')
        run('openssl', 'x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial',
            '-days', '2', '-extfile', 'ext', '-out', 'server.pem')
        self.ca, self.wrong_ca = str(self.folder / 'ca.pem'), str(self.folder / 'other.pem')

    def __enter__(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / 'server.pem', self.folder / 'server.key')
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]

        def pump(source, sink):
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
            except OSError:
                pass
            finally:
                for s in (source, sink):
                    try:
                        s.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass

        def accept():
            while True:
                try:
                    plain, _ = self.socket.accept()
                except OSError:
                    return
                try:
                    inner = context.wrap_socket(plain, server_side=True)
                    outer = socket.create_connection(('127.0.0.1', self.target))
                except OSError:
                    plain.close()
                    continue
                for pair in ((inner, outer), (outer, inner)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.close()


def main(cases, argv):
    """search_test.py AGENT FLAVOR [CASE...]: runs the cases in order on one node; 77 = cannot run here."""
    binary, flavor, wanted = argv[1], argv[2], argv[3:]
    work = os.environ.get('SEARCH_DIR') or str(HERE.parents[2] / '.servers' / 'search')
    port = int(os.environ.get('SEARCH_PORT') or free_port())
    node = Node(flavor, port, work)
    try:
        try:
            node.install()
        except RuntimeError as error:
            # Debian 12 has no JDK 21: the version before tests the same.
            older = {'es9': 'es8', 'os3': 'os2'}.get(flavor)
            if older is None or 'needs a JDK' not in str(error):
                raise
            print(f'{error}; {older} instead of {flavor}', flush=True)
            node.flavor = older
            node.install()
    except RuntimeError as error:
        print(f'SKIPPED: no search server on this machine: {error}', file=sys.stderr)
        return 77
    root = pathlib.Path(tempfile.mkdtemp(prefix='millrace-search-'))
    failed = []
    try:
        for case in cases:
            name = case.__name__
            if wanted and name not in wanted:
                continue
            begin = time.monotonic()
            try:
                case(node, binary, root / name)
                print(f'ok   {name} ({time.monotonic() - begin:.1f} s)', flush=True)
            except Exception as error:  # one case's failure must not hide the others'
                failed.append(name)
                print(f'FAIL {name}: {type(error).__name__}: {error}', flush=True)
                for log in (root / name).glob('*.stderr'):
                    print(''.join(f'     {line}\n' for line in log.read_text().splitlines()[-15:]), flush=True)
            finally:
                for agent in Running.all:
                    if agent.process is not None:
                        agent.kill()
                        agent.process = None
                Running.all.clear()
    finally:
        node.stop()
        if not failed:
            shutil.rmtree(root, ignore_errors=True)
    print(f'{len(failed)} failed: {" ".join(failed)}' if failed else 'all passed')
    return 1 if failed else 0


class Running:
    """Agents that a failed case left behind."""
    all = []


def agent(*args, **kwargs):
    made = Agent(*args, **kwargs)
    Running.all.append(made)
    return made
