#!/usr/bin/env python3
"""Probes side by side: millrace-uptime-probe and blackbox_exporter 0.28.0 over the same targets.

  run.py BUILD_DIR [--peer BLACKBOX_EXPORTER] [--seconds 4] [--connections 16] [--port 24240] [--json FILE]

Needs wrk and openssl. For each prober: probes a second, CPU milliseconds of the prober a probe
(user + system, from /proc), and the resident memory afterwards; with --peer also the ratios.
Run it on an idle machine: the load generator and the targets share the cores with the probers.
"""
import argparse, json, os, re, subprocess, sys, tempfile, time, urllib.parse, urllib.request

TICK = os.sysconf('SC_CLK_TCK')
# Every request to the next of the target's addresses.
LUA = '''local n = 0
request = function()
  n = n %% %d + 1
  return wrk.format("GET", string.format("%s", n))
end
'''
CONFIG = '''modules:
  http: {{prober: http, timeout: 5s, http: {{preferred_ip_protocol: ip4}}}}
  https: {{prober: http, timeout: 5s, http: {{preferred_ip_protocol: ip4, tls_config: {{ca_file: {cert}}}}}}}
  tcp: {{prober: tcp, timeout: 5s, tcp: {{preferred_ip_protocol: ip4}}}}
  dns: {{prober: dns, timeout: 5s, dns: {{preferred_ip_protocol: ip4, query_name: a.test, query_type: A}}}}
  icmp: {{prober: icmp, timeout: 5s, icmp: {{preferred_ip_protocol: ip4}}}}
'''


def cpu(pid):
    fields = open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rss(pid):
    return int(re.search(r'VmRSS:\s+(\d+)', open(f'/proc/{pid}/status').read()).group(1)) / 1024


def wait(url):
    for _ in range(500):
        try:
            return urllib.request.urlopen(url, timeout=5).read()
        except OSError:
            time.sleep(0.02)
    sys.exit(f'no answer from {url}')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('build')
    p.add_argument('--peer')
    p.add_argument('--seconds', type=int, default=4)
    p.add_argument('--connections', type=int, default=16)
    p.add_argument('--port', type=int, default=24240)
    p.add_argument('--json')
    a = p.parse_args()
    work = tempfile.mkdtemp(prefix='probe-bench-')
    cert, key = f'{work}/cert.pem', f'{work}/key.pem'
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key,
                    '-out', cert, '-subj', '/CN=bench', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'],
                   check=True, capture_output=True)
    open(f'{work}/c.yml', 'w').write(CONFIG.format(cert=cert))
    http, https, tcp, dns = (a.port + i for i in range(4))
    targets = {'http': f'http://127.0.0.1:{http}/', 'https': f'https://127.0.0.1:{https}/', 'tcp': f'127.0.0.1:{tcp}',
               'dns': f'127.0.0.1:{dns}', 'icmp': '127.0.0.1'}
    server = subprocess.Popen([f'{a.build}/tests/bench_probe_target', cert, key] + [str(x) for x in (http, https, tcp, dns)],
                              stdout=subprocess.PIPE)
    server.stdout.readline()
    programs = {'millrace': f'{a.build}/bin/millrace-uptime-probe'}
    if a.peer:
        programs['blackbox'] = a.peer
    results = {}
    try:
        for i, (name, binary) in enumerate(programs.items()):
            port = a.port + 10 + i
            prober = subprocess.Popen([binary, f'--config.file={work}/c.yml', f'--web.listen-address=127.0.0.1:{port}'],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                wait(f'http://127.0.0.1:{port}/-/healthy')
                for module, target in targets.items():
                    url = f'http://127.0.0.1:{port}/probe?module={module}&target={urllib.parse.quote(target)}'
                    script = f'{work}/{module}.lua'
                    spread = module in ('http', 'tcp')
                    open(script, 'w').write(LUA % (32 if spread else 1, f'/probe?module={module}&target=' + urllib.parse.quote(target).replace('127.0.0.1', '127.0.0.%d').replace('%3A', ':')))
                    good = b'\nprobe_success 1' in wait(url)
                    subprocess.run(['timeout', '60', 'wrk', '-t1', f'-c{a.connections}', '-d1', '-s', script, url], capture_output=True, check=True)
                    before = cpu(prober.pid)
                    out = subprocess.run(['timeout', '60', 'wrk', '-t1', f'-c{a.connections}', f'-d{a.seconds}', '-s', script, url], capture_output=True, text=True, check=True).stdout
                    used = cpu(prober.pid) - before
                    good = good and b'\nprobe_success 1' in wait(url)
                    count = int(re.search(r'(\d+) requests in', out).group(1))
                    rate = float(re.search(r'Requests/sec:\s+([\d.]+)', out).group(1))
                    results.setdefault(module, {})[name] = {'success': good, 'per_second': round(rate), 'cpu_ms': round(1000 * used / count, 4)}
                results.setdefault('rss_mb', {})[name] = round(rss(prober.pid), 1)
                counts = re.findall(r'(?m)^millrace_uptime_probe_probes_total\{(.*)\} (\S+)', wait(f'http://127.0.0.1:{port}/metrics').decode())
                for labels, count in counts:
                    print('  ', labels, count)
            finally:
                prober.terminate()
                prober.wait()
    finally:
        server.terminate()
        server.wait()
    for module, by in results.items():
        if module == 'rss_mb':
            print('RSS MB:', by)
            continue
        line = f'{module:6s}'
        for name, r in by.items():
            line += f'  {name}: {r["per_second"]:6d}/s {r["cpu_ms"]:.3f} ms{"" if r["success"] else " (FAILED)"}'
        if len(by) == 2:
            m, b = by['millrace'], by['blackbox']
            line += f'  CPU {m["cpu_ms"] / b["cpu_ms"]:.2f}x, rate {m["per_second"] / b["per_second"]:.1f}x'
        print(line)
    if a.json:
        json.dump(results, open(a.json, 'w'), indent=1)


if __name__ == '__main__':
    main()
