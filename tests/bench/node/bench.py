#!/usr/bin/env python3
"""millrace-node-exporter beside the original on this machine, in one run.

  bench.py OURS [ORIGINAL] [--scrapes N] [--port P]

ORIGINAL is node_exporter (go install github.com/prometheus/node_exporter@v1.12.1). Prints for both:
CPU per scrape (the schedulers' run time of all threads, plain and gzip), resident memory after the
scrapes, size of the stripped binary, first scrape after exec, requests/s and 99th percentile with
four scrapers; then the ratios, and what it costs to pread the files a scrape of ours reads.
Only the standard library; listens on loopback."""
import argparse, http.client, multiprocessing, os, re, shutil, statistics, subprocess, sys, tempfile, time


def run_time(pid):
    total = 0
    for task in os.listdir(f'/proc/{pid}/task'):
        total += int(open(f'/proc/{pid}/task/{task}/schedstat').read().split()[0])
    return total / 1e6


def resident_kb(pid):
    return int(re.search(r'VmRSS:\s+(\d+)', open(f'/proc/{pid}/status').read()).group(1))


def scrape(connection, encoding):
    connection.request('GET', '/metrics', headers={'Accept-Encoding': encoding})
    reply = connection.getresponse()
    body = reply.read()
    assert reply.status == 200, reply.status
    return body


def start(binary, port):
    began = time.perf_counter()
    process = subprocess.Popen([binary, f'--web.listen-address=127.0.0.1:{port}', '--log.level=error'],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            scrape(http.client.HTTPConnection('127.0.0.1', port), 'identity')
            return process, (time.perf_counter() - began) * 1e3
        except OSError:
            if process.poll() is not None or time.perf_counter() - began > 30:
                sys.exit(f'{binary} does not serve')
            time.sleep(0.0002)


def scraper(port, seconds, results):
    connection, latencies = http.client.HTTPConnection('127.0.0.1', port), []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        t = time.perf_counter()
        scrape(connection, 'identity')
        latencies.append(time.perf_counter() - t)
    results.put(latencies)


def four_scrapers(port, seconds):
    results = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=scraper, args=(port, seconds, results)) for _ in range(4)]
    for w in workers: w.start()
    latencies = sorted(x for _ in workers for x in results.get())
    for w in workers: w.join()
    return len(latencies) / seconds, latencies[int(len(latencies) * 0.99)] * 1e3


def stripped_size(binary):
    with tempfile.TemporaryDirectory() as d:
        copy = shutil.copy(binary, d)
        subprocess.run(['strip', copy], check=True)
        return os.path.getsize(copy)


def measure(binary, port, scrapes):
    firsts = []
    for i in range(5):
        process, first = start(binary, port + i)
        firsts.append(first)
        if i < 4:
            process.kill(); process.wait()
    port += 4
    out = {'first_ms': min(firsts), 'size': stripped_size(binary)}
    try:
        connection = http.client.HTTPConnection('127.0.0.1', port)
        for encoding in ('identity', 'gzip'):
            for _ in range(20): scrape(connection, encoding)
            before = run_time(process.pid)
            for _ in range(scrapes): body = scrape(connection, encoding)
            out[f'cpu_ms_{encoding}'] = (run_time(process.pid) - before) / scrapes
            out[f'bytes_{encoding}'] = len(body)
        out['rss_kb'] = resident_kb(process.pid)
        connection.close()
        out['per_second'], out['p99_ms'] = four_scrapers(port, 5)
        out['rss_kb_after_load'] = resident_kb(process.pid)
        if 'millrace' in os.path.basename(binary): out['floor_ms'] = pread_floor(process.pid)
    finally:
        process.kill(); process.wait()
    return out


def pread_floor(pid):
    """CPU of one pread each of the files that a running exporter keeps open, in C as far as Python allows."""
    paths = []
    for fd in os.listdir(f'/proc/{pid}/fd'):
        target = os.readlink(f'/proc/{pid}/fd/{fd}')
        if target.startswith(('/proc/', '/sys/')) and os.path.isfile(target): paths.append(target)
    source = r'''
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
int main(int argc, char** argv) {
  static char buffer[1 << 20]; static int fds[8192]; int n = 0;
  for (int i = 1; i < argc; ++i) if ((fds[n] = open(argv[i], O_RDONLY)) >= 0) ++n;
  struct timespec a, b;
  for (int round = 0; round < 220; ++round) {
    if (round == 20) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (int i = 0; i < n; ++i) for (off_t at = 0;;) {
      ssize_t got = pread(fds[i], buffer, sizeof buffer, at);
      if (got <= 0) break;
      at += got;
    }
  }
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
  printf("%d %f\n", n, ((b.tv_sec - a.tv_sec) * 1e3 + (b.tv_nsec - a.tv_nsec) / 1e6) / 200);
}'''
    with tempfile.TemporaryDirectory() as d:
        open(f'{d}/floor.c', 'w').write(source)
        subprocess.run(['cc', '-O2', '-o', f'{d}/floor', f'{d}/floor.c'], check=True)
        files, ms = subprocess.run([f'{d}/floor', *paths], check=True, capture_output=True, text=True).stdout.split()
    print(f'floor: {files} files read to their end with pread take {float(ms):.3f} ms of CPU')
    return float(ms)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('ours'); p.add_argument('original', nargs='?')
    p.add_argument('--scrapes', type=int, default=200); p.add_argument('--port', type=int, default=24050)
    a = p.parse_args()
    results = {}
    for name, binary, port in (('original', a.original, a.port), ('ours', a.ours, a.port + 10)):
        if binary is None: continue
        results[name] = r = measure(os.path.abspath(binary), port, a.scrapes)
        print(f"{name}: CPU {r['cpu_ms_identity']:.3f} ms/scrape, gzip {r['cpu_ms_gzip']:.3f} ms; {r['bytes_identity']} bytes, "
              f"gzip {r['bytes_gzip']}; RSS {r['rss_kb']} kB ({r['rss_kb_after_load']} after load); stripped {r['size']} bytes; "
              f"first scrape {r['first_ms']:.1f} ms after exec; {r['per_second']:.0f} requests/s with 4 scrapers, p99 {r['p99_ms']:.2f} ms")
    ours, original = results['ours'], results.get('original')
    print(f"ours / floor: {ours['cpu_ms_identity'] / ours['floor_ms']:.2f}")
    if original:
        print(f"original / ours: CPU {original['cpu_ms_identity'] / ours['cpu_ms_identity']:.1f}, "
              f"gzip {original['cpu_ms_gzip'] / ours['cpu_ms_gzip']:.1f}, RSS {original['rss_kb'] / ours['rss_kb']:.1f}, "
              f"size {original['size'] / ours['size']:.1f}, p99 {original['p99_ms'] / ours['p99_ms']:.1f}; "
              f"ours / original: requests {ours['per_second'] / original['per_second']:.1f}")


if __name__ == '__main__':
    main()
