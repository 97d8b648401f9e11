//! The cases, bent in some tens of thousands of ways, through the functions that the fuzz targets call.
//!
//! Always the same ones: a failure here is one to look at, not one to run again.

use callboard_mcp::fuzz;
use callboard_tests::corpus::cases;

/// How many mutations; a few seconds, unoptimised.
const FRAMINGS: usize = 20_000;
const ARGUMENTS: usize = 20_000;
/// Larger cases are for the real transports.
const SEED_BYTES: usize = 1_500;

/// Numbers that are the same each time (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap();
        usize::try_from(self.roll() % bound).unwrap()
    }
}

/// What is put in: what parsers trip over.
const PIECES: [&[u8]; 22] = [
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\r\n",
    b"\0",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\xef\xbb\xbf",
    b"null",
    b"-1",
    b"1e999",
    b"9223372036854775808",
    b"\"id\":7",
    b"\"params\":",
    b"\"method\":\"ping\"",
    b"\x1b[2J",
];

fn mutate(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + dice.below(24)).min(bytes.len());
        match dice.below(7) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.truncate(at),
            2 => {
                let piece = PIECES[dice.below(PIECES.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
            3 => {
                let piece = PIECES[dice.below(PIECES.len())];
                bytes.splice(at..end, piece.iter().copied());
            }
            4 => {
                let copy = bytes[at..end].to_vec();
                let times = dice.below(40);
                bytes.splice(at..at, copy.repeat(times));
            }
            5 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len());
                bytes.splice(at.., other[from..].iter().copied());
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
    bytes
}

#[test]
fn mutations_of_every_line_are_framed_the_same_however_they_arrive() {
    let mut seeds: Vec<Vec<u8>> = ["messages.json", "modern.json"]
        .map(cases)
        .into_iter()
        .flatten()
        .map(|case| case.bytes)
        .filter(|bytes| bytes.len() <= SEED_BYTES)
        .collect();
    seeds.push(br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#.to_vec());
    assert!(seeds.len() > 300, "{}", seeds.len());
    for seed in &seeds {
        fuzz::framing(seed, 1);
    }
    let mut dice = Dice(1);
    for _ in 0..FRAMINGS {
        let mut bytes = mutate(&seeds, &mut dice);
        if dice.below(3) == 0 {
            bytes.push(b'\n');
            bytes.extend(mutate(&seeds, &mut dice));
        }
        fuzz::framing(&bytes, 1 + dice.below(90));
    }
}

#[test]
fn mutations_of_arguments_get_parameters_or_an_error_that_helps() {
    let mut seeds: Vec<Vec<u8>> = [
        r#"{"line":"a"}"#,
        r#"{"line":"a","text":"b\nc","id":"t_1","whole":3,"limit":20,"flag":true,"signed":-5}"#,
        r#"{"line":"ñ","list":["a","b"],"parts":[{"title":"x","key":"k","parts":[{"title":"y"}]}]}"#,
        r#"{"line":"a","kind":"plain","object":{"a":{"b":[1,null]}},"anything":[1,"x",{}]}"#,
        r#"{"line":"a","whole":11,"limit":0,"signed":1.5,"flag":"true","list":"a","parts":{"title":"x"}}"#,
    ]
    .map(|seed| seed.as_bytes().to_vec())
    .to_vec();
    for case in cases("messages.json") {
        let Some((_, params)) = case.ask else {
            continue;
        };
        let arguments = params["arguments"].to_string();
        if params["arguments"].is_object() && arguments.len() <= SEED_BYTES {
            seeds.push(arguments.replace("\"title\"", "\"line\"").into_bytes());
        }
    }
    for seed in &seeds {
        fuzz::arguments(seed);
    }
    let mut dice = Dice(2);
    for _ in 0..ARGUMENTS {
        fuzz::arguments(&mutate(&seeds, &mut dice));
    }
}
