#!/bin/sh
# Makes the files of this folder again: 0.3 s of 440 Hz at half of full scale. Needs sox, flac, ffmpeg with
# libmp3lame, libopus and libvorbis. Encoders write their version into what they make, so bytes may differ.
set -eu
cd "$(dirname "$0")"
tone() { rate=$1; shift; sox -R -D -n -r "$rate" -c 1 "$@" synth 0.3 sine 440 vol 0.5; }
code() { ffmpeg -v error -y -i source.wav -map_metadata -1 "$@"; }

tone 8000 -b 8 -e unsigned pcm8-8k.wav
tone 11025 -b 16 pcm16-11k.wav
tone 8000 -b 24 pcm24-8k.wav
tone 8000 -b 32 -e signed pcm32-8k.wav
tone 8000 -b 32 -e float float-8k.wav
tone 8000 -e u-law ulaw-8k.wav
tone 8000 -e a-law alaw-8k.wav
tone 8000 -t ul raw-8k.ulaw
tone 8000 -e u-law ulaw-8k.au
tone 16000 -b 16 pcm16-16k.aiff
# The tone on the left, silence on the right: half as loud in mono.
sox -R -D -n -r 8000 -b 16 -c 2 stereo-8k.wav synth 0.3 sine 440 vol 0.5 remix 1 0

tone 44100 -b 16 source.wav
code -c:a libmp3lame -b:a 48k -id3v2_version 3 -metadata title="440 Hz" mp3-44k.mp3
code -ar 24000 -c:a libmp3lame -b:a 32k mp3-24k.mp3
code -ar 48000 -sample_fmt s16 source48.wav
flac -s -f --no-padding -b 1152 -o flac-48k.flac source48.wav
code -c:a libvorbis -q:a 0 -page_duration 40000 vorbis-44k.ogg
code -ar 22050 -c:a aac -b:a 32k aac-22k.m4a
code -ar 44100 -c:a aac -b:a 48k aac-44k.aac
# As recordings of two channels are.
ffmpeg -v error -y -i stereo-8k.wav -map_metadata -1 -c:a libopus -b:a 32k -mapping_family 255 opus-stereo.ogg
rm source.wav source48.wav

# A second of a voice as bare samples, for the codecs; their tests have checksums of what was made of this very
# one, so a new one wants new figures: the CRC-32 of what
# `ffmpeg -f s16le -ar 16000 -i speech-16k.s16 -f g722 -` gives, and of that decoded again.
[ -e speech-16k.s16 ] || {
	espeak-ng -v en-us -w voice.wav "Glue the sheet to it."
	ffmpeg -v error -y -i voice.wav -ar 16000 -ac 1 -af "volume=3dB,atrim=0.05:1.05" -f s16le speech-16k.s16
	rm voice.wav
}
