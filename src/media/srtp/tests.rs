//! Published vectors, and what must hold for any key.

use super::cipher::{Cipher, Cm, Gcm};
use super::derive::{Label, derive};
use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn key(key: &str, salt: &str) -> SrtpKey {
    let mut made = SrtpKey { key: [0; 32], salt: [0; 14] };
    let (key, salt) = (hex(key), hex(salt));
    made.key[..key.len()].copy_from_slice(&key);
    made.salt[..salt.len()].copy_from_slice(&salt);
    made
}

/// RFC 3711 appendix B.3.
fn appendix_b() -> SrtpKey {
    key("E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6")
}

/// `plain` with room behind it.
fn with_room(plain: &[u8]) -> Vec<u8> {
    [plain, &[0xee; OVERHEAD_MAX]].concat()
}

fn packet(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let [s1, s2] = sequence.to_be_bytes();
    [&[0x80, 0, s1, s2, 0, 0, 0, 160], &ssrc.to_be_bytes()[..], payload].concat()
}

fn protected(protector: &mut Protector, ssrc: u32, sequence: u16) -> Vec<u8> {
    let plain = packet(ssrc, sequence, &[0x55; 160]);
    let mut buffer = with_room(&plain);
    let len = protector.rtp(&mut buffer, plain.len());
    buffer[..len].to_vec()
}

const SUITES: [SrtpSuite; 3] =
    [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AesCm128HmacSha1_32, SrtpSuite::AeadAes256Gcm];

#[test]
fn the_short_tag_is_the_begin_of_the_long_one_on_rtp_alone() {
    let sealed = |suite| {
        let mut protector = Protector::new(suite, &appendix_b());
        let rtp = protected(&mut protector, 1, 1);
        let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
        let mut buffer = with_room(&report);
        (rtp, protector.rtcp(&mut buffer, report.len()) - report.len())
    };
    let (long, long_report) = sealed(SrtpSuite::AesCm128HmacSha1_80);
    let (short, short_report) = sealed(SrtpSuite::AesCm128HmacSha1_32);
    assert_eq!((long.len(), short.len()), (172 + 10, 172 + 4));
    assert_eq!(short, long[..176]);
    // Index and tag (RFC 4568 §6.2.2).
    assert_eq!((long_report, short_report), (4 + 10, 4 + 10));
}

#[test]
fn session_keys_are_derived_as_in_rfc_3711() {
    let (suite, key) = (SrtpSuite::AesCm128HmacSha1_80, appendix_b());
    assert_eq!(derive::<16>(suite, &key, Label::RtpKey)[..], hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(derive::<14>(suite, &key, Label::RtpSalt)[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
    let tag = hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578E");
    assert_eq!(derive::<44>(suite, &key, Label::RtpTag)[..], tag);
}

#[test]
fn the_counter_mode_key_stream_is_that_of_rfc_3711() {
    let cm = Cm::with_session_keys(
        hex("2B7E151628AED2A6ABF7158809CF4F3C").try_into().unwrap(),
        hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap(),
        &[],
        10,
    );
    let mut stream = vec![0; 16 * 0xff02];
    cm.keystream(0, 0, &mut stream);
    let begin =
        "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0";
    let end =
        "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44";
    assert_eq!(stream[..48], hex(begin));
    assert_eq!(stream[16 * 0xfeff..16 * 0xff02], hex(end));
}

/// The packets of libsrtp's own tests.
#[test]
fn whole_packets_are_those_of_libsrtp() {
    let mut protector = Protector::new(SrtpSuite::AesCm128HmacSha1_80, &appendix_b());
    let plain = hex("800f1234decafbadcafebabe abababababababababababababababab");
    let want = hex("800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb");
    let mut buffer = with_room(&plain);
    let len = protector.rtp(&mut buffer, plain.len());
    assert_eq!(buffer[..len], want);

    let plain = hex("81c8000bcafebabe abababababababababababababababab");
    let want = hex("81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798");
    let mut unprotector = Unprotector::new(SrtpSuite::AesCm128HmacSha1_80, &appendix_b());
    let mut buffer = with_room(&plain);
    // Its first packet has the index 1.
    protector.rtcp(&mut buffer, plain.len());
    buffer[..plain.len()].copy_from_slice(&plain);
    let len = protector.rtcp(&mut buffer, plain.len());
    assert_eq!(buffer[..len], want);
    let len = unprotector.rtcp(&mut buffer[..len]).unwrap();
    assert_eq!(buffer[..len], plain);
}

#[test]
fn galois_counter_mode_is_that_of_rfc_7714() {
    let key = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    let salt = hex("517569642070726f2071756f");
    let cipher = || Cipher::Gcm(Box::new(Gcm::with_session_keys(&key, salt.clone().try_into().unwrap())));
    // §16.2.1 and §16.2.2
    let plain = hex(
        "8040f17b8041f8d35501a0b2 47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573",
    );
    let want = hex(
        "8040f17b8041f8d35501a0b2 32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b\
         7aa3db36dfffd6b0f9bb7878d7a76c13",
    );
    let mut buffer = with_room(&plain);
    let len = cipher().seal_rtp(&mut buffer, 12, plain.len(), 0x5501_a0b2, 0xf17b);
    assert_eq!(buffer[..len], want);
    assert_eq!(cipher().open_rtp(&mut buffer[..len], 12, 0x5501_a0b2, 0xf17b), Ok(plain.len()));
    assert_eq!(buffer[..plain.len()], plain);
    // §17.3 and §17.4
    let plain = hex(
        "81c8000d4d617273 4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
    );
    let want = hex(
        "81c8000d4d617273 d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad\
         1d1eb30c4446839f57ff6f6cb26ac3be 800005d4",
    );
    let mut buffer = with_room(&plain);
    let len = cipher().seal_rtcp(&mut buffer, plain.len(), 0x4d61_7273, 0x5d4);
    assert_eq!(buffer[..len], want);
    let word = cipher().rtcp_index_word(&buffer[..len]).unwrap();
    assert_eq!(word, 0x8000_05d4);
    assert_eq!(cipher().open_rtcp(&mut buffer[..len], 0x4d61_7273, word), Ok(plain.len()));
    assert_eq!(buffer[..plain.len()], plain);
}

#[test]
fn what_one_side_protects_the_other_unprotects() {
    for suite in SUITES {
        let key = key("000102030405060708090a0b0c0d0e0f", "a0a1a2a3a4a5a6a7a8a9aaab");
        let (mut here, mut there) = (Protector::new(suite, &key), Unprotector::new(suite, &key));
        // A header with two contributing sources and an extension; nothing of it is hidden.
        let header = hex("9280 0001 00000000 00001234 00000001 00000002 bede0001 10aabbcc");
        for payload in [0, 1, 160, 1_400] {
            let mut plain = [&header[..], &vec![7; payload]].concat();
            plain[2..4].copy_from_slice(&(payload as u16).to_be_bytes());
            let mut buffer = with_room(&plain);
            let len = here.rtp(&mut buffer, plain.len());
            assert!(len > plain.len() && len <= plain.len() + OVERHEAD_MAX, "{suite:?}");
            assert_eq!(buffer[..header.len()], plain[..header.len()]);
            assert!(payload < 16 || buffer[header.len()..plain.len()] != plain[header.len()..]);
            let opened = there.rtp(&mut buffer[..len]).unwrap();
            assert_eq!(buffer[..opened], plain, "{suite:?}");
        }
        let report = hex("80c90001 00001234 81ca0002 00001234 01010000");
        for _ in 0..3 {
            let mut buffer = with_room(&report);
            let len = here.rtcp(&mut buffer, report.len());
            let opened = there.rtcp(&mut buffer[..len]).unwrap();
            assert_eq!(buffer[..opened], report, "{suite:?}");
        }
    }
}

#[test]
fn a_changed_packet_is_forged_and_one_that_came_is_replayed() {
    for suite in SUITES {
        let mut protector = Protector::new(suite, &appendix_b());
        let mut unprotector = Unprotector::new(suite, &appendix_b());
        let good = protected(&mut protector, 7, 100);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(unprotector.rtp(&mut bad).is_err(), "{suite:?}: byte {at} can be changed");
        }
        for len in 0..good.len() {
            assert!(unprotector.rtp(&mut good.clone()[..len]).is_err(), "{suite:?}: cut to {len}");
        }
        assert!(unprotector.rtp(&mut good.clone()).is_ok());
        assert_eq!(unprotector.rtp(&mut good.clone()), Err(SrtpError::Replayed));

        let mut buffer = with_room(&hex("80c90001 00000007"));
        let len = protector.rtcp(&mut buffer, 8);
        for at in 0..len {
            let mut bad = buffer[..len].to_vec();
            bad[at] ^= 1;
            assert!(unprotector.rtcp(&mut bad).is_err(), "{suite:?}: byte {at} can be changed");
        }
        for cut in 0..len {
            assert!(unprotector.rtcp(&mut buffer[..cut].to_vec()).is_err(), "{suite:?}: cut to {cut}");
        }
        assert_eq!(unprotector.rtcp(&mut buffer[..len].to_vec()), Ok(8));
        assert_eq!(unprotector.rtcp(&mut buffer[..len].to_vec()), Err(SrtpError::Replayed));
    }
}

#[test]
fn sequence_numbers_wrap_again_and_again_with_reordering_and_loss() {
    for suite in SUITES {
        let mut protector = Protector::new(suite, &appendix_b());
        let mut unprotector = Unprotector::new(suite, &appendix_b());
        let mut rng = base::Rng::seeded(3);
        let mut held: Option<Vec<u8>> = None;
        for n in 0..200_000_u32 {
            let packet = protected(&mut protector, 7, n as u16);
            if n % 50 != 0 && rng.chance(0.01) {
                held = Some(packet);
            } else if !rng.chance(0.05) {
                assert!(unprotector.rtp(&mut packet.clone()).is_ok(), "{suite:?}: packet {n}");
                if let Some(mut late) = held.take() {
                    assert!(unprotector.rtp(&mut late).is_ok(), "{suite:?}: late packet before {n}");
                }
            }
        }
    }
}

/// A forged source costs nothing: the one that counts is not forgotten for it.
#[test]
fn forged_sources_leave_no_trace() {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let mut protector = Protector::new(suite, &appendix_b());
    let mut unprotector = Unprotector::new(suite, &appendix_b());
    for n in 0..70_000_u32 {
        let packet = protected(&mut protector, 7, n as u16);
        if n % 16 == 0 {
            assert!(unprotector.rtp(&mut packet.clone()).is_ok());
        }
    }
    for ssrc in 1_000..1_100 {
        assert_eq!(unprotector.rtp(&mut packet(ssrc, 1, &[0; 40])), Err(SrtpError::Forged));
        assert_eq!(unprotector.rtp(&mut packet(7, ssrc as u16 * 7, &[0; 40])), Err(SrtpError::Forged));
    }
    let mut next = protected(&mut protector, 7, 70_000_u32 as u16);
    assert!(unprotector.rtp(&mut next).is_ok(), "its rollover counter is still known");
}

#[test]
fn whatever_arrives_nothing_panics() {
    let mut rng = base::Rng::seeded(9);
    for suite in SUITES {
        let mut protector = Protector::new(suite, &appendix_b());
        let mut unprotector = Unprotector::new(suite, &appendix_b());
        for _ in 0..20_000 {
            let len = rng.below(80) as usize;
            let mut bytes: Vec<u8> = (0..len).map(|_| rng.u32() as u8).collect();
            if let Some(first) = bytes.first_mut().filter(|_| rng.chance(0.8)) {
                *first = 0x80 | *first & 0x3f;
            }
            assert!(unprotector.rtp(&mut bytes.clone()).is_err());
            assert!(unprotector.rtcp(&mut bytes.clone()).is_err());
            let plain = rng.below(100) as usize;
            let _ = (protector.rtp(&mut bytes.clone(), plain), protector.rtcp(&mut bytes, plain));
        }
    }
    let mut protector = Protector::new(SUITES[0], &appendix_b());
    let plain = packet(7, 1, &[1; 20]);
    assert_eq!(protector.rtp(&mut plain.clone(), plain.len()), 0, "there is no room");
    assert_eq!(protector.rtcp(&mut [0x80, 200, 0, 1, 0, 0, 0, 7], 8), 0, "there is no room");
}
