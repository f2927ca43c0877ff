#!/usr/bin/env python3
"""What a listener would say of each way through the box, by PESQ (ITU-T P.862.1 narrowband, P.862.2 wideband).

Makes speech with espeak-ng, sends it through the codecs with `passes.rs`, and compares what comes out with
what went in. Run it in a virtual environment with `pip install numpy pesq`; `cargo build --release --example passes`
builds the example, `--example PATH` names it where it is not in `target/`.

A second codec takes its toll from any sound, also where nothing stands in between: two codecs in a row are never as
good as one. What the box answers for is that its second step costs no more than that codec costs alone: so a transcode's
output is also compared with what came out of its first codec. And each pair of codecs goes through the engine, with the
phone's jitter buffer behind it: that must not be worse by more than 0.1 than the bare codecs. Exits non-zero when that is worse by more than 0.1 than the
second codec's direct pass.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import wave

import numpy
import pesq

SENTENCES = [
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background.",
    "It's easy to tell the depth of a well. These days a chicken leg is a rare dish.",
    "Rice is often served in round bowls. The juice of lemons makes fine punch.",
    "The box was thrown beside the parked truck. The hogs were fed chopped corn and garbage.",
]
VOICES = ["en-us", "en-us+f3", "en-gb", "en-us+m7"]
WORSE_MAX = 0.1


def samples(path):
    with wave.open(str(path)) as file:
        data = numpy.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return file.getframerate(), data


def speech(folder, rate):
    """One file a sentence, at the rate asked for."""
    paths = []
    for number, (text, voice) in enumerate(zip(SENTENCES, VOICES)):
        raw, path = folder / f"raw{number}.wav", folder / f"speech{rate}-{number}.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-w", raw, text], check=True)
        subprocess.run(
            ["ffmpeg", "-v", "error", "-y", "-i", raw, "-ar", str(rate), "-ac", "1", "-c:a", "pcm_s16le",
             "-af", "volume=-3dB,apad=pad_dur=0.5", path], check=True)
        paths.append(path)
    return paths


def mos(reference, degraded):
    """MOS-LQO, narrowband or wideband as the reference is; the other one is brought to its rate."""
    rate, ref = samples(reference)
    got, deg = samples(degraded)
    assert got == rate, f"{degraded} has {got} Hz"
    return pesq.pesq(rate, ref, deg, "nb" if rate == 8000 else "wb")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--example", default="target/release/examples/passes")
    arguments = parser.parse_args()
    scores, steps = {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for rate in (8000, 16000):
            for path in speech(folder, rate):
                output = subprocess.run([arguments.example, path, folder], check=True, capture_output=True, text=True)
                direct = {}
                for line in output.stdout.splitlines():
                    what, degraded = line.rsplit("\t", 1)
                    direct.setdefault(what, degraded)
                    if " > " in what and not what.startswith("box"):
                        first = direct[what.split(" > ")[0]]
                        steps.setdefault((rate, what), []).append(mos(first, degraded))
                    scores.setdefault((rate, what), []).append(mos(path, degraded))
    mean = {key: float(numpy.mean(values)) for key, values in scores.items()}
    worst = worst_box = 0.0
    for rate in (8000, 16000):
        print(f"\n{rate // 1000} kHz speech, MOS-LQO ({'narrowband' if rate == 8000 else 'wideband'}), "
              f"mean of {len(SENTENCES)} sentences")
        for (of, what), score in mean.items():
            if of != rate:
                continue
            note = ""
            if what.startswith("box") and "," not in what:
                # The box against the same codecs with nothing in between.
                one, other = what.removeprefix("box: ").split(" > ")
                bare = mean[(rate, one if one == other else f"{one} > {other}")]
                note = f"   bare codecs {bare:.2f}"
                worst_box = max(worst_box, bare - score)
            elif " > " in what and not what.startswith("box"):
                step = float(numpy.mean(steps[(rate, what)]))
                direct = mean[(rate, what.split(" > ")[1])]
                note = f"   second step {step:.2f}, that codec alone {direct:.2f}"
                worst = max(worst, direct - step)
            print(f"{what:40} {score:.2f}{note}")
    print(f"\nworst second step: {worst:.2f} below a direct pass (at most {WORSE_MAX})")
    print(f"worst pass through the box: {worst_box:.2f} below the bare codecs (at most {WORSE_MAX})")
    return 1 if max(worst, worst_box) > WORSE_MAX else 0


if __name__ == "__main__":
    sys.exit(main())
