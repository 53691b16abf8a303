//! What is fuzzed (`fuzz/`), here over the seeds and over what small changes make of them: no crash, and what each entry
//! holds to be true of any input.

#[path = "../../fuzz/src/entries.rs"]
mod entries;

/// Changed seeds of each entry.
const CHANGED: usize = 1000;

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % most.max(1)
    }
}

/// A seed with a few changes: bytes put in, taken out, doubled, turned into others, and parts of another seed.
fn changed(seed: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    const TELLING: &[u8] = b"\0\r\n\t \"\\{}[]:,;=%&/.?#0-eE+\x7f\x80\xff";
    let mut bytes = seed.to_vec();
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len() + 1);
        let end = (at + chance.below(8)).min(bytes.len());
        match chance.below(6) {
            0 => bytes.insert(at, TELLING[chance.below(TELLING.len())]),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part.repeat(chance.below(20)));
            }
            3 if at < bytes.len() => bytes[at] = u8::try_from(chance.below(256)).unwrap(),
            4 if at < bytes.len() => bytes[at] = TELLING[chance.below(TELLING.len())],
            _ => {
                let from = chance.below(other.len() + 1);
                bytes.splice(at..end, other[from..(from + chance.below(30)).min(other.len())].iter().copied());
            }
        }
    }
    bytes
}

fn all_of(name: &str, entry: fn(&[u8])) {
    let seeds = entries::seeds(name);
    assert!(!seeds.is_empty(), "{name} has no seeds");
    seeds.iter().for_each(|seed| entry(seed));
    let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
    for _ in 0..CHANGED {
        let (seed, other) = (&seeds[chance.below(seeds.len())], &seeds[chance.below(seeds.len())]);
        let bytes = changed(seed, other, &mut chance);
        // Said only if the entry panics: what it was given.
        let told = std::panic::catch_unwind(|| entry(&bytes));
        assert!(told.is_ok(), "{name}: {:?}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn every_entry_holds_over_its_seeds_and_what_is_like_them() {
    for (name, entry) in entries::ENTRIES {
        all_of(name, entry);
    }
}
