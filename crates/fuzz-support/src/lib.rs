//! Inputs for whatever reads bytes from outside: anything at all, and sound samples with damage done to them.
//!
//! Nearly all of arbitrary bytes are refused at the first look. What is almost right gets further in, so most inputs
//! are made of samples: with bits flipped, pieces cut out, doubled, moved to elsewhere or replaced, two samples joined.
//! A sample that nothing was done to is among them, so that what is accepted is tested too.
//!
//! A target is a test whose name ends in `survive_any_bytes`; `make fuzz` runs them all by that, with many cases.

#[cfg(feature = "grpc")]
pub mod grpc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What is put in by damage: where parsers begin, end, escape, count and overflow.
const PIECES: &[&[u8]] = &[
    b"",
    b"\0",
    b" ",
    b"\n",
    b"\r\n",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b";",
    b".",
    b"-",
    b"+",
    b"=",
    b"/",
    b"@",
    b"%00",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"0",
    b"-0",
    b"-1",
    b"1e400",
    b"0.5",
    b"2147483648",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551615",
    b"18446744073709551616",
    b"\xff",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    // A mark that joins what is before it, and two letters that are one in normal form.
    "\u{301}".as_bytes(),
    "\u{1100}\u{1161}".as_bytes(),
    "\u{3000}".as_bytes(),
    "\u{feff}".as_bytes(),
    "\u{85}".as_bytes(),
    "\u{202e}".as_bytes(),
    "\u{10ffff}".as_bytes(),
];

/// One thing done to a sample.
#[derive(Clone, Debug)]
enum Damage {
    Flip {
        at: Index,
        bit: u8,
    },
    Set {
        at: Index,
        byte: u8,
    },
    Insert {
        at: Index,
        piece: Vec<u8>,
    },
    Replace {
        from: Index,
        to: Index,
        piece: Vec<u8>,
    },
    Cut {
        from: Index,
        to: Index,
    },
    End {
        at: Index,
    },
    Double {
        from: Index,
        to: Index,
    },
    Repeat {
        from: Index,
        times: u16,
    },
    Move {
        from: Index,
        to: Index,
        at: Index,
    },
    Join {
        with: Index,
        at: Index,
    },
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>, samples: &[Vec<u8>]) {
        let place = |at: &Index| at.index(bytes.len() + 1);
        let stretch = |from: &Index, to: &Index| {
            let (from, to) = (place(from), place(to));
            from.min(to)..from.max(to)
        };
        match self {
            Self::Flip { at, bit } => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Set { at, byte } => {
                let at = place(at);
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            Self::Insert { at, piece } => {
                let at = place(at);
                bytes.splice(at..at, piece.iter().copied());
            }
            Self::Replace { from, to, piece } => {
                let stretch = stretch(from, to);
                bytes.splice(stretch, piece.iter().copied());
            }
            Self::Cut { from, to } => {
                let stretch = stretch(from, to);
                bytes.drain(stretch);
            }
            Self::End { at } => {
                let at = place(at);
                bytes.truncate(at);
            }
            Self::Double { from, to } => {
                let stretch = stretch(from, to);
                let (end, piece) = (stretch.end, bytes[stretch].to_vec());
                bytes.splice(end..end, piece);
            }
            Self::Repeat { from, times } => {
                let from = place(from);
                if let Some(byte) = bytes.get(from).copied() {
                    bytes.splice(from..from, std::iter::repeat_n(byte, usize::from(*times)));
                }
            }
            Self::Move { from, to, at } => {
                let stretch = stretch(from, to);
                let piece: Vec<u8> = bytes.drain(stretch).collect();
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, piece);
            }
            Self::Join { with, at } => {
                let at = place(at);
                bytes.truncate(at);
                let other = with.get(samples);
                bytes.extend_from_slice(&other[at.min(other.len())..]);
            }
        }
    }
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => select(PIECES).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..8),
    ]
}

fn damages() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), any::<u8>()).prop_map(|(at, bit)| Damage::Flip { at, bit }),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set { at, byte }),
        4 => (at(), pieces()).prop_map(|(at, piece)| Damage::Insert { at, piece }),
        3 => (at(), at(), pieces()).prop_map(|(from, to, piece)| Damage::Replace { from, to, piece }),
        2 => (at(), at()).prop_map(|(from, to)| Damage::Cut { from, to }),
        1 => at().prop_map(|at| Damage::End { at }),
        2 => (at(), at()).prop_map(|(from, to)| Damage::Double { from, to }),
        1 => (at(), 1..300_u16).prop_map(|(from, times)| Damage::Repeat { from, times }),
        1 => (at(), at(), at()).prop_map(|(from, to, at)| Damage::Move { from, to, at }),
        2 => (at(), at()).prop_map(|(with, at)| Damage::Join { with, at }),
    ]
}

/// Any bytes: mostly one of `samples` after some damage or none, else whatever.
///
/// # Panics
///
/// Where there are no samples.
pub fn bytes<S: AsRef<[u8]>>(samples: impl IntoIterator<Item = S>) -> BoxedStrategy<Vec<u8>> {
    let samples: Vec<Vec<u8>> = samples.into_iter().map(|it| it.as_ref().to_vec()).collect();
    assert!(!samples.is_empty(), "there is nothing to do damage to");
    let damaged = (any::<Index>(), vec(damages(), 0..5)).prop_map(move |(which, damages)| {
        let mut bytes = which.get(&samples).clone();
        for damage in &damages {
            damage.apply(&mut bytes, &samples);
        }
        bytes
    });
    prop_oneof![
        12 => damaged,
        1 => vec(any::<u8>(), 0..64),
    ]
    .boxed()
}

/// Any text, made as [`bytes`] are; what is not UTF-8 afterwards is replaced.
pub fn texts<S: AsRef<[u8]>>(samples: impl IntoIterator<Item = S>) -> BoxedStrategy<String> {
    prop_oneof![
        12 => bytes(samples).prop_map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
        1 => any::<String>(),
    ]
    .boxed()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    use super::*;

    #[test]
    fn samples_come_whole_damaged_and_not_at_all() {
        let samples: [&[u8]; 2] = [b"{\"name\":\"chess\"}", b"[1,2,3]"];
        let strategy = bytes(samples);
        let mut runner = TestRunner::deterministic();
        let inputs = (0..2_000).map(|_| strategy.new_tree(&mut runner).unwrap().current());
        let inputs: Vec<Vec<u8>> = inputs.collect();

        let whole = |input: &&Vec<u8>| samples.contains(&input.as_slice());
        assert!((100..1_000).contains(&inputs.iter().filter(whole).count()));
        let distinct: HashSet<&Vec<u8>> = inputs.iter().collect();
        assert!(distinct.len() > 1_000, "{}", distinct.len());
    }

    #[test]
    fn an_empty_sample_can_be_damaged() {
        let strategy = texts([""]);
        let mut runner = TestRunner::deterministic();
        let filled = (0..200)
            .filter(|_| !strategy.new_tree(&mut runner).unwrap().current().is_empty())
            .count();
        assert!(filled > 20, "{filled}");
    }
}
