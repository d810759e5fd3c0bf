#!/bin/sh
# Stands for every script of the set: one word of state per service and node, and a line in the journal of the pair before
# and after. Lines of one write each into one file: their order is the order in which things happened. No child process.
# Parameters: service, node, directory (of the node), journal, promotable.
if [ -n "$OCF_RESOURCE_INSTANCE" ]; then
  ocf=yes service=$OCF_RESKEY_service node=$OCF_RESKEY_node directory=$OCF_RESKEY_directory
  journal=$OCF_RESKEY_journal promotable=$OCF_RESKEY_promotable
fi
file=$directory/state/$service
state=
[ -s "$file" ] && read -r state <"$file"

case $1 in
monitor | status)
  code=0
  [ -n "$state" ] || code=${ocf:+7}
  [ "$state" = active ] && [ "$promotable" = yes ] && code=8
  echo "$node $service $1 end ${code:=3}" >>"$journal"
  exit "$code"
  ;;
start)
  # Started twice is fine, as scripts have to be.
  [ "$promotable" = yes ] && next=standby || next=active
  next=${state:-$next}
  ;;
promote | active) next=active ;;
demote | standby) next=standby ;;
stop) next= ;;
*) exit 3 ;;
esac
echo "$node $service $1 begin ${SM_ACTIVATION:-0}" >>"$journal"
# Promoted without having been started, or demoted without: not running.
[ -z "$state" ] && [ "$1" != start ] && [ "$1" != stop ] && next= && code=7
echo "$next" >"$file"
echo "$node $service $1 end ${code:=0}" >>"$journal"
exit "$code"
