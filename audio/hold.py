#!/usr/bin/env python3
"""Writes the hold music: 20 s of plucked chords that begin again without a seam.

Usage: hold.py OUT.wav

Eight bars at 96 beats a minute are 20 s exactly. Every note that rings past the end is added to the
beginning, so that the loop has no edge. All partials lie between 150 and 3400 Hz, where a telephone hears.
"""

import math
import random
import struct
import sys
import wave

RATE = 16000
BEAT = 60 / 96
SECONDS = 32 * BEAT
TOTAL = round(RATE * SECONDS)

# One chord a bar, low to high, as MIDI note numbers: Cmaj7 Am7 Fmaj7 G6 Em7 Am7 Dm7 G7sus.
CHORDS = [
    (48, 64, 67, 71, 76),
    (45, 64, 67, 72, 76),
    (53, 64, 69, 72, 77),
    (55, 62, 67, 71, 76),
    (52, 62, 67, 71, 79),
    (57, 64, 67, 72, 76),
    (50, 65, 69, 72, 77),
    (55, 60, 65, 69, 74),
]
# Which of the chord's notes each eighth of a bar plucks.
PATTERN = (1, 2, 3, 4, 3, 2, 3, 2)
# Sparse melody over it: bar, beat, note, beats.
MELODY = [
    (0, 0.0, 79, 2), (0, 2.5, 76, 1.5), (1, 1.0, 81, 1), (1, 2.0, 79, 2),
    (2, 0.5, 77, 1.5), (2, 2.0, 76, 2), (3, 0.0, 74, 3), (4, 0.0, 76, 2),
    (4, 2.5, 79, 1.5), (5, 1.0, 84, 1), (5, 2.0, 83, 2), (6, 0.5, 81, 1.5),
    (6, 2.0, 77, 2), (7, 0.0, 79, 3),
]

mix = [0.0] * TOTAL


def hertz(note):
    return 440 * 2 ** ((note - 69) / 12)


def add(start, note, length, loudness, attack, decay, partials):
    """Adds a note of a few partials that swells for `attack` and falls by 1/e every `decay` seconds."""
    first = round(start * RATE)
    count = round(length * RATE)
    for order, share in partials:
        step = math.tau * hertz(note) * order / RATE
        if not 150 <= step * RATE / math.tau <= 3400:
            continue
        for n in range(count):
            t = n / RATE
            swell = min(1.0, t / attack)
            release = min(1.0, (count - n) / (0.06 * RATE))
            level = loudness * share * swell * release * math.exp(-t * order**0.5 / decay)
            mix[(first + n) % TOTAL] += level * math.sin(step * n)


PLUCK = [(1, 1.0), (2, 0.45), (3, 0.2), (4, 0.08)]
PAD = [(1, 1.0), (2, 0.3), (3, 0.12)]
BELL = [(1, 1.0), (2, 0.15), (3, 0.25)]

random.seed(20)
for bar, chord in enumerate(CHORDS):
    start = bar * 4 * BEAT
    for note in chord:
        add(start, note, 4.4 * BEAT, 0.05, 0.35, 4.0, PAD)
    for eighth, voice in enumerate(PATTERN):
        late = random.uniform(0, 0.012)
        soft = 1.0 if eighth % 4 == 0 else random.uniform(0.65, 0.85)
        add(start + eighth * BEAT / 2 + late, chord[voice], 1.4, 0.16 * soft, 0.004, 0.45, PLUCK)
for bar, beat, note, beats in MELODY:
    add((bar * 4 + beat) * BEAT, note, beats * BEAT + 0.8, 0.11, 0.02, 0.9, BELL)

# -20 dB on average below full scale, as speech is on a telephone line.
mean = math.sqrt(sum(x * x for x in mix) / TOTAL)
gain = 10 ** (-20 / 20) / mean
peak = max(abs(x) for x in mix) * gain
if peak > 0.9:
    sys.exit(f"too loud: peak {peak:.2f}")
with wave.open(sys.argv[1], "wb") as out:
    out.setnchannels(1)
    out.setsampwidth(2)
    out.setframerate(RATE)
    out.writeframes(b"".join(struct.pack("<h", round(x * gain * 32767)) for x in mix))
