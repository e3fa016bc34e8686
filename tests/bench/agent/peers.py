"""One function a program: writes its configuration for a job into a fresh folder and returns
(argv, output file). Jobs: J1 tail -> null, J1f tail -> file, J2 tail nginx combined -> fields -> JSON
file, J3 tail JSON -> add two fields -> JSON file, J6 tail logfmt -> JSON file.

rsyslog and syslog-ng are Debian's (they conflict: `bench.py` unpacks the packages into a folder of its
own); Vector and Fluent Bit run where VECTOR_BIN and FLUENT_BIT_BIN, or the PATH, name them."""
import os
import shutil

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
INPUT = {"J1": "access.log", "J1f": "access.log", "J2": "access.log", "J3": "app.jsonl", "J6": "app.logfmt"}


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def millrace(job, work, source):
    out = work + "/out.txt"
    transforms = {
        "J2": "transforms:\n  parse: {type: nginx, inputs: [in]}\n",
        "J3": "transforms:\n  json: {type: json, inputs: [in]}\n  parse: {type: add_fields, inputs: [json], fields: {env: prod, dc: lab1}}\n",
        "J6": "transforms:\n  logfmt: {type: logfmt, inputs: [in]}\n  parse: {type: add_fields, inputs: [logfmt], fields: {env: prod, dc: lab1}}\n",
    }.get(job, "")
    last = "parse" if transforms else "in"
    if job == "J1":
        sink = "{type: blackhole, inputs: [%s]}" % last
    else:
        sink = "{type: file, inputs: [%s], path: '%s', encoding: {codec: %s}}" % (last, out, "text" if job == "J1f" else "json")
    write(work + "/agent.yaml", "data_dir: '%s/data'\nweb: {enabled: false}\nlog: {level: warn}\nsources:\n  in: {type: file, include: ['%s'], "
          "read_from: beginning}\n%ssinks:\n  out: %s\n" % (work, source, transforms, sink))
    binary = os.environ.get("MILLRACE_AGENT", TOP + "/build/release/bin/millrace-agent")
    return [binary, "run", "--config", work + "/agent.yaml"], out


def rsyslog(job, work, source):
    out = work + "/out.txt"
    os.makedirs(work + "/spool", exist_ok=True)
    text = 'global(workDirectory="%s/spool" maxMessageSize="64k")\nmodule(load="imfile")\n' % work
    text += 'input(type="imfile" File="%s" Tag="t:" ruleset="r" addMetadata="off")\n' % source
    text += 'template(name="raw" type="string" string="%msg%\\n")\n'
    text += 'template(name="js" type="list") { property(name="$!all-json") constant(value="\\n") }\n'
    if job == "J1":
        action = 'action(type="omfile" file="/dev/null" template="raw")'
    elif job == "J1f":
        action = 'action(type="omfile" file="%s" template="raw" ioBufferSize="256k")' % out
    elif job == "J2":
        write(work + "/nginx.rb", 'version=2\nrule=:%remote:word% %ident:word% %user:word% [%time:char-to:]%] "%method:word% %path:word% '
              '%proto:char-to:"%" %status:number% %bytes:number% "%referer:char-to:"%" "%agent:char-to:"%"\n')
        text += 'module(load="mmnormalize")\n'
        action = ('action(type="mmnormalize" rulebase="%s/nginx.rb" useRawMsg="off")\n action(type="omfile" file="%s" template="js" '
                  'ioBufferSize="256k")' % (work, out))
    elif job == "J3":
        text += 'module(load="mmjsonparse")\n'
        action = ('action(type="mmjsonparse" cookie="")\n set $!env="prod";\n set $!dc="lab1";\n action(type="omfile" file="%s" '
                  'template="js" ioBufferSize="256k")' % out)
    else:
        return None  # its name-value parser takes no quoted values
    text += 'ruleset(name="r") {\n %s\n}\n' % action
    write(work + "/rsyslog.conf", text)
    root = os.environ.get("RSYSLOG_ROOT", "")
    lib = root + "/usr/lib/x86_64-linux-gnu"
    return ["env", "LD_LIBRARY_PATH=" + lib, root + "/usr/sbin/rsyslogd", "-n", "-f", work + "/rsyslog.conf", "-i", work + "/rsyslog.pid", "-M",
            lib + "/rsyslog"], out


def syslog_ng(job, work, source):
    out = work + "/out.txt"
    parsers = {
        "J2": ('parser { csv-parser(columns("a.remote","a.ident","a.user","a.time","a.request","a.status","a.bytes","a.referer","a.agent") '
               'delimiters(chars(" ")) quote-pairs(\'""[]\') flags(escape-none)); csv-parser(columns("a.method","a.path","a.proto") '
               'delimiters(chars(" ")) template("${a.request}")); };'),
        "J3": 'parser { json-parser(prefix("a.")); }; rewrite { set("prod" value("a.env")); set("lab1" value("a.dc")); };',
        "J6": 'parser { kv-parser(prefix("a.")); }; rewrite { set("prod" value("a.env")); set("lab1" value("a.dc")); };',
    }
    template = '"$(format-json --key a.* --shift-levels 1%s)\\n"' % (" --exclude a.request" if job == "J2" else "") if job in parsers else '"$MSG\\n"'
    write(work + "/sng.conf", '@version: 3.38\noptions { stats-freq(0); log-fifo-size(20000); threaded(yes); create-dirs(no); };\n'
          'source s { file("%s" flags(no-parse) follow-freq(1) log-fetch-limit(1000) log-iw-size(10000)); };\n'
          'destination d { file("%s" template(%s) flush-lines(100)); };\nlog { source(s); %s destination(d); flags(flow-control); };\n'
          % (source, "/dev/null" if job == "J1" else out, template, parsers.get(job, "")))
    root = os.environ.get("SYSLOGNG_ROOT", "")
    lib = "%s/usr/lib/x86_64-linux-gnu:%s/lib/x86_64-linux-gnu:%s/usr/lib/syslog-ng" % (root, root, root)
    return ["env", "LD_LIBRARY_PATH=" + lib, root + "/usr/sbin/syslog-ng", "-F", "--no-caps", "-f", work + "/sng.conf", "-p", work + "/sng.pid", "-R",
            work + "/sng.persist", "-c", work + "/sng.ctl", "--module-path=" + root + "/usr/lib/syslog-ng/3.38"], out


def vector(job, work, source):
    out = work + "/out.txt"
    os.makedirs(work + "/data", exist_ok=True)
    program = {"J2": '. = parse_nginx_log!(.message, format: "combined")', "J3": '. = parse_json!(.message)\n.env = "prod"\n.dc = "lab1"',
               "J6": '. = parse_logfmt!(.message)\n.env = "prod"\n.dc = "lab1"'}.get(job)
    text = "data_dir: %s/data\nsources:\n  in:\n    type: file\n    include: ['%s']\n    read_from: beginning\n" % (work, source)
    last = "in"
    if program:
        text += "transforms:\n  p:\n    type: remap\n    inputs: [in]\n    source: |\n" + "".join("      " + s + "\n" for s in program.split("\n"))
        last = "p"
    if job == "J1":
        text += "sinks:\n  out:\n    type: blackhole\n    inputs: [%s]\n    print_interval_secs: 0\n" % last
    else:
        text += "sinks:\n  out:\n    type: file\n    inputs: [%s]\n    path: %s\n    encoding: {codec: %s}\n" % (last, out, "text" if job == "J1f" else "json")
    write(work + "/vector.yaml", text)
    return [os.environ.get("VECTOR_BIN", "vector"), "-q", "-c", work + "/vector.yaml"], out


def fluent_bit(job, work, source):
    out = work + "/out.txt"
    write(work + "/parsers.conf", "[PARSER]\n    Name nginx\n    Format regex\n    Regex ^(?<remote>[^ ]*) (?<host>[^ ]*) (?<user>[^ ]*) "
          "\\[(?<time>[^\\]]*)\\] \"(?<method>\\S+)(?: +(?<path>[^\\\"]*?)(?: +\\S*)?)?\" (?<code>[^ ]*) (?<size>[^ ]*)(?: \"(?<referer>[^\\\"]*)\" "
          "\"(?<agent>[^\\\"]*)\")\n    Time_Key time\n    Time_Format %d/%b/%Y:%H:%M:%S %z\n    Time_Keep On\n"
          "[PARSER]\n    Name app\n    Format json\n[PARSER]\n    Name lf\n    Format logfmt\n")
    parser = {"J2": "nginx", "J3": "app", "J6": "lf"}.get(job)
    text = "[SERVICE]\n    flush 1\n    daemon off\n    log_level warn\n    parsers_file %s/parsers.conf\n" % work
    text += "[INPUT]\n    name tail\n    path %s\n    db %s/tail.db\n    read_from_head on\n    tag t\n" % (source, work)
    if parser:
        text += "    parser %s\n" % parser
    if job in ("J3", "J6"):
        text += "[FILTER]\n    name record_modifier\n    match *\n    record env prod\n    record dc lab1\n"
    if job == "J1":
        text += "[OUTPUT]\n    name null\n    match *\n"
    else:
        layout = "format template\n    template {log}" if job == "J1f" else "format plain"
        text += "[OUTPUT]\n    name file\n    match *\n    path %s\n    file out.txt\n    %s\n" % (work, layout)
    write(work + "/fb.conf", text)
    return [os.environ.get("FLUENT_BIT_BIN", "fluent-bit"), "-q", "-c", work + "/fb.conf"], out


PEERS = {"millrace": millrace, "rsyslog": rsyslog, "syslog-ng": syslog_ng, "vector": vector, "fluent-bit": fluent_bit}


def available(name):
    """Why a peer cannot run here, or ""."""
    binary = {"millrace": os.environ.get("MILLRACE_AGENT", TOP + "/build/release/bin/millrace-agent"),
              "rsyslog": os.environ.get("RSYSLOG_ROOT", "") + "/usr/sbin/rsyslogd", "syslog-ng": os.environ.get("SYSLOGNG_ROOT", "") + "/usr/sbin/syslog-ng",
              "vector": os.environ.get("VECTOR_BIN", "vector"), "fluent-bit": os.environ.get("FLUENT_BIT_BIN", "fluent-bit")}[name]
    return "" if shutil.which(binary) else "%s is not here" % binary
