//! Words that must fit.
//!
//! Responsible for cutting texts to what the API server accepts, and for the stable hash that stands where
//! others would draw a random number. Knows nothing of what the texts say.

/// The longest beginning of `text` of at most `bytes` bytes that does not cut a character in two.
pub(crate) fn clip(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// FNV-1a, 64 bits, over the parts with a separator between them: the same in every process and release.
pub(crate) fn fingerprint(parts: &[&str]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    parts
        .iter()
        .flat_map(|part| part.bytes().chain([0]))
        .fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_never_cut_inside_a_character() {
        assert_eq!(clip("größe", 3), "gr");
        assert_eq!(clip("größe", 4), "grö");
        assert_eq!(clip("short", 100), "short");
    }

    #[test]
    fn the_separator_keeps_parts_apart() {
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
    }
}
