//! The bytes that stand before a member's content.
//!
//! ustar with nothing that differs between machines; a PAX record for a path that does not fit and for a size that the
//! octal field cannot hold, and nothing else.

use tar::{EntryType, Header};

/// Bytes that close an archive: two blocks of zeros.
pub(crate) const END: u64 = 2 * BLOCK;

/// Size of a block; headers and contents are padded to it.
pub(crate) const BLOCK: u64 = 512;

/// The largest size that the eleven octal digits of a header can hold.
const LARGEST: u64 = 0o777_7777_7777;

/// Name of the member that carries PAX records, by convention.
const PAX_NAME: &str = "././@PaxHeader";

/// All blocks before the content of a member.
pub(crate) fn blocks(name: &str, size: u64, mode: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    let split = split(name);
    let mut records = String::new();
    if split.is_none() {
        records.push_str(&record("path", name));
    }
    if size > LARGEST {
        records.push_str(&record("size", &size.to_string()));
    }
    if !records.is_empty() {
        let length = records.len() as u64;
        bytes.extend(block(("", PAX_NAME), length, 0o644, EntryType::XHeader));
        bytes.extend_from_slice(records.as_bytes());
        bytes.resize(bytes.len() + padding(length), 0);
    }
    let fields = split.unwrap_or_else(|| ("", cut(name)));
    // The record overrules the field, which cannot hold the size.
    let size = if size > LARGEST { 0 } else { size };
    bytes.extend(block(fields, size, mode, EntryType::Regular));
    bytes
}

/// The length of [`blocks`], without making them.
pub(crate) fn length(name: &str, size: u64) -> u64 {
    if split(name).is_some() && size <= LARGEST {
        return BLOCK;
    }
    blocks(name, size, 0o644).len() as u64
}

/// Zero bytes between a content of this length and the next block.
pub(crate) fn padding(length: u64) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "less than the size of a block")]
    {
        (length.next_multiple_of(BLOCK) - length) as usize
    }
}

fn block((prefix, name): (&str, &str), size: u64, mode: u32, entry_type: EntryType) -> [u8; 512] {
    let mut header = Header::new_ustar();
    header.set_entry_type(entry_type);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    let fields = header.as_ustar_mut().expect("the header was made as ustar");
    fields.name[..name.len()].copy_from_slice(name.as_bytes());
    fields.prefix[..prefix.len()].copy_from_slice(prefix.as_bytes());
    header.as_old_mut().cksum = [b' '; 8];
    let sum: u32 = header.as_bytes().iter().map(|byte| u32::from(*byte)).sum();
    // Six digits, NUL, blank: as POSIX's own example, GNU tar and Python write it. The crate's form is another.
    header.as_old_mut().cksum[..7].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    *header.as_bytes()
}

/// Prefix and name of a path that fits into the two fields of ustar, 155 and 100 bytes; the longest name that fits.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.len() <= 100 {
        return Some(("", path));
    }
    let slashes = path
        .bytes()
        .enumerate()
        .filter(|(_, byte)| *byte == b'/')
        .map(|(index, _)| index);
    // The first slash after which the rest fits leaves the shortest prefix.
    let cut = slashes.into_iter().find(|index| path.len() - index - 1 <= 100)?;
    let (prefix, name) = (&path[..cut], &path[cut + 1..]);
    (!prefix.is_empty() && prefix.len() <= 155 && !name.is_empty()).then_some((prefix, name))
}

/// What of a long path the field of a reader without PAX would show.
fn cut(path: &str) -> &str {
    &path[..path.floor_char_boundary(100)]
}

/// A PAX record: its own length in digits, a blank, key, equals sign, value, line feed.
fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_digits() {
        assert_eq!(record("path", "a"), "9 path=a\n");
        assert_eq!(record("path", "aa"), "11 path=aa\n");
        for length in 1..2_000 {
            let record = record("path", &"x".repeat(length));
            let digits = record.split(' ').next().unwrap();
            assert_eq!(digits.parse(), Ok(record.len()));
        }
    }

    #[test]
    fn a_path_is_split_where_both_parts_fit() {
        let name = |length: usize| "n".repeat(length);
        assert_eq!(split(&name(100)), Some(("", name(100).as_str())));
        assert_eq!(split(&name(101)), None);
        let both = format!("{}/{}", name(155), name(100));
        assert_eq!(split(&both), Some((name(155).as_str(), name(100).as_str())));
        assert_eq!(split(&format!("{}/{}", name(156), name(100))), None);
        assert_eq!(split(&format!("a/{}", name(101))), None);
        let deep = format!("a/b/{}/c", name(98));
        assert_eq!(split(&deep), Some(("a/b", format!("{}/c", name(98)).as_str())));
    }

    #[test]
    fn a_size_over_eight_gibibytes_gets_a_record() {
        assert_eq!(blocks("a", LARGEST, 0o644).len(), 512);
        let large = blocks("a", LARGEST + 1, 0o644);
        assert_eq!(large.len(), 512 * 3);
        assert!(large[512..].starts_with(b"19 size=8589934592\n"));
    }
}
