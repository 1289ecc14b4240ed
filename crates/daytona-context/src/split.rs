//! Where a large context is split into archives.
//!
//! The service merges a list of archives into one tree, so that after an edit only the archive with the edited file has to be
//! sent again. For that the borders have to stay where they are when something is added, removed or resized elsewhere. They do,
//! because they follow from the names: a range that is too large is split before the member whose name has the greatest hash,
//! and its two parts are treated the same way. A member that comes or goes moves the borders of its own neighbours only: one
//! change re-sends at most two archives, and the file itself.
//!
//! The split is a pure function of the sorted list of names and sizes. Changing it changes hashes: it has a version.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

/// The version of the split. Another version puts the same files into other archives.
pub const SPLIT_VERSION: u32 = 2;

/// The largest archive in bytes, unless it consists of one larger file.
///
/// Measured: with 32 MiB an edit of one file re-sends 20 MB of a typical context, eight seconds of a home line, and eight requests
/// at once have nothing to share below 160 MB. With 4 MiB a context of 1 GiB has more archives than there may be.
pub const MAX_ARCHIVE_SIZE: u64 = 8 * 1024 * 1024;

/// The most archives of a context. If there would be more, the size limit doubles until there are not.
pub const MAX_ARCHIVES: usize = 512;

/// How many members each archive has. Of a member its name and the bytes that it takes in an archive count; `end` are the bytes
/// that close an archive.
pub(crate) fn split(members: &[(&str, u64)], end: u64) -> Vec<usize> {
    let total: u64 = members.iter().map(|(_, size)| size).sum::<u64>() + end;
    if members.is_empty() {
        return Vec::new();
    }
    if total <= MAX_ARCHIVE_SIZE || members.len() == 1 {
        return vec![members.len()];
    }
    let hashes: Vec<u64> = members.iter().map(|(name, _)| hash(name)).collect();
    let mut limit = MAX_ARCHIVE_SIZE;
    loop {
        let lengths = split_at(members, &hashes, limit.saturating_sub(end));
        if lengths.len() <= MAX_ARCHIVES {
            return lengths;
        }
        limit *= 2;
    }
}

/// Goes through the members once. A range is split before its greatest hash, so that the ranges form a tree in which every
/// parent is greater than its children; it is built from left to right with a stack, however unlucky the hashes are.
fn split_at(members: &[(&str, u64)], hashes: &[u64], limit: u64) -> Vec<usize> {
    let sums: Vec<u64> = members
        .iter()
        .scan(0, |sum, (_, size)| {
            *sum += size;
            Some(*sum)
        })
        .collect();
    let size = |range: &Range<usize>| sums[range.end - 1] - if range.start == 0 { 0 } else { sums[range.start - 1] };
    let tree = Tree::of(hashes);
    let mut open = vec![(0..members.len(), tree.root)];
    let mut lengths = Vec::new();
    while let Some((range, top)) = open.pop() {
        let Some(top) = top.filter(|_| size(&range) > limit) else {
            lengths.push(range.len());
            continue;
        };
        // The right part is looked at later, so that the ranges come in their order.
        open.push((top..range.end, tree.right[top]));
        open.push((range.start..top, tree.left[top]));
    }
    lengths
}

/// A treap over the places between members: for each place the greatest on its left and on its right.
struct Tree {
    root: Option<usize>,
    left: Vec<Option<usize>>,
    right: Vec<Option<usize>>,
}

impl Tree {
    fn of(hashes: &[u64]) -> Self {
        let mut tree = Self {
            root: None,
            left: vec![None; hashes.len()],
            right: vec![None; hashes.len()],
        };
        let mut spine: Vec<usize> = Vec::new();
        for place in 1..hashes.len() {
            // Of equal hashes the first is the greater.
            while spine.last().is_some_and(|last| hashes[*last] < hashes[place]) {
                tree.left[place] = spine.pop();
            }
            match spine.last() {
                Some(parent) => tree.right[*parent] = Some(place),
                None => tree.root = Some(place),
            }
            spine.push(place);
        }
        tree
    }
}

fn hash(name: &str) -> u64 {
    let digest = Sha256::digest(name);
    digest
        .iter()
        .take(8)
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// Names and sizes by a simple generator of numbers.
    fn members(count: usize, seed: u64, largest: u64) -> Vec<(String, u64)> {
        let mut state = seed;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        let mut members: Vec<(String, u64)> = (0..count)
            .map(|_| (format!("{:08x}", next()), next() % largest))
            .collect();
        members.sort();
        members.dedup_by(|one, other| one.0 == other.0);
        members
    }

    fn archives(members: &[(String, u64)]) -> Vec<Vec<(String, u64)>> {
        let list: Vec<(&str, u64)> = members.iter().map(|(name, size)| (name.as_str(), *size)).collect();
        let mut rest = members;
        let archives = split(&list, 1024).into_iter().map(|length| {
            let (archive, after) = rest.split_at(length);
            rest = after;
            archive.to_vec()
        });
        archives.collect()
    }

    fn size(archive: &[(String, u64)]) -> u64 {
        archive.iter().map(|(_, size)| size).sum::<u64>() + 1024
    }

    /// Bytes of the archives that were not there before.
    fn sent(before: &[Vec<(String, u64)>], after: &[Vec<(String, u64)>]) -> u64 {
        let known: HashSet<&Vec<(String, u64)>> = before.iter().collect();
        after
            .iter()
            .filter(|archive| !known.contains(archive))
            .map(|archive| size(archive))
            .sum()
    }

    #[test]
    fn a_small_context_is_one_archive_and_none_is_lost() {
        assert!(split(&[], 1024).is_empty());
        assert_eq!(split(&[("a", 100 * MIB)], 1024), [1]);
        assert_eq!(split(&[("a", 4 * MIB), ("b", 4 * MIB - 1024)], 1024), [2]);
        assert_eq!(split(&[("a", 4 * MIB), ("b", 4 * MIB)], 1024), [1, 1]);
        for (count, largest) in [(1, MIB), (10, 40 * MIB), (3_000, MIB), (20_000, 64 * 1024)] {
            let members = members(count, 7, largest);
            let archives = archives(&members);
            assert_eq!(archives.concat(), members);
            assert!(
                archives
                    .iter()
                    .all(|archive| archive.len() == 1 || size(archive) <= MAX_ARCHIVE_SIZE)
            );
        }
    }

    #[test]
    fn there_are_never_more_than_the_most() {
        let many: Vec<(String, u64)> = (0..5_000).map(|number| (format!("{number:06}"), 20 * MIB)).collect();
        let archives = archives(&many);
        assert!(archives.len() <= MAX_ARCHIVES, "{}", archives.len());
        assert_eq!(archives.concat(), many);
        // Even where nothing can be put together.
        let sizes: Vec<(&str, u64)> = vec![("x", 1); 3];
        assert_eq!(split(&sizes, 1024), [3]);
    }

    /// One change re-sends at most two archives and the file, whatever it is.
    #[test]
    fn a_change_moves_only_what_is_beside_it() {
        let mut single = 0;
        let mut edits = 0;
        for seed in 0..20 {
            for (count, largest) in [(400, 2 * MIB), (4_000, 256 * 1024), (60, 30 * MIB)] {
                let members = members(count, seed, largest);
                let before = archives(&members);
                let place = usize::try_from(seed * 7_919).unwrap() % members.len();
                let mut variants = Vec::new();
                let mut edited = members.clone();
                // An edit that keeps the size has another content: it re-sends its own archive.
                edited[place].1 += 1;
                variants.push((edited, true));
                let mut resized = members.clone();
                resized[place].1 *= 10;
                variants.push((resized, false));
                let mut removed = members.clone();
                removed.remove(place);
                variants.push((removed, false));
                let mut added = members.clone();
                added.push((format!("{}x", members[place].0), largest / 2));
                added.sort();
                variants.push((added, false));
                let mut renamed = members.clone();
                renamed[place].0 = format!("{:08x}", u32::MAX - u32::try_from(seed).unwrap());
                renamed.sort();
                let moved = renamed;
                for (after, is_edit) in variants {
                    let file = after.iter().map(|(_, size)| *size).max().unwrap_or(0);
                    let after = archives(&after);
                    let sent = sent(&before, &after);
                    assert!(sent <= 2 * MAX_ARCHIVE_SIZE + file, "{seed} {count}: {sent}");
                    if is_edit {
                        edits += 1;
                        let new = after.iter().filter(|archive| !before.contains(archive)).count();
                        single += usize::from(new == 1);
                    }
                }
                // A file that is renamed goes at one place and comes at another.
                assert!(sent(&before, &archives(&moved)) <= 4 * MAX_ARCHIVE_SIZE + largest);
            }
        }
        assert!(
            single * 10 >= edits * 9,
            "only {single} of {edits} edits re-send one archive"
        );
    }

    /// Names in the order of their hashes, or against it, are the worst for a split by hashes.
    #[test]
    fn unlucky_names_cost_no_more() {
        for is_rising in [true, false] {
            let mut names: Vec<(u64, String)> = (0..20_000)
                .map(|number| format!("{number}"))
                .map(|name| (hash(&name), name))
                .collect();
            names.sort();
            if !is_rising {
                names.reverse();
            }
            let list: Vec<(&str, u64)> = names.iter().map(|(_, name)| (name.as_str(), 64 * 1024)).collect();
            let lengths = split(&list, 1024);
            assert_eq!(lengths.iter().sum::<usize>(), list.len());
            assert!(lengths.len() <= MAX_ARCHIVES);
        }
    }

    /// The split is a promise: with another one everything would be sent anew.
    #[test]
    fn the_split_is_pinned() {
        let members = members(2_000, 1, MIB);
        let lengths: Vec<usize> = archives(&members).iter().map(Vec::len).collect();
        let text: Vec<String> = lengths.iter().map(ToString::to_string).collect();
        assert_eq!(hex::encode(&Sha256::digest(text.join(","))[..8]), "d1b319e8357d7638");
        assert_eq!(SPLIT_VERSION, 2);
    }
}
