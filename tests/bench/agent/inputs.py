#!/usr/bin/env python3
"""Seeded inputs of the benchmarks: inputs.py LINES FOLDER writes access.log (nginx combined, ~208 B a
line), app.jsonl (~500 B) and app.logfmt. Every line has a unique id (rid=NNNNNNNNN or "seq":N); the
same count gives the same bytes everywhere."""
import os
import random
import sys
import time

AGENTS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "curl/8.5.0", "Go-http-client/2.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"]
PATHS = ["/", "/index.html", "/api/v1/users", "/api/v1/orders", "/api/v2/cart/items", "/static/js/app.3f9c1.js",
         "/static/css/main.css", "/login", "/search", "/health", "/images/products/%d.webp", "/api/v1/users/%d/profile"]
REFERERS = ["-", "https://www.example.com/", "https://shop.example.com/category/books", "https://www.google.com/search?q=log+agents"]
METHODS = ["GET"] * 8 + ["POST"] * 3 + ["PUT", "DELETE", "HEAD"]
STATUSES = [200] * 16 + [304, 304, 301, 404, 404, 499, 500, 502, 201, 204]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
SERVICES = ["checkout", "cart", "auth", "catalog", "payments", "search", "gateway"]
LEVELS = ["info"] * 12 + ["debug"] * 4 + ["warn"] * 2 + ["error"]
MESSAGES = ["request completed", "cache miss, falling back to database", "user session refreshed", "payment authorised by provider",
            "retrying upstream call after timeout", "inventory reservation created",
            "failed to decode body: unexpected end of \"JSON\" input"]
START = 1717200000


def access(lines, path):
    rng = random.Random(42)
    second, stamp = -1, ""
    with open(path, "w", buffering=1 << 20) as f:
        for i in range(lines):
            x = rng.getrandbits(62)
            if START + i // 400 != second:
                second = START + i // 400
                g = time.gmtime(second)
                stamp = "%02d/%s/%d:%02d:%02d:%02d +0000" % (g[2], MONTHS[g[1] - 1], g[0], g[3], g[4], g[5])
            url = PATHS[x % 12]
            x //= 12
            if "%d" in url:
                url = url % (x % 100000)
            f.write('%d.%d.%d.%d - %s [%s] "%s %s?rid=%09d HTTP/1.1" %d %d "%s" "%s"\n' % (
                10 + x % 200, (x >> 8) & 255, (x >> 16) & 255, (x >> 24) & 255, "-" if x % 7 else "user%d" % ((x >> 5) % 9999), stamp,
                METHODS[(x >> 3) % 14], url, i, STATUSES[(x >> 7) % 26], (x >> 20) % 98765, REFERERS[(x >> 11) % 4], AGENTS[(x >> 13) % 6]))


def app(lines, json_path, logfmt_path):
    rng = random.Random(43)
    second, base = -1, ""
    with open(json_path, "w", buffering=1 << 20) as f, open(logfmt_path, "w", buffering=1 << 20) as g:
        for i in range(lines):
            x, y = rng.getrandbits(96), rng.getrandbits(96)
            if START + i // 400 != second:
                second = START + i // 400
                base = "%d-%02d-%02dT%02d:%02d:%02d" % time.gmtime(second)[:6]
            v = dict(time="%s.%03dZ" % (base, (i % 400) * 5 // 2), level=LEVELS[(x >> 4) % 19], service=SERVICES[x % 7], seq=i,
                     msg=MESSAGES[(x >> 9) % 7].replace('"', '\\"'), trace="%024x" % y, span="%016x" % ((y >> 16) & 0xffffffffffffffff),
                     node=x % 40, pid=1000 + x % 30000, method=METHODS[(x >> 20) % 14], user=(x >> 26) % 1000000, status=STATUSES[(x >> 14) % 26],
                     bytes=(x >> 50) % 99999, duration=((x >> 40) % 500000) / 1000.0, plan="pro" if x & 1 else "free",
                     retry="true" if x % 11 == 0 else "false", pod="%08x-x%04x" % (y & 0xffffffff, (y >> 40) & 0xffff))
            f.write('{"ts":"%(time)s","level":"%(level)s","service":"%(service)s","seq":%(seq)d,"msg":"%(msg)s","trace_id":"%(trace)s",'
                    '"span_id":"%(span)s","host":"node-%(node)02d.prod.example.com","pid":%(pid)d,"http":{"method":"%(method)s",'
                    '"path":"/api/v1/%(service)s/%(user)d","status":%(status)d,"bytes":%(bytes)d,"duration_ms":%(duration).3f},'
                    '"user":{"id":%(user)d,"plan":"%(plan)s","country":"DE"},"tags":["prod","eu-central-1","k8s"],"retry":%(retry)s,'
                    '"kubernetes":{"namespace":"shop","pod":"%(service)s-%(pod)s"}}\n' % v)
            g.write('ts=%(time)s level=%(level)s service=%(service)s seq=%(seq)d msg="%(msg)s" trace_id=%(trace)s '
                    'host=node-%(node)02d.prod.example.com pid=%(pid)d method=%(method)s path=/api/v1/%(service)s/%(user)d '
                    'status=%(status)d bytes=%(bytes)d duration_ms=%(duration).3f user=%(user)d retry=%(retry)s\n' % v)


def ensure(lines, folder):
    """Makes the files unless they are there with that many lines."""
    os.makedirs(folder, exist_ok=True)
    mark = os.path.join(folder, "lines-%d" % lines)
    if not os.path.exists(mark):
        access(lines, os.path.join(folder, "access.log"))
        app(lines, os.path.join(folder, "app.jsonl"), os.path.join(folder, "app.logfmt"))
        open(mark, "w").close()


if __name__ == "__main__":
    ensure(int(sys.argv[1]), sys.argv[2])
