#!/usr/bin/env python3
"""The elasticsearch sink against a real Elasticsearch or OpenSearch. usage: search_test.py AGENT FLAVOR [CASE...]"""
import shutil
import sys
import time

from lab import Hanging, TlsFront, agent, free_port, main, until

# Small, so that the default batch of 20 MB meets it.
SETTINGS = 'http.max_content_length: 1mb'


def lines(count, first=0, **more):
    return [{'n': n, 'message': f'line {n}'} | more for n in range(first, first + count)]


def up(node, **kwargs):
    node.start(settings=SETTINGS, **kwargs)


def simple(node, binary, folder, index, **sink):
    return agent(binary, folder, {'endpoints': [node.url], 'bulk': {'index': index}} | sink)


def normal(node, binary, folder):
    """Every line is there once; the document has the time and the fields; a stop is clean."""
    up(node)
    a = simple(node, binary, folder, 'normal-%Y')
    a.write(lines(5000))
    a.start()
    until('5000 documents', lambda: node.count('normal-*') == 5000)
    assert node.messages('normal-*') == list(range(5000))
    hit = node.call('GET', '/normal-*/_search?q=n:7')[1]['hits']['hits'][0]
    assert hit['_source']['message'] == 'line 7' and '@timestamp' in hit['_source'] and len(hit['_id']) == 22, hit
    assert a.stop() == 0
    assert a.said('Connected to a search server') == 1


def replay(node, binary, folder):
    """Reading everything again, from the checkpoint of a crash, makes no second document."""
    sink = {'bulk': {'index': 'replay'}}
    a = agent(binary, folder, sink | {'endpoints': [f'http://127.0.0.1:{free_port()}']})
    a.write(lines(3000))
    a.start()
    until('the file is known and nothing is delivered', lambda: a.said('No search server answers'))
    a.kill()
    early = folder / 'early'
    shutil.copytree(a.data / 'sources', early)
    a.set_sink(sink | {'endpoints': [node.url]})
    for turn in range(2):
        a.start()
        until('a connection', lambda: a.said('Connected to a search server') == turn + 1)
        until('3000 documents', lambda: node.count('replay') == 3000)
        assert a.stop() == 0
        assert node.messages('replay') == list(range(3000)) and node.deleted('replay') == 0
        shutil.rmtree(a.data / 'sources')
        shutil.copytree(early, a.data / 'sources')


def killed(node, binary, folder):
    """kill -9 again and again while lines are written: nothing lost, nothing twice."""
    a = simple(node, binary, folder, 'killed', batch={'timeout_secs': 0.05, 'max_events': 100})
    written = 0
    for turn in range(5):
        a.start()
        for _ in range(10):
            a.write(lines(200, written))
            written += 200
            time.sleep(0.05)
        until('some documents', lambda: node.count('killed') > turn * 1500)
        a.kill()
    a.start()
    until('all documents', lambda: node.count('killed') == written)
    assert node.messages('killed') == list(range(written)) and node.deleted('killed') == 0
    assert a.stop() == 0


def mapping_conflict(node, binary, folder):
    """What the mapping refuses is in the dead letters with reason and event; the rest is stored."""
    node.call('PUT', '/conflict', {'mappings': {'properties': {'status': {'type': 'integer'}}}})
    a = simple(node, binary, folder, 'conflict')
    rows = lines(100, status=200)
    rows[40]['status'] = 'not a number'
    a.write(rows)
    a.start()
    until('99 documents', lambda: node.count('conflict') == 99)
    dead = until('a dead letter', a.dead_letters)
    assert a.stop() == 0
    assert len(dead) == 1, dead
    kind = 'document_parsing_exception' if node.elasticsearch else 'mapper_parsing_exception'
    assert dead[0]['reason'] == 'mapping' and dead[0]['code'] == 400 and kind in dead[0]['response'], dead
    assert dead[0]['event']['n'] == 40 and dead[0]['event']['status'] == 'not a number' and dead[0]['target'] == 'conflict', dead


def too_large(node, binary, folder):
    """413 counts plain bytes: batches are halved, one document that never fits is a dead letter."""
    a = simple(node, binary, folder, 'large')
    rows = lines(6000, pad='x' * 500)
    rows[3000]['pad'] = 'y' * 1_500_000
    a.write(rows)
    a.start()
    until('5999 documents', lambda: node.count('large') == 5999)
    dead = until('a dead letter', a.dead_letters)
    assert a.stop() == 0
    assert [d['reason'] for d in dead] == ['too_large'] and dead[0]['event']['n'] == 3000
    assert a.said('they are made smaller') == 1


def paused(node, binary, folder, name, close, open_, reason):
    index = f'paused-{name}'
    node.call('PUT', f'/{index}-bad', {'mappings': {'properties': {'n': {'type': 'long'}}}})
    close(f'{index}-bad')
    a = agent(binary, folder, {'endpoints': [node.url], 'bulk': {'index': index + '-{{ app }}'}})
    for n in range(2000):
        a.write([{'n': n, 'app': 'bad' if n % 10 == 0 else 'good'}])
    a.start()
    until('the good index', lambda: node.count(f'{index}-good') == 1800)
    until('the pause', lambda: a.said(f'reason={reason}'))
    assert a.said('Index cannot take events') == 1
    assert not a.dead_letters()
    open_(f'{index}-bad')
    until('the other index', lambda: node.count(f'{index}-bad') == 200)
    assert a.stop() == 0
    assert node.messages(f'{index}-*') == list(range(2000)) and not a.dead_letters()
    assert a.said('Index takes events again') == 1


def closed_index(node, binary, folder):
    paused(node, binary, folder, 'closed', lambda i: node.call('POST', f'/{i}/_close'),
           lambda i: node.call('POST', f'/{i}/_open'), 'index_closed')


def read_only_index(node, binary, folder):
    block = lambda on: lambda i: node.call('PUT', f'/{i}/_settings', {'index.blocks.write': on})
    paused(node, binary, folder, 'blocked', block(True), block(None), 'index_blocked')


def flood_stage(node, binary, folder):
    block = lambda on: lambda i: node.call('PUT', f'/{i}/_settings', {'index.blocks.read_only_allow_delete': on})
    paused(node, binary, folder, 'flood', block(True), block(None), 'index_blocked')


def no_write_index(node, binary, folder):
    """An alias over two indices, none of them for writing."""
    for i in (1, 2):
        node.call('PUT', f'/rolled-{i}')
    node.call('POST', '/_aliases', {'actions': [{'add': {'index': f'rolled-{i}', 'alias': 'rolled'}} for i in (1, 2)]})
    a = simple(node, binary, folder, 'rolled')
    a.write(lines(50))
    a.start()
    until('the pause', lambda: a.said('reason=no_write_index'))
    node.call('POST', '/_aliases', {'actions': [{'add': {'index': 'rolled-2', 'alias': 'rolled', 'is_write_index': True}}]})
    until('50 documents', lambda: node.count('rolled-2') == 50)
    assert a.stop() == 0 and not a.dead_letters()


def data_stream(node, binary, folder):
    """Mode data_stream creates the stream from its template."""
    status, reply = node.call('PUT', '/_index_template/stream', {
        'index_patterns': ['logs-millrace.*'], 'data_stream': {}, 'priority': 500,
        'template': {'settings': {'number_of_replicas': 0}}})
    assert status == 200, reply
    a = agent(binary, folder, {'endpoints': [node.url], 'mode': 'data_stream',
                               'data_stream': {'dataset': 'millrace.{{ app }}'}})
    a.write(lines(100, app='shop'))
    a.start()
    until('100 documents', lambda: node.count('logs-millrace.shop-default') == 100)
    assert a.stop() == 0
    indices = node.call('GET', '/_cat/indices/.ds-*?format=json&expand_wildcards=all')[1]
    assert any('logs-millrace.shop-default' in i['index'] for i in indices), indices


def zstd(node, binary, folder):
    """OpenSearch takes zstd; Elasticsearch does not, and the sink falls back, once."""
    a = simple(node, binary, folder, 'zstd', compression='zstd', batch={'timeout_secs': 0.05, 'max_events': 100})
    a.write(lines(2000))
    a.start()
    until('2000 documents', lambda: node.count('zstd') == 2000)
    assert a.stop() == 0 and not a.dead_letters()
    assert a.said('does not take zstd') == (0 if node.flavor == 'os3' else 1)


def dead_endpoints(node, binary, folder):
    """A closed port and a server that hangs are passed over."""
    with Hanging() as hanging:
        a = agent(binary, folder, {
            'endpoints': [f'http://127.0.0.1:{free_port()}', f'http://127.0.0.1:{hanging.port}', node.url],
            'bulk': {'index': 'endpoints'},
            'request': {'timeout_secs': 2, 'concurrency': 2, 'retry_initial_backoff_secs': 0.1, 'retry_max_backoff_secs': 1}})
        a.write(lines(1000))
        a.start()
        until('1000 documents', lambda: node.count('endpoints') == 1000)
        assert a.stop() == 0
        assert a.said('does not answer') >= 1


def wrong_ca(node, binary, folder):
    """A certificate of an unknown authority: the log says so; with the right one all is delivered."""
    with TlsFront(folder / 'tls', node.port) as front:
        sink = {'endpoints': [f'https://127.0.0.1:{front.port}'], 'bulk': {'index': 'tls'}}
        a = agent(binary, folder, sink | {'tls': {'ca_file': front.wrong_ca}})
        a.write(lines(100))
        a.start()
        until('the error', lambda: a.said('TLS: SSL certificate problem'))
        assert node.count('tls') == 0
        a.kill()
        a.set_sink(sink | {'tls': {'ca_file': front.ca}})
        a.start()
        until('100 documents', lambda: node.count('tls') == 100)
        assert a.stop() == 0


def restart(node, binary, folder):
    """The node goes away and comes back while lines are written, with a queue that is soon full."""
    a = simple(node, binary, folder, 'restart', batch={'timeout_secs': 0.05, 'max_events': 50}, request={
        'concurrency': 12, 'retry_initial_backoff_secs': 0.1, 'retry_max_backoff_secs': 1})
    a.write(lines(2000))
    a.start()
    until('some documents', lambda: node.count('restart') > 0)
    node.stop()
    a.write(lines(8000, 2000))
    until('the outage', lambda: a.said('No search server answers'))
    node.start(settings=SETTINGS + '\nthread_pool.write.size: 1\nthread_pool.write.queue_size: 1', keep=True)
    until('10000 documents', lambda: node.count('restart') == 10000)
    assert node.messages('restart') == list(range(10000)) and node.deleted('restart') == 0
    a.write(lines(20000, 10000))
    until('30000 documents', lambda: node.count('restart') == 30000)
    assert a.stop() == 0 and not a.dead_letters()
    stats = node.call('GET', '/_nodes/stats/thread_pool?filter_path=nodes.*.thread_pool.write.rejected')[1]
    print('     rejected by the write queue:', [n['thread_pool']['write']['rejected'] for n in stats['nodes'].values()])


def wrong_password(node, binary, folder):
    """401: the sink waits and says so; nothing is acknowledged; with the right one all is delivered."""
    if not node.elasticsearch:
        print('     not for OpenSearch: security is a plugin that its small build lacks')
        return
    node.stop()
    node.password = 'secret-of-the-test'
    up(node)
    sink = {'endpoints': [node.url], 'bulk': {'index': 'password'},
            'auth': {'strategy': 'basic', 'user': 'elastic', 'password': '${SEARCH_TEST_PASSWORD}'}}
    a = agent(binary, folder, sink)
    a.write(lines(500))
    a.start(SEARCH_TEST_PASSWORD='wrong')
    until('the refusal', lambda: a.said('reason=unauthorized'))
    assert node.count('password') == 0 and not a.dead_letters()
    a.kill()
    a.start(SEARCH_TEST_PASSWORD=node.password)
    until('500 documents', lambda: node.count('password') == 500)
    assert a.stop() == 0 and not a.dead_letters()


CASES = [normal, replay, killed, mapping_conflict, too_large, closed_index, read_only_index, flood_stage, no_write_index,
         data_stream, zstd, dead_endpoints, wrong_ca, restart, wrong_password]

if __name__ == '__main__':
    sys.exit(main(CASES, sys.argv))
