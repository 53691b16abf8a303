//! Which status codes have a label of their own. An upstream may send any number: what is not registered is counted with
//! its hundred, so that nobody can make labels without end.

/// The codes that have one, in order: those of the IANA registry that an HTTP proxy may see, and 499 for a client that
/// left before there was an answer.
const CODES: [(u16, &str); 58] = [
    (101, "101"),
    (200, "200"),
    (201, "201"),
    (202, "202"),
    (203, "203"),
    (204, "204"),
    (205, "205"),
    (206, "206"),
    (300, "300"),
    (301, "301"),
    (302, "302"),
    (303, "303"),
    (304, "304"),
    (305, "305"),
    (307, "307"),
    (308, "308"),
    (400, "400"),
    (401, "401"),
    (402, "402"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (406, "406"),
    (407, "407"),
    (408, "408"),
    (409, "409"),
    (410, "410"),
    (411, "411"),
    (412, "412"),
    (413, "413"),
    (414, "414"),
    (415, "415"),
    (416, "416"),
    (417, "417"),
    (418, "418"),
    (421, "421"),
    (422, "422"),
    (423, "423"),
    (424, "424"),
    (425, "425"),
    (426, "426"),
    (428, "428"),
    (429, "429"),
    (431, "431"),
    (451, "451"),
    (499, "499"),
    (500, "500"),
    (501, "501"),
    (502, "502"),
    (503, "503"),
    (504, "504"),
    (505, "505"),
    (506, "506"),
    (507, "507"),
    (508, "508"),
    (510, "510"),
    (511, "511"),
    (529, "529"),
];
const HUNDREDS: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];

/// How many labels there are.
pub const SLOTS: usize = CODES.len() + HUNDREDS.len();

/// Where a code is counted.
pub fn slot(code: u16) -> usize {
    match CODES.binary_search_by_key(&code, |(known, _)| *known) {
        Ok(slot) => slot,
        Err(_) => CODES.len() + usize::from((code / 100).wrapping_sub(1)).min(HUNDREDS.len() - 1),
    }
}

/// The label of a slot.
pub fn name(slot: usize) -> &'static str {
    match CODES.get(slot) {
        Some((_, name)) => name,
        None => HUNDREDS.get(slot.wrapping_sub(CODES.len())).copied().unwrap_or("other"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_label() {
        assert!(CODES.is_sorted_by_key(|(code, _)| *code));
        for (code, label) in CODES {
            assert_eq!((label, name(slot(code))), (code.to_string().as_str(), label));
        }
        for (code, label) in [(100, "1xx"), (299, "2xx"), (399, "3xx"), (499, "499"), (599, "5xx"), (600, "other")] {
            assert_eq!(name(slot(code)), label);
        }
        for code in 0..=u16::MAX {
            assert!(slot(code) < SLOTS);
        }
    }
}
