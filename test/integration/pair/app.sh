#!/bin/sh
# A service of the tests: one process that ends by itself. Parameters (environment): pidfile, journal.
alive() { [ -s "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null; }
case $1 in
start)
  alive && exit 0
  echo "start $SM_ACTIVATION" >>"$journal"
  setsid sleep 300 >/dev/null 2>&1 </dev/null &
  echo $! >"$pidfile"
  ;;
stop)
  alive && echo stop >>"$journal" && kill -9 "$(cat "$pidfile")"
  rm -f "$pidfile"
  ;;
status) alive || exit 3 ;;
*) exit 2 ;;
esac
