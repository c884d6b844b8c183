#!/bin/sh
# Makes the README's picture from the real screen over the lab:
#
#	docs/picture.sh bin/gpx docs/screen.png [SCENARIO] [COLUMNS] [LINES]
#
# gpx demo in tmux -> the pane with its colours -> aha (HTML) -> chromium.
# Needs tmux, aha and chromium (Debian: apt-get install tmux aha chromium).
set -eu
gpx=$(command -v "$1" || true)
case $gpx in
"") echo "there is no program $1; build it with: make build" >&2; exit 1 ;;
/*) ;;
*) gpx=$PWD/$gpx ;;
esac
picture=$2
scenario=${3:-outage}
columns=${4:-120}
lines=${5:-36}
for program in tmux aha chromium; do
	command -v "$program" >/dev/null || { echo "the picture needs $program: apt-get install tmux aha chromium" >&2; exit 1; }
done

work=$(mktemp -d)
socket=$work/tmux
finish() {
	tmux -S "$socket" kill-server 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT INT TERM

tmux -S "$socket" -u -f /dev/null new-session -d -x "$columns" -y "$lines" \
	"env HOME=$work TERM=tmux-256color COLORTERM=truecolor '$gpx' demo $scenario"
tries=0
until tmux -S "$socket" capture-pane -p | grep -q OUTAGE; do
	tries=$((tries + 1))
	[ "$tries" -lt 300 ] || { echo "the outage never showed" >&2; exit 1; }
	sleep 0.1
done
sleep 12 # a window with a past, so that the chart has something to tell
tmux -S "$socket" capture-pane -e -p >"$work/pane"

{
	echo '<!doctype html><meta charset="utf-8"><style>'
	echo 'html,body{margin:0;background:#16181d}'
	echo 'pre{margin:0;padding:14px 18px;color:#c8ccd4;font:15px/1.165 "DejaVu Sans Mono",monospace;display:inline-block}'
	echo '</style><pre>'
	aha --no-header <"$work/pane"
	echo '</pre>'
} >"$work/pane.html"
# 15 px DejaVu Sans Mono is 9.03 px wide and, at its natural height, 17.5 px high: borders join.
width=$(((columns * 904) / 100 + 40))
height=$(((lines * 175) / 10 + 32))
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=1.5 \
	--window-size="$width,$height" --screenshot="$work/screen.png" "file://$work/pane.html" >/dev/null 2>&1
cp "$work/screen.png" "$picture"
echo "$picture"
