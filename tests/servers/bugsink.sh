#!/bin/bash
# Bugsink, a server for Sentry's protocol, from PyPI, on loopback.
#   bugsink.sh start DIR [port] | dsn DIR | events DIR | stop DIR
# VENV: where it is or gets installed (default DIR/venv). `events` prints a line of JSON an event.
set -euo pipefail
mkdir -p "$2"
D=$(cd "$2" && pwd)
V=${VENV:-$D/venv}
[ -x "$V/bin/gunicorn" ] || { python3 -m venv "$V"; "$V/bin/pip" install -q bugsink==2.6.1; }
export DJANGO_SETTINGS_MODULE=bugsink_conf PYTHONPATH=$D
cd "$D"
manage() { "$V/bin/bugsink-manage" "$@"; }
case $1 in
start)
  port=${3:-18000}
  if [ ! -f bugsink_conf.py ]; then
    "$V/bin/bugsink-create-conf" --template=singleserver --host=127.0.0.1 --port="$port" --base-dir="$D/data" >/dev/null
    mkdir -p data
    sed -i 's#"BASE_URL": "https://127.0.0.1[^"]*"#"BASE_URL": "http://127.0.0.1:'"$port"'"#
            s/^\(SESSION\|CSRF\)_COOKIE_SECURE = True/\1_COOKIE_SECURE = False/
            s/"TASK_ALWAYS_EAGER": False/"TASK_ALWAYS_EAGER": True/' bugsink_conf.py
  fi
  manage migrate >migrate.log 2>&1
  manage migrate snappea --database=snappea >>migrate.log 2>&1
  setsid nohup "$V/bin/gunicorn" --bind "127.0.0.1:$port" --workers 1 bugsink.wsgi >bugsink.log 2>&1 </dev/null &
  echo $! >pid
  for _ in $(seq 240); do
    curl -s -o /dev/null -m 2 "127.0.0.1:$port/" && exit 0
    sleep .5
  done
  echo "bugsink did not answer within 120 s; see $D/bugsink.log" >&2
  exit 1
  ;;
dsn)
  manage shell 2>/dev/null <<'P' | sed -n 's/^DSN //p'
from teams.models import Team
from projects.models import Project
team, _ = Team.objects.get_or_create(name="test")
project, _ = Project.objects.get_or_create(name="test", team=team)
print("DSN", project.dsn)
P
  ;;
events)
  manage shell 2>/dev/null <<'P' | sed -n 's/^EVENT //p'
from events.models import Event
for e in Event.objects.all(): print("EVENT", e.get_raw_data() if hasattr(e, "get_raw_data") else e.data)
P
  ;;
stop) kill "$(cat pid)" ;;
*) exit 2 ;;
esac
