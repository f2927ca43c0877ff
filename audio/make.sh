#!/bin/sh
# Makes every sound of this folder again. Needs python3, espeak-ng, sox and flac, oggenc.
# Encoders write their version into what they make, so bytes may differ between machines.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

python3 hold.py "$work/hold.wav"
oggenc -Q -s 1 -q 3 -o hold.ogg "$work/hold.wav"

# Speech at 16 kHz, between a moment of silence on both sides, at the level of a telephone call.
say() {
    espeak-ng -v en-us -s 150 -p 40 -w "$work/$1.wav" "$2"
    sox -R "$work/$1.wav" -r 16000 -b 16 "$work/$1-16k.wav" highpass 150 norm -6 pad 0.25 0.25
    flac -s -f -8 --no-padding -o "$1.flac" "$work/$1-16k.wav"
}
say application-error "We are sorry. An application error has occurred. Goodbye."

sox -R -n -r 16000 -b 16 -c 1 "$work/beep.wav" synth 0.4 sine 1000 vol 0.16 fade t 0.004 0.4 0.004
flac -s -f -8 --no-padding -o beep.flac "$work/beep.wav"
