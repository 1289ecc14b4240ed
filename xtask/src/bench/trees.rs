//! Folders to push, of files that do not compress.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A number of files of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) name: &'static str,
    pub(super) files: u64,
    pub(super) size: usize,
}

impl Tree {
    pub(super) fn bytes(self) -> u64 {
        self.files * self.size as u64
    }

    /// Makes it anew in a folder. Its bytes are the same each time, and as it is written, it is in the page cache.
    pub(super) fn make(self, folder: &Path) -> io::Result<()> {
        drop(fs::remove_dir_all(folder));
        let mut noise = Noise(0x2545_f491_4f6c_dd1d);
        for number in 0..self.files {
            let path = file(folder, number);
            if number % 100 == 0 {
                fs::create_dir_all(path.parent().unwrap_or(folder))?;
            }
            self.write(&path, &mut noise)?;
        }
        Ok(())
    }

    /// Gives one file another content of the same size.
    pub(super) fn edit(self, folder: &Path, edit: Edit) -> io::Result<()> {
        let mut noise = Noise(edit.seed | 1);
        self.write(&file(folder, edit.file % self.files), &mut noise)
    }

    fn write(self, path: &Path, noise: &mut Noise) -> io::Result<()> {
        let mut chunk = vec![0; self.size.min(1 << 20)];
        let mut to = fs::File::create(path)?;
        let mut left = self.size;
        while left > 0 {
            let part = &mut chunk[..left.min(1 << 20)];
            noise.fill(part);
            to.write_all(part)?;
            left -= part.len();
        }
        Ok(())
    }
}

fn file(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{:04}/f{number:06}.js", number / 100))
}

/// Which file becomes another one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edit {
    file: u64,
    seed: u64,
}

/// Edits of files all over the tree, the same in every run of the benchmark.
pub(super) fn edits(run: usize) -> impl Iterator<Item = Edit> {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15 ^ (run as u64 + 1) << 17);
    std::iter::repeat_with(move || Edit {
        file: noise.next() >> 16,
        seed: noise.next(),
    })
}

/// xorshift64.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for bytes in bytes.chunks_mut(8) {
            let length = bytes.len();
            bytes.copy_from_slice(&self.next().to_le_bytes()[..length]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_the_same_each_time_and_an_edit_changes_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree {
            name: "small",
            files: 250,
            size: 9,
        };
        let all = |path: &Path| -> Vec<Vec<u8>> { (0..250).map(|n| fs::read(file(path, n)).unwrap()).collect() };
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        tree.make(&one).unwrap();
        tree.make(&two).unwrap();
        assert_eq!(all(&one), all(&two));
        let chosen: Vec<Edit> = edits(0).take(20).collect();
        tree.edit(&two, chosen[0]).unwrap();
        let changed = all(&one)
            .iter()
            .zip(all(&two))
            .filter(|(before, after)| *before != after)
            .count();
        assert_eq!(changed, 1);
        // All over the tree.
        let low = chosen.iter().filter(|edit| edit.file % 250 < 125).count();
        assert!((4..=16).contains(&low), "{low}");
    }
}
