//! Taps and feeds on real threads: read and written while a call goes on, and while its leg moves.

use media::TapId;

use super::*;

#[test]
fn a_tapped_call_moves_to_where_it_is_decoded_and_is_heard_both_ways_by_whoever_listens() {
    let (a, b) = (LegId(1), LegId(2));
    let mut box_ = start(1, recordings());
    let mut ann = box_.leg(a, None, CodecKind::G722);
    let mut bob = box_.leg(b, Some(a), CodecKind::G722);
    box_.plane.command(Command::Bridge { a, b });
    let mut reader = box_.plane.taps().take(TapId(1));
    box_.plane.command(Command::Tap { leg: a, tap: TapId(1), what: RecordWhat::Dual });
    let (mut frames, mut at) = (0, None);
    every_frame(60, |_| {
        // Not sound of G.722 but of its length: what matters here is that it is handed over.
        ann.send(9, ann.timestamp, &[0x55; 160]);
        bob.send(9, bob.timestamp, &[0xAA; 160]);
        ann.timestamp += 160;
        bob.timestamp += 160;
        while let Some(frame) = reader.try_next() {
            assert!(at.is_none_or(|at: u64| frame.at == at + 160), "{at:?} {}", frame.at);
            at = Some(frame.at);
            frames += 1;
        }
    });
    assert!(frames >= 45, "{frames}");
    bob.listen();
    assert!(bob.heard.len() > 45, "the call went on: {}", bob.heard.len());
    box_.plane.command(Command::Untap { leg: a, tap: TapId(1) });
    while reader.next_within(PATIENCE).is_some() {}
    assert!(reader.is_over() && reader.lost() == 0);

    // What is fed is heard; so is that its leg is gone.
    let feed = box_.plane.taps().feed(TapId(2));
    box_.plane.command(Command::Feed { leg: a, feed: TapId(2) });
    feed.put(&tone(500.0, 400));
    let end = Instant::now() + PATIENCE;
    while feed.played() < 3_200 {
        assert!(Instant::now() < end, "{} samples played", feed.played());
        std::thread::sleep(Duration::from_millis(2));
    }
    box_.plane.command(Command::Close { leg: a });
    while !feed.is_over() {
        assert!(Instant::now() < end, "a feed of a closed leg ends");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!({
        box_.plane.command(Command::Tap { leg: a, tap: TapId(3), what: RecordWhat::Sent });
        box_.plane.taps().take(TapId(3)).next_within(PATIENCE).is_none()
    });
}
